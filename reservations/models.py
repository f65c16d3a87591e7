"""Events, their seats and who has them.

A seat is ``available``, ``locked`` (held for a while) or ``reserved`` (sold); the constraints keep
the columns of these three apart. Only ``holds.py`` moves a seat from one to another. Whether a
hold is live is asked here alone, of the database's clock: live means ``locked_until > now``, and a
hold that ran out is a free seat at once, whatever its ``status`` still says.
"""

import re
import secrets
from collections.abc import Iterable
from datetime import timedelta
from operator import attrgetter
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice import audit, clock
from backoffice.locks import EditableModel
from backoffice.persian import to_ascii_digits

FILES = ("add", "change", "delete", "view", "import", "export")
HIGHEST_PRICE = 10**12  # the databases add up millions of them, where a slip of the hand overflows
REFERENCE_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that is taken for another by ear or eye


DIGITS = re.compile(r"[0-9]+")


def natural_key(text: str) -> str:
    """Return what sorts texts with numbers in them as people count: A2 before A10."""
    return DIGITS.sub(lambda digits: digits[0].zfill(6), to_ascii_digits(text))


class NaturalKeyField(models.CharField):
    """The natural key of another column, kept beside it: neither database sorts so by itself."""

    def __init__(self, *args, of, **kwargs):
        self.of = of
        super().__init__(*args, blank=True, editable=False, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["blank"], kwargs["editable"]
        return name, path, args, kwargs | {"of": self.of}

    def pre_save(self, instance, add):
        value = natural_key(getattr(instance, self.of))
        setattr(instance, self.attname, value)
        return value


def make_reference():
    """Return a new code by which a customer names a reservation; with a digit, so it is no word."""
    while True:
        reference = "".join(secrets.choice(REFERENCE_SIGNS) for _sign in range(8))
        if not reference.isalpha():
            return reference


class Event(EditableModel):
    code = models.CharField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=200)
    venue = models.CharField(_("venue"), max_length=200, blank=True)
    starts_at = models.DateTimeField(_("starts at"))
    cut_off = models.DateTimeField(
        _("cut-off"),
        null=True,
        blank=True,
        help_text=_("From then on no seat can be held; a hold never lasts beyond it."),
    )
    hold_seconds = models.PositiveIntegerField(
        _("seconds of a hold"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(86400)],
        help_text=_("Empty means the office's own setting."),
    )

    class Meta(EditableModel.Meta):
        abstract = False
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["starts_at", "code"]
        default_permissions = FILES
        constraints = [
            models.CheckConstraint(
                condition=Q(hold_seconds__isnull=True) | Q(hold_seconds__range=(1, 86400)),
                name="event_hold_seconds",
            )
        ]

    def __str__(self):
        return self.name

    @property
    def hold_time(self) -> timedelta:
        """How long a hold of this event's seats lasts."""
        seconds = self.hold_seconds or settings.SEAT_HOLD_SECONDS
        return timedelta(seconds=min(seconds, settings.SEAT_HOLD_MAXIMUM_SECONDS))


class Reservation(models.Model):
    """Seats that were sold together; made by ``holds.confirm``, changed by ``sales`` alone."""

    class PaymentMethod(models.TextChoices):
        CASH = "cash", _("Cash")
        CARD = "card", _("Bank card")
        TRANSFER = "transfer", _("Bank transfer")
        FREE = "free", _("Free of charge")

    reference = models.CharField(
        _("reservation code"), max_length=12, unique=True, default=make_reference, editable=False
    )
    event = models.ForeignKey(Event, models.PROTECT, editable=False, verbose_name=_("event"))
    customer = models.CharField(_("customer"), max_length=200, blank=True)
    phone = models.CharField(_("phone"), max_length=30, blank=True)
    # As last sold or moved: of a cancelled one no seat tells it any more.
    seat_numbers = models.TextField(_("seats"), blank=True, editable=False)
    price = models.PositiveBigIntegerField(pgettext_lazy("seat", "price"), editable=False)
    payment_method = models.CharField(_("payment method"), max_length=10, choices=PaymentMethod)
    cashier = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("account of the cashier"),
    )
    cashier_name = models.CharField(_("cashier"), max_length=150, editable=False)
    hold_id = models.UUIDField(_("hold"), editable=False)
    created_at = models.DateTimeField(_("reserved at"), db_default=Now(), editable=False)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, editable=False)
    cancelled_by_name = models.CharField(
        _("cancelled by"), max_length=150, blank=True, editable=False
    )
    cancel_reason = models.CharField(
        _("reason of the cancellation"), max_length=200, blank=True, editable=False
    )

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        ordering = ["-pk"]
        default_permissions = ("change", "view", "export")
        permissions = [
            ("cancel_reservation", _("Can cancel reservations")),
            ("move_reservation", _("Can move reservations to other seats")),
        ]
        indexes = [models.Index(fields=["phone"], name="reservation_phone")]
        constraints = [
            models.CheckConstraint(
                name="reservation_cancelled",
                condition=Q(cancelled_at__isnull=True, cancelled_by_name="", cancel_reason="")
                | Q(~Q(cancelled_by_name=""), ~Q(cancel_reason=""), cancelled_at__isnull=False),
            )
        ]

    def __str__(self):
        return self.reference

    def pay(self, kind: str, amount: int, method: str, *, by: User) -> "Payment":
        """Record what was taken in for it, or with a negative amount given back."""
        return self.payments.create(
            kind=kind,
            amount=amount,
            method=method,
            cashier_id=by.pk,
            cashier_name=audit.name_of(by)[:150],
        )


