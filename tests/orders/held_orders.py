"""Orders that need a person, of every kind: made by the functions that hold them, without a call.

Where time would pass, or an account be changed, columns are written.
"""

from decimal import Decimal

from orders import answers, dispatch, limits, looks, settling
from orders.batches import claim_due
from orders.models import OrderAttempt, ProductOrder, ProviderIntegration
from tests.orders.factories import (
    as_it_is,
    due,
    make_integration,
    make_order,
    make_package,
    make_user_of_desk,
)

LONG_AGO = "2020-01-01T00:00:00Z"
PIN = "KEPT-1111-2222-3333"
TOLD = {
    "outcome": "accepted",
    "retryable": False,
    "answer": "OK|10.12|980.88",
    "reason": "",
    "cost": Decimal("10.12"),
    "request": "GET /servis/pin_ekle.php?kod=***&sifre=***&oyun=187&kupur=100&referans=1",
    "milliseconds": 120,
}
REFUSAL = {"outcome": "refused", "answer": "3|Kupur yok", "reason": "Kupur yok", "cost": None}


def make_ways(price=50):
    """A package that two providers deliver."""
    return make_package(make_integration(), make_integration(), price=price, name="بسته")


def sent(package, **told):
    """An order that was sent, and answered so."""
    order = make_order(package)
    sending = dispatch.begin(order.pk)
    dispatch.settle(sending, dispatch.NOT_CALLED | TOLD | told)
    return order


def asked(order, status="", **columns):
    """Have an order's provider tell its status, or nothing at all."""
    due(order, **columns)
    claimed = claim_due(ProductOrder.objects.asked().filter(pk=order.pk), 1)
    answers.settle([(each, said(status)) for each in claimed])
    return order


def said(status):
    """What a provider answers about an order; '' where it does not answer."""
    if not status:
        return answers.no_answer("ReadTimeout")
    pin = PIN if status == "completed" else ""
    heard = {"outcome": "answered", "status": status, "pinCode": pin, "answer": "OK|2|***|"}
    asked_for = "GET /servis/pin_kontrol.php?kod=***&sifre=***"
    return answers.no_answer("") | heard | {"request": asked_for}


def looked_at(order, status):
    """Have a look at what was given up of an order, or bought of one that has ended."""
    OrderAttempt.objects.filter(order=order).update(next_look_at=LONG_AGO)
    for look in looks._take():
        looks.settle(look, said(status))
    return order


def decided(order, decide, **typed):
    seen = settling.version(settling.with_version(ProductOrder.objects.all()).get(pk=order.pk))
    decide(order.pk, seen=seen, reason="پیش از این", by=make_user_of_desk(), **typed)
    return order


def unknown(package):
    return sent(package, outcome="unknown", answer="", cost=None)


def timeout(package):
    return asked(sent(package), "processing", sent_at=LONG_AGO)


def never_known(package):
    return asked(unknown(package), "", sent_at=LONG_AGO)


def never_sent(package):
    order = make_order(package)
    ProductOrder.objects.filter(pk=order.pk).update(created_at=LONG_AGO)
    dispatch.begin(order.pk)
    return order


def refused(package):
    order = sent(package, **REFUSAL)
    for _way in package.routings.all()[1:]:
        dispatch.settle(dispatch.begin(order.pk), dispatch.NOT_CALLED | TOLD | REFUSAL)
    return order


def no_route(package):
    order = make_order(make_package(name="بسته"))
    dispatch.begin(order.pk)
    return order


def misconfigured(package):
    order = make_order(package)
    accounts = ProviderIntegration.objects.filter(routings__package=package)
    before = dict(accounts.values_list("pk", "credentials"))
    accounts.update(credentials="")
    dispatch.begin(order.pk)
    for pk, credentials in before.items():
        ProviderIntegration.objects.filter(pk=pk).update(credentials=credentials)
    return order


def low_balance(package):
    order = make_order(package)
    accounts = ProviderIntegration.objects.filter(routings__package=package)
    accounts.update(low_balance=100)
    limits.read()  # which makes their states
    for account in accounts:
        limits.remember_balance(account.pk, Decimal(5))
    dispatch.begin(order.pk)
    accounts.update(low_balance=None)
    return order


def cost_above_price(package):
    order = make_order(package)
    ProductOrder.objects.filter(pk=order.pk).update(price=5)
    for way in package.routings.all():
        limits.remember_cost(package.pk, way.integration_id, Decimal("10.12"))
    dispatch.begin(order.pk)
    return order


def late_success(package):
    return asked(timeout(package), "completed")


# Held by an incident alone, or by one beside a reason


def cost_more(package):
    order = make_order(package)
    sending = dispatch.begin(order.pk)
    sending.order.price = Decimal(5)
    dispatch.settle(sending, dispatch.NOT_CALLED | TOLD)
    return order


def delivered_twice(package):
    order = decided(unknown(package), settling.deliver, pin="TYPED-4444-5555")
    return looked_at(order, "completed")


def went_back(package):
    return looked_at(asked(sent(package), "completed"), "cancelled")


def refunded_and_delivered(package):
    order = decided(unknown(package), settling.refund, amount=Decimal(50))
    return looked_at(order, "completed")


def elsewhere_and_delivered(package):
    way = package.routings.last()
    order = decided(unknown(package), settling.send_elsewhere, integration_id=way.integration_id)
    sending = dispatch.begin(order.pk)
    dispatch.settle(sending, dispatch.NOT_CALLED | TOLD)
    return looked_at(order, "completed")


REASONS = [
    unknown,
    timeout,
    never_known,
    never_sent,
    refused,
    no_route,
    misconfigured,
    low_balance,
    cost_above_price,
    late_success,
]
INCIDENTS = [cost_more, delivered_twice, went_back]
MIXED = [refunded_and_delivered, elsewhere_and_delivered]
KINDS = [*REASONS, *INCIDENTS, *MIXED]


def make_held(count, package=None):
    """So many held orders, of each kind in turn, of one package but where its kind forbids it."""
    package = package or make_ways()
    # Before the costs that hold others back are known.
    kinds = sorted(
        (KINDS[number % len(KINDS)] for number in range(count)),
        key=lambda kind: kind in (low_balance, cost_above_price),
    )
    orders = [as_it_is(kind(package)) for kind in kinds]
    limits.IntegrationState.objects.update(balance=None)
    return orders
