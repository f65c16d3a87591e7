"""What the tests of the lock desk share: claims, and how they are named on its page."""

from datetime import timedelta

from django.db.models import F
from django.urls import reverse

from backoffice import lock_desk, locks
from backoffice.claims import KINDS
from backoffice.clock import database_now
from backoffice.lock_desk import Wanted
from inventory.models import IssuePermanent, ReceiptPermanent, WarehouseDocument
from tests.inventory.factories import make_receipt

DESK = reverse("admin:lock_desk")
END = reverse("admin:lock_desk_end")
RECEIPT, ISSUE = "edit:inventory.ReceiptPermanent", "edit:inventory.IssuePermanent"
SEES = ("inventory.view_receiptpermanent", "inventory.view_issuepermanent")
RELEASES = (*SEES, "backoffice.release_edit_lock")


def lock(obj, by):
    """Let somebody edit a document; return the document."""
    locks.acquire(type(obj), obj.pk, by=by, version=obj.version)
    return obj


def silence(obj, minutes=10):
    then = database_now() - timedelta(minutes=minutes)
    type(obj).objects.filter(pk=obj.pk).update(editing_last_seen_at=then)
    return obj


def number(obj, number):
    """Give a document its number, as posting does."""
    type(obj).objects.filter(pk=obj.pk).update(
        document_number=number,
        status="posted",
        **{f"{step}_by": F("editing_by") for step in ("approved", "posted")},
        **{f"{step}_at": database_now() for step in ("approved", "posted")},
    )


def taking_of(obj, kind=RECEIPT):
    [claim] = lock_desk.claims([KINDS[kind]], Wanted())[:]
    assert claim.pk == obj.pk
    return claim.taking


def holder_of(obj):
    return type(obj).objects.get(pk=obj.pk).editing_by


def names(found):
    return [claim.name for claim in found]


def told(response):
    return [str(message) for message in response.context["messages"]]


def hold(seats, by):
    """Let seats be held without asking how many one may hold."""
    now = database_now()
    seats.update(
        status="locked",
        locked_by=by,
        locked_by_name=by.get_full_name() or by.username,
        held_since=now,
        locked_until=now + timedelta(minutes=5),
        hold_id="00000000-0000-0000-0000-000000000001",
    )


def lock_many(count, holder):
    """Lock as many documents, a third of them long ago."""
    pattern = make_receipt(lines=0)
    columns = {"warehouse": pattern.warehouse, "fiscal_year": pattern.fiscal_year}
    columns |= {"document_date": pattern.document_date}
    models = (ReceiptPermanent, IssuePermanent)
    rows = [
        WarehouseDocument(document_type=models[place % 2].TYPE, draft_number=f"M{place}", **columns)
        for place in range(count)
    ]
    WarehouseDocument.objects.bulk_create(rows, batch_size=500)
    made = WarehouseDocument.objects.filter(draft_number__startswith="M")
    now = database_now()
    times = {f"editing_{name}_at": now for name in ("started", "last_seen", "last_input")}
    made.update(editing_by=holder, editing_session_key="x", **times)
    made.filter(draft_number__endswith="3").update(editing_last_seen_at=now - timedelta(minutes=10))


def takings():
    return [claim.taking for claim in lock_desk.claims(KINDS.values(), Wanted())[:]]
