"""What the page of the live map asks the server, through HTTP as its scripts send it."""

from reservations.models import Seat
from tests.reservations.factories import state_of
from tests.reservations.map_pages import ask, keys


def test_a_hold_is_answered_with_its_token_its_seats_and_its_time(page, event, seats):
    response = ask(page, event, "hold", seats=keys(seats[:2]))

    answer = response.json()
    held = Seat.objects.filter(hold_id=answer["hold_id"])
    assert response.status_code == 200
    assert answer["seats"] == keys(held.order_by("pk")) == keys(seats[:2])
    assert 298 <= answer["seconds_left"] <= 300
    assert "۲ صندلی" in answer["message"]
    assert state_of(seats[2]) == "available"
