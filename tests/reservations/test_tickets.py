"""The tickets, as a reader of PDF, a camera and a printer see them."""

import datetime
from contextlib import ExitStack, closing
from itertools import pairwise

import pypdfium2
import pytest
import zxingcpp
from django.urls import reverse

from backoffice.persian import ZWNJ
from reservations import holds, sales, tickets
from reservations.models import Seat
from tests.reservations.factories import make_event, make_seat, sell

LONG = "همایش بین‌المللی موسیقی نواحی ایران و Philharmonic Orchestra (2026) " * 3
SCALE = 3  # pixels to a point


def reserve(seats, by, **kwargs):
    return sell(holds.hold(seats[0].event, [seat.pk for seat in seats], by=by), seats, by, **kwargs)


@pytest.fixture
def pages_of():
    """Return a function that opens the ticket of a reservation, and returns its pages."""
    with ExitStack() as opened:

        def read(reservation):
            pdf = tickets.pdf_of(reservation, reservation.seats.all())
            assert pdf.startswith(b"%PDF-")
            document = opened.enter_context(closing(pypdfium2.PdfDocument(pdf)))
            numbers = range(len(document))
            return [opened.enter_context(closing(document[number])) for number in numbers]

        yield read


def lines_of(page):
    reader = page.get_textpage()
    lines = reader.get_text_range().splitlines()
    reader.close()
    return [line.replace(ZWNJ, "").strip() for line in lines]


def boxes_of(page):
    """Return left and right of every sign on a page."""
    reader = page.get_textpage()
    boxes = [reader.get_charbox(n) for n in range(reader.count_chars())]
    reader.close()
    return [(left, right) for left, _bottom, right, _top in boxes if right > left]


def picture_of(page):
    return page.render(scale=SCALE).to_pil()


def open_ticket(browser, reservation):
    return browser.get(reverse("admin:reservations_reservation_ticket", args=[reservation.pk]))


# What is on it


def test_a_ticket_has_a_page_a_seat_that_tells_all(holder, pages_of):
    event = make_event(name="کنسرت شب یلدا", venue="تئاتر شهر")
    seats = [make_seat(event, seat_number=f"B{n}", row="B", section="همکف") for n in (7, 12)]
    reservation = reserve(seats, holder, customer="سارا احمدی")

    pages = [lines_of(page) for page in pages_of(reservation)]

    for page, number in zip(pages, ("B7", "B12"), strict=True):
        assert {"کنسرت شب یلدا", "تئاتر شهر", "همکف", "B", number, "۱٬۰۰۰٬۰۰۰"} <= set(page)
        assert {"مشتری: سارا احمدی", "فروشنده: مریم رضایی", reservation.reference} <= set(page)


def test_the_time_of_a_ticket_is_jalali_and_tehrans(holder, pages_of):
    starts_at = datetime.datetime(2026, 12, 21, 20, 45, tzinfo=datetime.UTC)
    event = make_event(seats=1, starts_at=starts_at)
    [page] = pages_of(reserve([event.seats.get()], holder))

    assert {"سهشنبه ۱ دی ۱۴۰۵", "۰۰:۱۵", "۱۴۰۵/۱۰/۰۱ ۰۰:۱۵"} <= set(lines_of(page))


def test_a_free_ticket_says_so(holder, pages_of):
    seat = make_seat()
    hold_id = holds.hold(seat.event, [seat.pk], by=holder)
    reservation = holds.confirm(hold_id, [seat.pk], by=holder, payment_method="free")

    [page] = pages_of(reservation)

    assert "رایگان" in lines_of(page)
    assert "۱٬۰۰۰٬۰۰۰" not in lines_of(page)


def test_the_qr_code_reads_as_the_reservation_code(holder, pages_of):
    seats = [make_seat(make_event(name=LONG[:200], venue=LONG[:200]))]
    reservation = reserve(seats, holder, customer=LONG[:200])

    [page] = pages_of(reservation)

    read = zxingcpp.read_barcodes(picture_of(page))
    assert [(code.text, code.format.name) for code in read] == [(reservation.reference, "QRCode")]


# How it is drawn


def test_the_words_of_a_mixed_name_stand_in_reading_order(holder, pages_of):
    event = make_event(name="شب جاز Jazz Night (Live)", seats=1)
    [page] = pages_of(reserve([event.seats.get()], holder))

    places = [place_of(page, word) for word in ("Jazz", "Night", "Live", "جاز", "شب")]
    assert places == sorted(places)