class Payment(models.Model):
    """What a cashier took in for a reservation, or gave back; the office moves no money itself.

    People are kept as id and name without a foreign key: the table is append-only, and outlives
    accounts.
    """

    class Kind(models.TextChoices):
        SALE = "sale", _("Sale")
        REFUND = "refund", _("Refund")
        DIFFERENCE = "difference", _("Difference of a move")

    at = models.DateTimeField(_("time"), db_default=Now(), editable=False)
    reservation = models.ForeignKey(
        Reservation, models.PROTECT, related_name="payments", verbose_name=_("reservation")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    amount = models.BigIntegerField(
        _("amount"), help_text=_("Negative where money was given back.")
    )
    method = models.CharField(_("payment method"), max_length=10, choices=Reservation.PaymentMethod)
    cashier_id = models.BigIntegerField(_("id of the cashier"), null=True)
    cashier_name = models.CharField(_("cashier"), max_length=150)

    is_append_only = True

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-pk"]
        default_permissions = ("view", "export")
        indexes = [models.Index(fields=["at"], name="payment_at")]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.reservation}"


class State(models.TextChoices):
    """What a seat is at this instant, before any cleaner ran."""

    AVAILABLE = "available", _("Available")
    LOCKED = "locked", _("On hold")
    RUN_OUT = "run_out", _("Run out, available")
    RESERVED = "reserved", _("Reserved")
    BLOCKED = "blocked", _("Blocked")


TAKEN = (State.LOCKED, State.RESERVED)


def is_live() -> Q:
    """Return the condition under which a hold still counts."""
    return Q(status=Seat.Status.LOCKED, locked_until__gt=clock.database_now())


def is_stale() -> Q:
    """Return the condition under which a hold ran out, and the seat is free."""
    return Q(status=Seat.Status.LOCKED, locked_until__lte=clock.database_now())


def is_free() -> Q:
    """Return the condition under which a seat may be taken."""
    return Q(status=Seat.Status.AVAILABLE, blocked=False) | is_stale()


def numbers_of(seats: "Iterable[Seat]") -> str:
    """Return the numbers of seats as a reservation keeps them."""
    return ", ".join(seat.seat_number for seat in sorted(seats, key=attrgetter("natural_number")))


class SeatQuerySet(models.QuerySet["Seat"]):
    def live(self) -> Self:
        return self.filter(is_live())

    def stale(self) -> Self:
        return self.filter(is_stale())

    def free(self) -> Self:
        return self.filter(is_free())

    def with_state(self) -> Self:
        """Rows with their ``state``, and with ``time_left`` where they are held."""
        return self.annotate(
            state=Case(
                When(blocked=True, then=Value(State.BLOCKED)),
                When(is_live(), then=Value(State.LOCKED)),
                When(is_stale(), then=Value(State.RUN_OUT)),
                default=F("status"),
                output_field=models.CharField(choices=State),
            ),
            time_left=Case(
                When(is_live(), then=F("locked_until") - clock.database_now()),
                output_field=models.DurationField(),
            ),
        )


