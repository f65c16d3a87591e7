"""The API of a tenant's shop: take an order, tell what became of it, list what there is.

Nothing is known here but the orders of the tenant whose key came with the request.
"""

import uuid
from datetime import UTC

from django.core.exceptions import ValidationError
from django.http import JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from orders import shop
from orders.api_access import Refused, resource
from orders.api_content import idempotency_key_of, invalid, wanted_of
from orders.models import OPEN, ReviewReason, Status
from orders.states import PERHAPS_THERE

A_PAGE = 100
FIELDS = {"product": "productId", "package": "packageId", "extra_field": "extraField"}


def take(request, token):
    """Take an order; the same Idempotency-Key gives the first answer again, byte for byte."""
    key, wanted = idempotency_key_of(request), wanted_of(request)
    try:
        order, is_new = shop.take(wanted, token, key=key)
    except shop.KeyReused:
        text = _t("This Idempotency-Key came with other content before.")
        raise Refused(422, "idempotency_key_reused", text) from None
    except ValidationError as problem:
        fields = problem.error_dict.items()
        raise invalid({FIELDS[name]: errors[0] for name, errors in fields}) from None
    # Of the order only what never changes: codes and states of it may be others by now.
    answer = {
        "id": str(order.public_id),
        "status": Status.PENDING,
        "productId": wanted.product,
        "packageId": wanted.package,
        "userIdentifier": order.user_identifier,
        "extraField": order.extra_field,
        "price": str(order.price),
        "createdAt": instant(order.created_at),
    }
    headers = {"Location": reverse("api-order", args=[order.public_id])}
    if not is_new:
        headers["Idempotent-Replayed"] = "true"
    return JsonResponse(answer, status=201, headers=headers)


def show(request, token, public_id):
    """Tell all of an order, with its PIN once it is done."""
    order = _find(token, public_id)
    if order is None:
        raise Refused(404, "unknown_order", _t("There is no such order."))
    pin = shop.hand_out_pin(order, token)
    return JsonResponse(described(order) | {"pinCode": pin or None})


def listing(request, token):
    """List the newest orders, of one state where that is asked, or those before another order."""
    _refuse_strange(request.GET)
    rows = shop.orders_of(token.tenant)
    status, after = request.GET.get("status"), request.GET.get("after")
    if status is not None:
        if status not in Status.values:
            text = _("Known are: %(states)s.")
            states = {"states": ", ".join(Status.values)}
            raise invalid({"status": ValidationError(text, code="unknown_status", params=states)})
        rows = rows.filter(external_status=status)
    if after is not None:
        last = _find(token, after)
        if last is None:
            text = _("There is no such order.")
            raise invalid({"after": ValidationError(text, code="unknown_order")})
        rows = rows.filter(pk__lt=last.pk)
    found = list(rows[: A_PAGE + 1])
    page = found[:A_PAGE]
    following = str(page[-1].public_id) if len(found) > A_PAGE else None
    return JsonResponse({"orders": [described(order) for order in page], "next": following})


def _refuse_strange(question):
    """Refuse names that a list is not asked by, and one that comes twice.

    A misspelled one would list what nobody asked for, and of two one would be passed over.
    """
    no_field = ValidationError(_("There is no such field."), code="unknown_field")
    twice = ValidationError(_("This may be given once."), code="repeated")
    problems = dict.fromkeys(sorted(set(question) - {"status", "after"}), no_field)
    problems |= {name: twice for name, values in question.lists() if len(values) > 1}
    if problems:
        raise invalid(problems)


def described(order):
    """Return what a shop may know of its order, but for the PIN."""
    return {
        "id": str(order.public_id),
        "status": order.external_status,
        "productId": order.package.product.code,
        "packageId": order.package.code,
        "userIdentifier": order.user_identifier,
        "extraField": order.extra_field,
        "price": str(order.price),
        # Words of ours in the asker's language, those of a provider as they came.
        "message": _t(order.provider_message) if _is_about_it(order) else "",
        "createdAt": instant(order.created_at),
        "sentAt": instant(order.sent_at),
        "lastCheckedAt": instant(order.last_sync_at),
        "completedAt": instant(order.completed_at),
    }


def _is_about_it(order):
    """Whether there are words about the order; until it ends they may be about our account."""
    late = (*PERHAPS_THERE, ReviewReason.NEVER_SENT)
    open_or_late = order.external_status in OPEN or order.review_reason in late
    return order.provider_message and not open_or_late


def instant(value):
    """Return a time as programs read it, in ISO 8601 and UTC; None for None."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _find(token, public_id):
    try:
        number = uuid.UUID(public_id)
    except ValueError:
        return None
    return shop.orders_of(token.tenant).filter(public_id=number).first()


orders = resource(GET=listing, POST=take)
order = resource(GET=show)
