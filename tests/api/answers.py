"""How each answer comes about that the description gives an example of.

``ANSWERS`` holds by operation, status and name of the example a function of the ``World``, which
returns what was asked and the answer.
"""

from contextlib import contextmanager
from datetime import timedelta

from django.db import OperationalError, connection
from django.test import override_settings
from django.utils import timezone

from orders.models import Product, Status
from reservations import holds
from tests.api.world import (
    ALIVE,
    DESCRIBE,
    LIST,
    METRICS,
    NOW,
    OF_MONITORING,
    OF_SHOPS,
    RELEASE,
    SHOW,
    TAKE,
)
from tests.orders.factories import make_integration
from tests.orders.shops import done
from tests.reservations.factories import let_run_out, make_event

KEY = {"Idempotency-Key": "cart-1001"}
TIMES = {
    "created_at": "2026-11-23T08:15:00.123Z",
    "sent_at": "2026-11-23T08:15:00.480Z",
    "last_sync_at": "2026-11-23T08:16:01.072Z",
}
FINISHED = done("2026-11-23T08:16:01.072Z", pin="XXXX-EXAMPLE-0001", **TIMES)


@contextmanager
def failing(table, problem):
    """Let every statement fail that reads or writes a table."""

    def fail(execute, sql, params, many, context):
        if table in sql:
            raise problem
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail):
        yield


# Taking an order


def taken(world):
    return world.take(KEY)


def taken_before(world):
    world.take(KEY)
    return world.take(KEY)


def json_invalid(world):
    return world.ask(TAKE, headers={"Content-Type": "application/json"}, data=b"{")


def idempotency_key_invalid(world):
    return world.take({"Idempotency-Key": "with a blank"})


def every_field(world):
    wrong = {"productId": " ", "packageId": 60, "userIdentifier": "x" * 101}
    return world.take(**wrong, extraField="a\nb", quantity="2")


def unknown_product(world):
    return world.take(productId="nothing")


def unknown_package(world):
    return world.take(packageId="nothing")


def not_on_sale(world):
    Product.objects.update(is_active=False)
    return world.take()


def extra_field_needed(world):
    return world.ask(TAKE, body=world.example(TAKE, "gift_card") | {"extraField": ""})


def too_large(world):
    return world.take(extraField="x" * 20_000)


def json_needed(world):
    return world.ask(TAKE, headers={"Content-Type": "text/plain"}, data=b"productId=pubg")


def idempotency_key_reused(world):
    world.take(KEY)
    return world.take(KEY, userIdentifier="somebody else")


# Listing and showing


def last_page(world):
    world.has(**FINISHED)
    return world.ask(LIST, query={"status": "completed"})


def completed(world):
    return world.show(**FINISHED)


def pending(world):
    return world.show()


def cancelled(world):
    ended = {"external_status": Status.CANCELLED, "next_check_at": None}
    return world.show(provider_message="Player not found", **ended, **TIMES)


# What every address of a shop, or of the monitoring, answers


def asked(label, **parts):
    return lambda world: world.ask(label, **parts)


def without_token(label):
    return asked(label, headers={"Authorization": None})


def with_wrong_token(label):
    return asked(label, headers={"Authorization": "Bearer shop_nobodys"})


def too_often(label):
    def ask(world):
        with override_settings(ORDER_API_CALLS_A_MINUTE=0):
            return world.ask(label)

    return ask


def with_fault(label):
    def ask(world):
        parts = {"body": world.example(TAKE, "top_up"), "headers": KEY} if label == TAKE else {}
        with failing("orders_productorder", RuntimeError("a fault")):
            return world.ask(label, **parts)

    return ask


def without_database(label):
    def ask(world):
        with failing("", OperationalError("no answer")):
            return world.ask(label)

    return ask


# Figures


def busy(world):
    world.has(**FINISHED)
    world.has(next_check_at=timezone.now() + timedelta(minutes=5))
    world.has(
        external_status=Status.SENT,
        integration=make_integration(),
        provider_referans="1",
        outcome_unknown=True,
        review_reason="unknown",
        next_check_at=timezone.now() - timedelta(minutes=30),
        sent_at=timezone.now() - timedelta(minutes=31),
    )
    return world.ask(NOW)


