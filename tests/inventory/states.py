"""Documents in the states that only posting leads to."""

from django.utils import timezone

from inventory.models import Status

NUMBER = 17


def post(document, user, **kwargs):
    """Put a document into the state that posting leaves it in."""
    step = {"status": Status.POSTED, "document_number": NUMBER}
    step |= {"posted_at": timezone.now(), "posted_by": user}
    step |= {"approved_at": timezone.now(), "approved_by": user}
    type(document).objects.filter(pk=document.pk).update(**step | kwargs)


def cancel(document, user):
    post(
        document,
        user,
        status=Status.CANCELLED,
        cancelled_at=timezone.now(),
        cancelled_by=user,
        cancel_reason="اشتباه",
    )
