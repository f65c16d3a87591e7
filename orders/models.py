"""An order, and each attempt to place it at a provider.

    pending --> sent --> processing --> completed --> delivered
       ^          |           |
       |          |           +--> cancelled, failed
       +----------+  (definitely refused: certainly not at the provider)

``pending`` is certainly not at the provider; ``sent`` is committed before the call. An unknown
outcome is ``sent`` with a flag. A change of state names the old state in its UPDATE.
"""

import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.clock import database_now
from orders.catalogue import (
    WITH_FILES,
    Package,
    PackageRouting,
    Product,
    ProviderCost,
    ProviderIntegration,
    Tenant,
)
from orders.decisions import OrderDecision
from orders.encryption import EncryptedTextField
from orders.incidents import OrderIncident
from orders.integration_events import IntegrationEvent
from orders.journal import OrderEvent
from orders.limits import IntegrationState
from orders.price_listings import PriceList, PriceListing
from orders.states import AT_PROVIDER, OPEN, OrderQuerySet, ReviewReason, Status
from orders.tokens import TenantToken

__all__ = [
    "AT_PROVIDER",
    "CheckLoop",
    "IntegrationEvent",
    "IntegrationState",
    "OrderAttempt",
    "OrderDecision",
    "OrderEvent",
    "OrderIncident",
    "Package",
    "PackageRouting",
    "PriceList",
    "PriceListing",
    "Product",
    "ProductOrder",
    "ProviderCost",
    "ProviderIntegration",
    "ReviewReason",
    "Status",
    "Tenant",
    "TenantToken",
]