def figures(world):
    world.has()
    return world.ask(METRICS)


# Freeing seats


def two_released(world):
    event = make_event(seats=2)
    holds.hold(event, [seat.pk for seat in event.seats.all()], by=world.staff["clerk"])
    let_run_out()
    return world.ask(RELEASE)


def nobody(world):
    return world.ask(RELEASE, by=None)


def no_right(world):
    return world.ask(RELEASE, by="colleague")


def thirty_first(world):
    for _call in range(30):
        world.ask(RELEASE)
    return world.ask(RELEASE)


def fault_of_seats(world):
    with failing("reservations_seat", RuntimeError("a fault")):
        return world.ask(RELEASE)


# The description


def the_same_again(world):
    _case, first = world.ask(DESCRIBE)
    return world.ask(DESCRIBE, headers={"If-None-Match": first.headers["etag"][0]})


ANSWERS = {
    (TAKE, 201, "taken"): taken,
    (TAKE, 201, "taken_before"): taken_before,
    (TAKE, 400, "json_invalid"): json_invalid,
    (TAKE, 400, "idempotency_key_invalid"): idempotency_key_invalid,
    (TAKE, 400, "every_field"): every_field,
    (TAKE, 400, "unknown_product"): unknown_product,
    (TAKE, 400, "unknown_package"): unknown_package,
    (TAKE, 400, "not_on_sale"): not_on_sale,
    (TAKE, 400, "extra_field_needed"): extra_field_needed,
    (TAKE, 413, "too_large"): too_large,
    (TAKE, 415, "json_needed"): json_needed,
    (TAKE, 422, "idempotency_key_reused"): idempotency_key_reused,
    (LIST, 200, "last_page"): last_page,
    (LIST, 200, "nothing"): asked(LIST),
    (LIST, 400, "unknown_status"): asked(LIST, query={"status": "open"}),
    (LIST, 400, "unknown_order"): asked(LIST, query={"after": "0" * 32}),
    (LIST, 400, "unknown_field"): asked(LIST, query={"staus": "completed"}),
    (LIST, 400, "repeated"): asked(LIST, query={"status": ["sent", "completed"]}),
    (SHOW, 200, "completed"): completed,
    (SHOW, 200, "pending"): pending,
    (SHOW, 200, "cancelled"): cancelled,
    (SHOW, 404, "unknown_order"): asked(SHOW),
    (NOW, 200, "busy"): busy,
    (NOW, 200, "quiet"): asked(NOW),
    (METRICS, 200, "figures"): figures,
    (ALIVE, 200, "alive"): asked(ALIVE),
    (ALIVE, 503, "no_database"): without_database(ALIVE),
    (DESCRIBE, 200, ""): asked(DESCRIBE),
    (DESCRIBE, 304, ""): the_same_again,
    (RELEASE, 200, "two_released"): two_released,
    (RELEASE, 200, "none_released"): asked(RELEASE),
    (RELEASE, 401, "nobody"): nobody,
    (RELEASE, 403, "no_right"): no_right,
    (RELEASE, 403, "no_form"): asked(RELEASE, headers={"X-CSRFToken": None}),
    (RELEASE, 429, "too_many"): thirty_first,
    (RELEASE, 500, "fault"): fault_of_seats,
}
for operation in OF_SHOPS:
    ANSWERS[operation, 401, "token_needed"] = without_token(operation)
    ANSWERS[operation, 401, "token_invalid"] = with_wrong_token(operation)
    ANSWERS[operation, 429, "too_many_requests"] = too_often(operation)
    ANSWERS[operation, 500, "server_error"] = with_fault(operation)
for operation in OF_MONITORING:
    ANSWERS[operation, 401, "no_token"] = without_token(operation)
    ANSWERS[operation, 401, "wrong_token"] = with_wrong_token(operation)
    ANSWERS[operation, 503, "no_database"] = without_database(operation)