class Seat(models.Model):
    class Status(models.TextChoices):
        AVAILABLE = "available", _("Available")
        LOCKED = "locked", _("On hold")
        RESERVED = "reserved", _("Reserved")

    # Two other indexes begin with the event.
    event = models.ForeignKey(
        Event, models.PROTECT, related_name="seats", db_index=False, verbose_name=_("event")
    )
    seat_number = models.CharField(_("seat number"), max_length=20)
    natural_number = NaturalKeyField(of="seat_number", max_length=100)
    section = models.CharField(_("section"), max_length=60, blank=True)
    row = models.CharField(_("row"), max_length=10, blank=True)
    row_position = models.PositiveSmallIntegerField(
        _("place of the row"), default=1, help_text=_("Counted from the stage.")
    )
    position = models.PositiveSmallIntegerField(
        _("place in the row"),
        default=1,
        help_text=_("Seats that stand side by side have consecutive places; a gap is an aisle."),
    )
    price = models.PositiveBigIntegerField(
        pgettext_lazy("seat", "price"), default=0, validators=[MaxValueValidator(HIGHEST_PRICE)]
    )
    accessible = models.BooleanField(_("accessible"), default=False)
    blocked = models.BooleanField(_("blocked"), default=False, editable=False)
    block_reason = models.CharField(_("reason of the block"), max_length=200, editable=False)

    status = models.CharField(
        _("status"), max_length=10, choices=Status, default=Status.AVAILABLE, editable=False
    )
    locked_until = models.DateTimeField(_("held until"), null=True, editable=False)
    locked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        db_index=False,  # nobody is looked for by it alone, and each step would keep it up
        related_name="+",
        verbose_name=_("account of the holder"),
    )
    # Beside the account, which can be deleted while the seat is held.
    locked_by_name = models.CharField(
        pgettext_lazy("seat", "holder"), max_length=150, editable=False
    )
    held_since = models.DateTimeField(
        pgettext_lazy("seat", "held since"), null=True, editable=False
    )
    hold_id = models.UUIDField(_("hold"), null=True, editable=False)
    reservation = models.ForeignKey(
        Reservation,
        models.PROTECT,
        null=True,
        editable=False,
        related_name="seats",
        verbose_name=_("reservation"),
    )

    # Of rows that came ``with_state`` alone.
    state: str
    time_left: timedelta | None

    objects = SeatQuerySet.as_manager()

    class Meta:
        verbose_name = _("seat")
        verbose_name_plural = _("seats")
        ordering = ["event", "row_position", "position", "natural_number"]
        default_permissions = FILES
        permissions = [
            ("hold_seat", _("Can hold and reserve seats")),
            ("release_seat", _("Can end seat holds of others")),
            ("release_expired_seat", _("Can clear seat holds that ran out")),
        ]
        indexes = [
            models.Index(fields=["event", "row_position", "position"], name="seat_place"),
            models.Index(
                fields=["locked_until"], name="seat_locked_until", condition=Q(status="locked")
            ),
            models.Index(fields=["hold_id"], name="seat_hold", condition=Q(status="locked")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["event", "seat_number"], name="seat_number_once"),
            models.CheckConstraint(
                name="seat_state",
                condition=Q(
                    status="available",
                    locked_until__isnull=True,
                    held_since__isnull=True,
                    hold_id__isnull=True,
                    locked_by__isnull=True,
                    locked_by_name="",
                    reservation__isnull=True,
                )
                # Without a word on locked_by: deleting the account empties it.
                | Q(
                    ~Q(locked_by_name=""),
                    status="locked",
                    blocked=False,
                    locked_until__isnull=False,
                    held_since__isnull=False,
                    hold_id__isnull=False,
                    reservation__isnull=True,
                )
                | Q(
                    status="reserved",
                    blocked=False,
                    locked_until__isnull=True,
                    held_since__isnull=True,
                    hold_id__isnull=True,
                    locked_by__isnull=True,
                    locked_by_name="",
                    reservation__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="seat_hold_forward",
                condition=Q(locked_until__isnull=True) | Q(locked_until__gte=F("held_since")),
            ),
            models.CheckConstraint(
                name="seat_block_reason",
                condition=Q(blocked=False, block_reason="") | Q(~Q(block_reason=""), blocked=True),
            ),
        ]

    def __str__(self):
        return f"{self.seat_number} · {self.event.name}"

    @property
    def state_label(self):
        """What staff call the state of a row that came ``with_state``."""
        return State(self.state).label
