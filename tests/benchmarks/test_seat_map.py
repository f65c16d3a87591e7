"""What maps cost that are open all day, beside a view that does nothing for the same person."""

import threading
import time
from datetime import timedelta
from random import Random
from types import ModuleType
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.http import HttpResponse
from django.urls import path

from backoffice import json_api
from backoffice.clock import database_now
from reservations import best_seats, map_endpoints
from reservations.models import Reservation, Seat
from tests.benchmarks.ratios import median_ratio, seconds
from tests.reservations.factories import make_event
from tests.reservations.map_pages import address, look
from tests.reservations.web import WebServer

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]
ROWS, PLACES = 40, 50
LOOKS = 40
MAPS, EVERY, LASTING = 100, 3, 30  # seconds


@pytest.fixture
def clerk(make_user):
    return make_user("clerk", "reservations.view_seat", "reservations.hold_seat")


@pytest.fixture
def hall(clerk):
    """Two thousand seats: 400 are reserved, 240 held, 160 blocked."""
    event = make_event()
    Seat.objects.bulk_create(
        [
            Seat(
                event=event,
                seat_number=f"{row}-{place}",
                row=str(row),
                row_position=row,
                position=place,
                price=1_000_000,
            )
            for row in range(1, ROWS + 1)
            for place in range(1, PLACES + 1)
        ],
        batch_size=500,
    )
    for row in range(1, 9):
        sale = Reservation.objects.create(event=event, price=1, cashier_name="x", hold_id=uuid4())
        event.seats.filter(row_position=row).update(status="reserved", reservation=sale)
    for row in range(9, 29):
        event.seats.filter(row_position=row, position__lte=12).update(
            status="locked",
            locked_until=database_now() + timedelta(hours=1),
            held_since=database_now(),
            locked_by=clerk if row < 11 else None,
            locked_by_name="علی کریمی",
            hold_id=uuid4(),
        )
    event.seats.filter(row_position__gte=37, position__lte=40).update(
        blocked=True, block_reason="دید محدود"
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE reservations_seat")
    assert event.seats.count() - event.seats.free().count() == 800
    return event


def milliseconds(times, share):
    return sorted(times)[round(share * (len(times) - 1))] * 1000


def tell(name, times):
    print(
        f"\n{connection.vendor}: {name}: p50 {milliseconds(times, 0.5):.1f}, "
        f"p95 {milliseconds(times, 0.95):.1f}, p99 {milliseconds(times, 0.99):.1f} ms "
        f"({len(times)} times)"
    )


@pytest.fixture
def empty(monkeypatch, settings, hall):
    """The address, beside that of the state, of a view that only looks who asks."""

    @json_api.endpoint("reservations.view_seat", method="GET")
    def nothing(request, pk):
        return HttpResponse(status=304)

    monkeypatch.setitem(map_endpoints.ENDPOINTS, "nothing", nothing)
    settings.ROOT_URLCONF = ModuleType("addresses")
    settings.ROOT_URLCONF.urlpatterns = [path("admin/", admin.site.urls)]
    return address(hall, "nothing")


def test_an_unchanged_map_beside_an_empty_view(client, clerk, hall, empty):
    client.force_login(clerk)
    etag = look(client, hall)["ETag"]

    def look_often():
        for _look in range(LOOKS):
            assert look(client, hall, etag).status_code == 304

    def ask_for_nothing():
        for _look in range(LOOKS):
            assert client.get(empty, headers={"If-None-Match": etag}).status_code == 304

    look_often()
    ask_for_nothing()
    name = f"{connection.vendor}: an unchanged map, to an empty view of the same person"
    assert median_ratio(name, look_often, ask_for_nothing, rounds=15) <= 1.5


def test_a_changed_map_and_the_page(client, clerk, hall):
    client.force_login(clerk)
    for name, ask in (
        ("the whole state of a map", lambda: look(client, hall)),
        ("the page of a map", lambda: client.get(address(hall))),
        ("choosing the best seats", lambda: best_seats.choose(best_seats.places_of(hall), 4)),
    ):
        ask()
        tell(name, [seconds(ask) for _time in range(20)])


def test_a_hundred_open_maps(clerk, hall, tmp_path):
    """Each asks every three seconds, from its own moment on, over a connection of its own."""
    times, codes = [], []
    with WebServer(tmp_path / "web.txt") as server:
        maps = [server.cashier(clerk, hall) for _map in range(MAPS)]
        starts = [Random(number).random() * EVERY for number in range(MAPS)]
        begun = time.monotonic() + 1

        def keep_open(cashier, start):
            cashier.look()
            for turn in range(LASTING // EVERY):
                time.sleep(max(begun + start + turn * EVERY - time.monotonic(), 0))
                answer = cashier.look()
                times.append(answer.seconds)
                codes.append(answer.status)
            cashier.close()

        threads = [
            threading.Thread(target=keep_open, args=pair) for pair in zip(maps, starts, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    tell(f"{MAPS} maps that ask every {EVERY} s", times)
    assert codes == [304] * (MAPS * LASTING // EVERY)
    assert milliseconds(times, 0.95) <= 30
