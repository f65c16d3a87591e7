"""The state that the live map asks for every few seconds."""

from reservations import holds, layout
from reservations.models import Seat
from tests.reservations.factories import sell
from tests.reservations.map_pages import address, look


def test_the_state_tells_of_seats_that_are_not_free(page, event, seats, holder, colleague):
    hold_id = holds.hold(event, [seats[0].pk], by=holder)
    sale = sell(holds.hold(event, [seats[1].pk], by=colleague), seats[1:2], colleague)
    layout.block(Seat.objects.filter(pk=seats[2].pk), by=colleague, reason="دید محدود")

    told = look(page, event).json()

    until = round(Seat.objects.get(pk=seats[0].pk).locked_until.timestamp() * 1000)
    assert sorted(told["seats"]) == [
        [seats[0].pk, "locked", until, "مریم رضایی", "", hold_id.hex],
        [seats[1].pk, "reserved", None, "", sale.reference, ""],
        [seats[2].pk, "blocked", None, "", "دید محدود", ""],
    ]
    assert abs(told["now"] - until + 300_000) < 2000


def test_the_page_loads(page, event):
    assert page.get(address(event)).status_code == 200
