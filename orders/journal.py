"""What happened to an order, line by line: every call, every change of state, and by whom.

Equal answers in a row are one line with a count, as an order may be asked about 149 times. Texts
come here masked: no PIN, no credentials.
"""

from django.db import models
from django.db.models import F, Max
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.audit import name_of
from backoffice.clock import database_now

TEXT_LENGTH = 500


class OrderEvent(models.Model):
    class What(models.TextChoices):
        CREATED = "created", _("Order taken")
        SENDING = "sending", _("Sent to the provider")
        ACCEPTED = "accepted", _("Accepted by the provider")
        REFUSED = "refused", _("Refused by the provider")
        UNREACHED = "unreached", _("Provider not reached")
        UNKNOWN = "unknown", _("Outcome unknown")
        NO_ROUTE = "no_route", _("No provider for the package")
        CHECKED = "checked", _("Status asked")
        NO_ANSWER = "no_answer", _("No usable answer")
        GIVEN_UP = "given_up", _("Given up")
        CHECK_WANTED = "check_wanted", _("Check asked for by staff")
        REVEALED = "revealed", _("PIN shown")
        WAITING = "waiting", _("Kept waiting")
        INCIDENT = "incident", _("Incident opened")
        INCIDENT_END = "incident_end", _("Incident closed")
        LATE_LOOK = "late_look", _("Asked again after its end")
        RESENT = "resent", _("Sent elsewhere by staff")
        BY_HAND = "by_hand", _("Delivered by hand")
        REFUNDED = "refunded", _("Cancelled, with a refund registered")

    FOLDED = (What.CHECKED, What.NO_ANSWER, What.NO_ROUTE, What.WAITING, What.LATE_LOOK)

    order = models.ForeignKey(
        "orders.ProductOrder", models.PROTECT, "events", verbose_name=_("order")
    )
    what = models.CharField(pgettext_lazy("journal", "event"), max_length=12, choices=What)
    status = models.CharField(_("provider status"), max_length=10)  # of the order, afterwards
    text = models.CharField(_("details"), max_length=TEXT_LENGTH, blank=True)
    request = models.CharField(_("request"), max_length=TEXT_LENGTH, blank=True)
    milliseconds = models.PositiveIntegerField(_("milliseconds to the answer"), null=True)
    by_name = models.CharField(_("by"), max_length=150, blank=True)
    by_id = models.BigIntegerField(_("id of who did it"), null=True)
    at = models.DateTimeField(_("time"), db_default=database_now(), editable=False)
    last_at = models.DateTimeField(_("last time"), db_default=database_now(), editable=False)
    times = models.PositiveIntegerField(_("times"), default=1)

    class Meta:
        verbose_name = _("order event")
        verbose_name_plural = _("order events")
        ordering = ["pk"]
        default_permissions = ("view",)

    def __str__(self):
        return self.get_what_display()

    @property
    def says(self):
        """What makes two lines in a row one."""
        return (self.what, self.status, self.text, self.request, self.by_id, self.by_name)

    @property
    def folds(self):
        """Whether it is counted up where it repeats the line before, as what machines do is.

        Each time that a person saw a PIN stays a line of its own; a shop's program may poll.
        """
        by_program = self.what == self.What.REVEALED and self.by_id is None
        return self.what in self.FOLDED or by_program


def record(order_id, what, *, status, text="", by=None, by_name=""):
    """Add a line to an order's journal, in the caller's transaction; an equal answer is counted."""
    record_all([line(order_id, what, status=status, text=text, by=by, by_name=by_name)])


def line(order_id, what, *, status, text="", request="", milliseconds=None, by=None, by_name=""):
    """Return a line for the journal, not yet written; ``by_name`` is of who is none of staff."""
    return OrderEvent(
        order_id=order_id,
        what=what,
        status=status,
        text=text[:TEXT_LENGTH],
        request=request[:TEXT_LENGTH],
        milliseconds=milliseconds,
        by_id=by.pk if by else None,
        by_name=(by_name or name_of(by))[:150],
    )


def record_all(lines):
    """Add lines, at most one of each order, in the caller's transaction; equal ones are counted."""
    foldable = [line.order_id for line in lines if line.folds]
    last = _last_lines(foldable) if foldable else {}
    again, new = [], []
    for added in lines:
        before = last.get(added.order_id)
        if before and before.says == added.says:
            again.append(before.pk)
        else:
            new.append(added)
    if again:
        OrderEvent.objects.filter(pk__in=again).update(times=F("times") + 1, last_at=database_now())
    OrderEvent.objects.bulk_create(new)


def _last_lines(order_ids):
    last = OrderEvent.objects.filter(order_id__in=order_ids).order_by().values("order_id")
    keys = last.annotate(last=Max("pk")).values("last")
    return {event.order_id: event for event in OrderEvent.objects.filter(pk__in=keys)}