class ProductOrder(models.Model):
    public_id = models.UUIDField(_("order number"), default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, "orders", verbose_name=_("tenant"))
    external_key = models.CharField(
        _("the tenant's own number"),
        max_length=100,
        blank=True,
        help_text=_("the same number is never taken twice; may stay empty"),
    )
    # Of the shop's request: the same key is the same request, and its content must be the same.
    idempotency_key = models.CharField(max_length=255, blank=True, editable=False)
    request_digest = models.CharField(max_length=64, blank=True, editable=False)
    package = models.ForeignKey(Package, models.PROTECT, "orders", verbose_name=_("package"))
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=2, editable=False)
    user_identifier = models.CharField(_("user identifier"), max_length=100, db_index=True)
    extra_field = models.CharField(_("additional information"), max_length=200, blank=True)
    created_at = models.DateTimeField(
        _("created at"), db_default=database_now(), editable=False, db_index=True
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )

    # At the provider
    external_status = models.CharField(
        _("provider status"), max_length=10, choices=Status, default=Status.PENDING, editable=False
    )
    integration = models.ForeignKey(
        ProviderIntegration,
        models.PROTECT,
        "orders",
        null=True,
        editable=False,
        verbose_name=_("integration"),
    )
    provider_referans = models.CharField(
        _("provider reference"), max_length=255, blank=True, db_index=True, editable=False
    )
    outcome_unknown = models.BooleanField(_("outcome unknown"), default=False, editable=False)
    provider_message = models.CharField(
        _("the provider's words"), max_length=300, blank=True, editable=False
    )
    pin_code = EncryptedTextField(_("PIN code"), blank=True, default="", editable=False)
    pin_last_four = models.CharField(
        _("PIN's last four"), max_length=4, blank=True, db_index=True, editable=False
    )
    sent_at = models.DateTimeField(_("sent at"), null=True, editable=False)
    last_sync_at = models.DateTimeField(_("last check"), null=True, editable=False)
    completed_at = models.DateTimeField(_("completed at"), null=True, editable=False)

    # When it is looked at next, and by whom it is claimed until then
    next_check_at = models.DateTimeField(
        _("next check"), null=True, db_default=database_now(), editable=False
    )
    dispatches = models.PositiveSmallIntegerField(_("sendings"), default=0, editable=False)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0, editable=False)
    transport_errors = models.PositiveSmallIntegerField(_("errors"), default=0, editable=False)
    claimed_until = models.DateTimeField(_("claimed until"), null=True, editable=False)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, editable=False)
    claimed_by = models.CharField(_("claimed by"), max_length=150, blank=True, editable=False)
    claim_token = models.CharField(max_length=32, blank=True, editable=False)
    review_reason = models.CharField(
        _("for review"), max_length=20, choices=ReviewReason, blank=True, editable=False
    )

    # Of an order that a person had sent once more: where to, and since when its time counts
    chosen = models.ForeignKey(
        ProviderIntegration,
        models.PROTECT,
        "+",
        null=True,
        editable=False,
        verbose_name=_("chosen provider"),
    )
    resent_at = models.DateTimeField(_("sent elsewhere at"), null=True, editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-pk"]
        default_permissions = WITH_FILES
        permissions = [
            ("check_productorder", _("Can ask the provider about orders")),
            ("reveal_pin_productorder", _("Can see the PIN of orders")),
            ("release_productorder", _("Can end claims on orders")),
            ("resend_productorder", _("Can send held orders elsewhere")),
            ("deliver_productorder", _("Can register deliveries by hand")),
            ("refund_productorder", _("Can cancel held orders and register refunds")),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"],
                name="order_due",
                condition=Q(next_check_at__isnull=False),
            ),
            # By it a batch is claimed fairly: the oldest of each integration and tenant.
            models.Index(
                fields=["integration", "tenant", "next_check_at"],
                name="order_due_of_tenant",
                condition=Q(next_check_at__isnull=False),
            ),
            models.Index(
                fields=["claimed_until"],
                name="order_claimed",
                condition=Q(claimed_until__isnull=False),
            ),
            models.Index(
                fields=["-completed_at"],
                name="order_completed",
                condition=Q(completed_at__isnull=False),
            ),
            models.Index(
                fields=["review_reason"], name="order_for_review", condition=Q(review_reason__gt="")
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "external_key"],
                name="order_external_key",
                condition=Q(external_key__gt=""),
                violation_error_message=_("This number of the tenant is taken already."),
            ),
            models.UniqueConstraint(
                fields=["tenant", "idempotency_key"],
                name="order_idempotency_key",
                condition=Q(idempotency_key__gt=""),
            ),
            models.CheckConstraint(
                condition=Q(external_status__in=Status.values), name="order_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(external_status="pending")
                | Q(sent_at__isnull=True, provider_referans=""),
                name="order_pending_is_not_at_provider",
            ),
            models.CheckConstraint(
                condition=~Q(external_status__in=AT_PROVIDER)
                | Q(sent_at__isnull=False, integration__isnull=False, provider_referans__gt=""),
                name="order_at_provider_has_reference",
            ),
            models.CheckConstraint(
                condition=Q(
                    external_status__in=["completed", "delivered"], completed_at__isnull=False
                )
                | Q(completed_at__isnull=True) & ~Q(external_status__in=["completed", "delivered"]),
                name="order_completed_has_time",
            ),
            models.CheckConstraint(
                # An order that failed by time is still asked about for a while.
                condition=Q(external_status__in=OPEN, next_check_at__isnull=False)
                | Q(external_status="failed")
                | (Q(next_check_at__isnull=True) & ~Q(external_status__in=OPEN)),
                name="order_open_has_next_check",
            ),
            models.CheckConstraint(
                condition=Q(outcome_unknown=False) | Q(external_status="sent"),
                name="order_unknown_is_sent",
            ),
            models.CheckConstraint(
                condition=Q(claimed_until__isnull=True, claimed_at__isnull=True, claim_token="")
                | Q(claimed_until__isnull=False, claimed_at__isnull=False, claim_token__gt=""),
                name="order_claim_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(review_reason="") | Q(review_reason__in=ReviewReason.values),
                name="order_review_reason_known",
            ),
        ]

    def __str__(self):
        return str(self.public_id)

    def clean(self):
        """Refuse a new order for what is not sold, or without what its package asks for."""
        if not self._state.adding or not self.package_id or not self.tenant_id:
            return
        if not (self.package.is_active and self.package.product.is_active):
            text = _("This package is not on sale.")
            raise ValidationError({"package": ValidationError(text, code="not_on_sale")})
        if not self.tenant.is_active:
            raise ValidationError({"tenant": _("This tenant is not active.")})
        asked = self.package.extra_field_label
        if asked and not self.extra_field:
            text = _("This package needs: %(asked)s.")
            problem = ValidationError(text, code="extra_field_needed", params={"asked": asked})
            raise ValidationError({"extra_field": problem})


