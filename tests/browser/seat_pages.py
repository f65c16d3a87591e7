"""What people do at the live map of an event, in a real browser."""

from django.urls import reverse

from reservations.models import Seat
from tests.reservations.factories import make_event


def make_hall(*, rows=2, columns=10):
    """Return an event with rows A, B, ... of free seats."""
    event = make_event(name="کنسرت شب یلدا")
    Seat.objects.bulk_create(
        Seat(
            event=event,
            seat_number=f"{chr(64 + row)}{place}" if rows < 27 else f"{row}-{place}",
            section="همکف",
            row=chr(64 + row) if rows < 27 else str(row),
            row_position=row,
            position=place,
            price=1_000_000,
        )
        for row in range(1, rows + 1)
        for place in range(1, columns + 1)
    )
    return event


def open_map(page, event):
    """Open the map, and wait until it knows the state of the seats; return the page."""
    page.goto(reverse("admin:reservations_event_map", args=[event.pk]))
    page.wait_for_selector("#seat-map-fresh:not(:empty)")
    return page


def look_again(page):
    """Let the page notice that somebody looks at it again, so that it asks at once."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def sees(page, numbers, state):
    """Wait until the map shows seats in a state: free, chosen, mine, held, reserved or blocked."""
    for number in numbers.split():
        seat = f".seat[data-state={state}][aria-label^='{number}،']"
        page.wait_for_selector(seat, state="attached")


def choose(page, numbers):
    for number in numbers.split():
        page.click(f".seat[aria-label^='{number}،']")


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def told(page, words):
    """Wait until the page answers something, for eyes and for a screen reader."""
    page.locator("#seat-map-answer").get_by_text(words).first.wait_for()
    assert words in page.inner_text("#seat-map-says")


def no_answers(page):
    """Let the page ask for the state of the seats in vain."""
    page.route("**/map/state/", lambda route: route.abort())
