"""The states of an order, and its rows by what is to be done with them."""

from datetime import timedelta
from typing import Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.clock import database_now


class Status(models.TextChoices):
    PENDING = "pending", pgettext_lazy("order", "Waiting to be sent")
    SENT = "sent", pgettext_lazy("order", "Sent")
    PROCESSING = "processing", pgettext_lazy("order", "In progress")
    COMPLETED = "completed", pgettext_lazy("order", "Completed")
    DELIVERED = "delivered", pgettext_lazy("order", "Delivered")
    CANCELLED = "cancelled", pgettext_lazy("order", "Cancelled")
    FAILED = "failed", pgettext_lazy("order", "Failed")


AT_PROVIDER = (Status.SENT, Status.PROCESSING)
OPEN = (Status.PENDING, *AT_PROVIDER)
# What a provider is asked about: an order that failed by time is looked at for a while longer.
ASKED = (*AT_PROVIDER, Status.FAILED)
DONE = (Status.COMPLETED, Status.DELIVERED)
OVERDUE_AFTER = timedelta(minutes=10)  # two rounds of the batch


class ReviewReason(models.TextChoices):
    NO_ROUTE = "no_route", _("no provider for the package")
    REFUSED = "refused", _("refused by every provider")
    UNKNOWN = "unknown", _("outcome unknown")
    TIMEOUT = "timeout", _("bought, and not finished in time")
    NEVER_KNOWN = "never_known", _("perhaps bought: its outcome was never known")
    NEVER_SENT = "never_sent", _("never sent: its time ran out before")
    MISCONFIGURED = "misconfigured", _("the integration's settings don't work")
    LOW_BALANCE = "low_balance", _("our money at the provider is low")
    COST_ABOVE_PRICE = "cost_above_price", _("it costs more than its price")
    LATE_SUCCESS = "late_success", _("delivered after it had failed")


# Why an order failed that may be at its provider all the same.
PERHAPS_THERE = (ReviewReason.TIMEOUT, ReviewReason.NEVER_KNOWN)

Row = TypeVar("Row", bound=models.Model, covariant=True)


class OrderQuerySet(models.QuerySet[Row]):
    def pending(self) -> Self:
        return self.filter(external_status=Status.PENDING)

    def at_provider(self) -> Self:
        return self.filter(external_status__in=AT_PROVIDER)

    def asked(self) -> Self:
        """Rows that the provider is asked about when their time comes."""
        return self.filter(external_status__in=ASKED, next_check_at__isnull=False)

    def askable(self) -> Self:
        """Rows about which there is something to ask whenever staff want it."""
        late = Q(
            external_status=Status.FAILED, review_reason__in=PERHAPS_THERE, sent_at__isnull=False
        )
        return self.filter(Q(external_status__in=OPEN) | late)

    def past_deadline(self) -> Self:
        hours = timedelta(hours=settings.ORDER_DEADLINE_HOURS)
        return self.filter(sent_at__lte=database_now() - hours)

    def open(self) -> Self:
        return self.filter(external_status__in=OPEN)

    def due(self) -> Self:
        return self.filter(next_check_at__lte=database_now())

    def claimed(self) -> Self:
        """Rows with a claim, live or not."""
        return self.filter(claimed_until__isnull=False)

    def live(self) -> Self:
        return self.filter(claimed_until__gt=database_now())

    def stale(self) -> Self:
        return self.filter(claimed_until__lte=database_now())

    def free(self) -> Self:
        return self.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=database_now()))

    def overdue(self) -> Self:
        """Rows that two rounds of the batch have missed."""
        return self.open().filter(next_check_at__lte=database_now() - OVERDUE_AFTER)

    def needing_a_person(self) -> Self:
        """Rows with a reason for review, or with an incident that nobody has closed."""
        review = self.model._base_manager.filter(review_reason__gt="").order_by().values("pk")
        incidents = self.model._meta.get_field("incidents").related_model._base_manager
        unclosed = incidents.filter(closed_at__isnull=True).order_by().values("order_id")
        # Both by their own index; of an OR of them PostgreSQL reads the whole table.
        return self.filter(pk__in=review.union(unclosed))