class AttemptManager(models.Manager["OrderAttempt"]):
    def get_queryset(self):
        """Leave the PIN unread: where no key opens it, pages and others' orders go on."""
        return super().get_queryset().defer("pin_code")


class OrderAttempt(models.Model):
    """One try to place an order. It is committed before the call, and never repeated.

    One that a person gave up (``orders/given_up.py``) is still looked at for a while; what it
    brings after all is kept here, beside what the order got otherwise.
    """

    class State(models.TextChoices):
        SENDING = "sending", pgettext_lazy("attempt", "Being sent")
        ACCEPTED = "accepted", pgettext_lazy("attempt", "Accepted")
        REFUSED = "refused", pgettext_lazy("attempt", "Refused")
        UNKNOWN = "unknown", pgettext_lazy("attempt", "Unknown")
        GIVEN_UP = "given_up", pgettext_lazy("attempt", "Given up")

    UNSETTLED = (State.SENDING, State.UNKNOWN)

    order = models.ForeignKey(
        ProductOrder, models.PROTECT, "attempts", verbose_name=_("order"), editable=False
    )
    number = models.PositiveSmallIntegerField(_("number"))
    integration = models.ForeignKey(
        ProviderIntegration, models.PROTECT, "+", verbose_name=_("integration")
    )
    provider = models.CharField(_("provider"), max_length=40)
    referans = models.CharField(_("our reference"), max_length=40)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.SENDING)
    # Refused because the provider was certainly not reached: the same one may be tried again.
    may_retry = models.BooleanField(_("may be tried again"), default=False)
    request = models.CharField(_("request"), max_length=500)
    answer = models.CharField(_("answer"), max_length=500, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=2, null=True)
    balance = models.DecimalField(_("balance"), max_digits=16, decimal_places=2, null=True)
    started_at = models.DateTimeField(_("started"), db_default=database_now())
    answered_at = models.DateTimeField(_("answered"), null=True)
    # Until the provider's answer; none where it gave none that could be used
    milliseconds = models.PositiveIntegerField(_("milliseconds to the answer"), null=True)

    # Beside its order: when the provider is asked about it, and what it delivered
    next_look_at = models.DateTimeField(_("next look"), null=True, editable=False)
    delivered_at = models.DateTimeField(_("delivered after all"), null=True, editable=False)
    pin_code = EncryptedTextField(_("PIN code"), blank=True, default="", editable=False)
    pin_last_four = models.CharField(
        _("PIN's last four"), max_length=4, blank=True, default="", editable=False
    )

    objects = AttemptManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["order", "number"]
        default_permissions = ("view",)
        permissions = [
            ("view_reconciliation", _("Can see the reconciliation with providers")),
            ("export_reconciliation", _("Can export the reconciliation with providers")),
        ]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                name="attempt_to_look_at",
                condition=Q(next_look_at__isnull=False),
            ),
            # The figures of a provider are read from it alone, without the wide rows.
            models.Index(
                fields=["integration", "started_at", "state", "milliseconds", "order"],
                name="attempt_of_integration",
            ),
            # By it a day's purchases are found, and those beside it.
            models.Index(
                fields=["integration", "answered_at"],
                name="attempt_of_day",
                condition=Q(answered_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["provider", "referans"], name="attempt_referans"),
            models.UniqueConstraint(fields=["order", "number"], name="attempt_number"),
            # Bought once: whatever the code does, no second attempt beside one that may count,
            # unless a person gave that up.
            models.UniqueConstraint(
                fields=["order"],
                condition=~Q(state__in=["refused", "given_up"]),
                name="attempt_bought_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["sending", "accepted", "refused", "unknown", "given_up"]),
                name="attempt_state_known",
            ),
            models.CheckConstraint(
                condition=Q(may_retry=False) | Q(state="refused"), name="attempt_retry_is_refused"
            ),
        ]

    def __str__(self):
        return self.referans


class CheckLoop(models.Model):
    """A lane in which orders are looked after: for when the queue holds its task, and whether it
    is running. There are as many as processes that may ask at once."""

    wake_at = models.DateTimeField(null=True)
    busy_until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self):
        return str(self.wake_at)