def test_a_latin_name_runs_from_the_left_with_its_brackets(holder, pages_of):
    event = make_event(name="Jazz Night (Live)", seats=1)
    [page] = pages_of(reserve([event.seats.get()], holder))

    assert lines_of(page)[0] == "Jazz Night (Live)"
    assert place_of(page, "Jazz") < place_of(page, "(") < place_of(page, "Live")


def place_of(page, word):
    """Return how far from the left the first place of a word is, in the large name of the event."""
    reader = page.get_textpage()
    index, _count = reader.search(word).get_next()
    left = min(reader.get_charbox(n)[0] for n in range(index, index + len(word)))
    reader.close()
    return left


def strokes(page):
    """Return how many parts that do not touch the name of the event has, seen from above."""
    left, top, right, bottom = (mm * SCALE * 72 / 25.4 for mm in (66, 2, 198, 36))
    name = picture_of(page).crop((left, top, right, bottom)).convert("L")
    inked = [
        any(name.getpixel((x, y)) > 128 for y in range(name.height)) for x in range(name.width)
    ]
    return sum(after and not before for before, after in pairwise([False, *inked]))


def test_letters_are_joined(holder, pages_of):
    event = make_event(name="سسسس", seats=1)
    [page] = pages_of(reserve([event.seats.get()], holder))

    assert strokes(page) == 1


def test_control_without_shaping_letters_stand_apart(holder, pages_of, monkeypatch):
    monkeypatch.setattr(tickets.Ticket, "set_text_shaping", lambda *_args, **_kwargs: None)
    event = make_event(name="سسسس", seats=1)
    [page] = pages_of(reserve([event.seats.get()], holder))

    assert strokes(page) == 4


def test_the_longest_names_stay_inside_the_page(holder, pages_of):
    event = make_event(name=LONG[:200], venue="ف" * 200)
    seat = make_seat(event, seat_number="W" * 20, section="W" * 60, row="W" * 10, price=10**15)
    holder.first_name = "م" * 150
    reservation = reserve([seat], holder, customer="W" * 200)

    [page] = pages_of(reservation)

    width = page.get_width()
    assert all(left >= 0 and right <= width for left, right in boxes_of(page))
    assert "…" in "".join(lines_of(page))


def test_what_does_not_fit_is_cut_short_within_its_own_box():
    ticket = tickets.Ticket()
    ticket.add_page()
    ticket.set_font("vazirmatn", "")

    for text in ("ف" * 300, "واژه " * 300, "W" * 300):
        found = ticket._fit(text.strip(), 50, 8, 12, 2)
        assert len(found) <= 2
        assert all(ticket.get_string_width(line) <= 50 for line in found)


# Its address


def test_the_ticket_opens_in_the_browser_and_is_stored_nowhere(page, holder, seats, give):
    give(holder, "view_reservation")
    reservation = reserve(seats[:2], holder)

    answer = open_ticket(page, reservation)

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    name = f"ticket-{reservation.reference}.pdf"
    assert answer["Content-Disposition"] == f'inline; filename="{name}"'
    assert "no-store" in answer["Cache-Control"]
    with closing(pypdfium2.PdfDocument(answer.content)) as document:
        assert len(document) == 2


def test_a_cancelled_reservation_gives_words_and_no_ticket(page, holder, seats, give):
    give(holder, "view_reservation")
    reservation = reserve(seats[:1], holder)
    sales.cancel(reservation.pk, by=holder, reason="x")

    answer = page.get(
        reverse("admin:reservations_reservation_ticket", args=[reservation.pk]), follow=True
    )

    assert "لغو شده است" in " ".join(map(str, answer.context["messages"]))
    assert answer.templates


def test_a_ticket_is_for_who_may_see_reservations(page, holder, seats):
    reservation = reserve(seats[:1], holder)

    assert open_ticket(page, reservation).status_code == 403


def test_there_is_no_ticket_of_what_does_not_exist_and_none_is_posted(client, admin_user):
    client.force_login(admin_user)
    address = reverse("admin:reservations_reservation_ticket", args=[10**9])

    assert client.get(address).status_code == 404
    assert client.post(address).status_code == 405


def test_a_ticket_of_many_seats_takes_as_many_queries_as_one(
    client, admin_user, django_assert_num_queries
):
    client.force_login(admin_user)
    for count in (1, 4):
        event = make_event(seats=count)
        reservation = reserve(list(Seat.objects.filter(event=event)), admin_user)
        with django_assert_num_queries(4):  # two of them are the login's
            open_ticket(client, reservation)
