"""The page that brings the plan of an event, through HTTP as a browser sends it."""

import json
import re
import time

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.audit import LockEvent
from backoffice.import_storage import ImportUpload
from reservations import holds
from reservations.models import Seat
from tests.forms import form_fields
from tests.latin import ascii_numbers, latin_phrases
from tests.reservations.factories import claim_of, let_run_out, make_event, sell
from tests.reservations.pages import said

FILE = "seat_number,row,position,price\nA1,A,1,1000000\nA2,A,2,5\nB1,B,1,7\n"
IMPORT = ("view_event", "import_seat", "delete_seat")


@pytest.fixture
def clerk(client, supervisor, give):
    """Return the browser of somebody who may bring plans."""
    give(supervisor, "import_seat", "delete_seat", "export_seat")
    client.force_login(supervisor)
    return client


def address(event, name="plan", *args):
    return reverse(f"admin:reservations_event_{name}", args=[event.pk, *args])


def preview(browser, event, data, *, name="hall.csv", **fields):
    data = data.encode() if isinstance(data, str) else data
    return browser.post(address(event), {"file": SimpleUploadedFile(name, data), **fields})


def confirm(browser, event, asked):
    fields = form_fields(asked.content.decode(), "plan-confirm")
    return browser.post(address(event), fields, follow=True)


def numbers(event):
    return list(event.seats.order_by("natural_number").values_list("seat_number", flat=True))


def test_a_preview_shows_what_would_happen_and_stores_nothing(clerk, event, seats, holder):
    holds.hold(event, [seats[1].pk], by=holder)
    before = list(Seat.objects.order_by("pk").values())

    page = preview(clerk, event, FILE, removes="on")

    difference = page.context["difference"]
    assert [seat.seat_number for seat in difference.added] == ["B1"]
    assert [seat.seat_number for seat in difference.removed] == ["A3"]
    [(change, words)] = page.context["keeps_price"]
    assert change.columns == {"price": (10**6, 5)} and "مریم رضایی" in words
    assert list(Seat.objects.order_by("pk").values()) == before
    assert not LockEvent.objects.filter(action="imported").exists()


def test_a_change_is_shown_field_by_field_with_its_old_and_new_value(clerk, event, seats):
    page = preview(clerk, event, "seat_number,section,price\nA1,بالکن,5\n")

    [(number, cells)] = page.context["changes"]
    assert (number, cells) == ("A1", [("بخش", "", "بالکن"), ("بها", "۱٬۰۰۰٬۰۰۰", "۵")])
    assert "<del><bdi>۱٬۰۰۰٬۰۰۰</bdi></del> <ins><bdi>۵</bdi></ins>" in page.text


def test_a_confirmed_file_is_done_once_and_said(clerk, event, seats, supervisor):
    asked = preview(clerk, event, FILE, removes="on")

    told = said(confirm(clerk, event, asked))
    again = said(confirm(clerk, event, asked))

    assert "۱ صندلی افزوده شد" in told and "۱ صندلی تغییر کرد" in told and "۱ صندلی حذف شد" in told
    assert "پیش‌تر تأیید شده" in again
    assert numbers(event) == ["A1", "A2", "B1"]
    [line] = LockEvent.objects.filter(action="imported")
    assert (line.actor_id, "hall.csv · " in line.reason) == (supervisor.pk, True)
    assert re.search("[0-9a-f]{12}$", line.reason)
    assert not ImportUpload.objects.exists()


def test_the_same_file_again_says_that_there_is_nothing_to_do(clerk, event, seats):
    confirm(clerk, event, preview(clerk, event, FILE, removes="on"))

    page = preview(clerk, event, FILE, removes="on")

    assert "کاری برای انجام نیست" in page.text
    assert 'id="plan-confirm"' not in page.text
    assert not ImportUpload.objects.exists()


def test_a_seat_taken_before_the_confirmation_is_kept_and_said(clerk, event, seats, colleague):
    asked = preview(clerk, event, FILE, removes="on")
    holds.hold(event, [seats[2].pk], by=colleague)

    told = said(confirm(clerk, event, asked))

    assert "صندلی A3: نزد علی کریمی" in told
    assert "حذف شد" not in told
    assert claim_of(seats[2])["status"] == "locked"


def test_nothing_is_reported_as_done_that_was_not(clerk, event, seats):
    asked = preview(clerk, event, "seat_number,price\nA1,5\n")
    Seat.objects.filter(pk=seats[0].pk).update(price=9)

    told = said(confirm(clerk, event, asked))

    assert "صندلی A1 در این میان تغییر کرده است" in told and "تغییر کرد." not in told
    assert event.seats.get(seat_number="A1").price == 9
    assert not LockEvent.objects.exists()


def test_kept_seats_are_named_with_why(clerk, event, seats, holder, supervisor):
    from reservations import layout

    holds.hold(event, [seats[0].pk], by=holder)
    sold = sell(holds.hold(event, [seats[1].pk], by=holder), seats[1:2], holder)
    layout.block(event.seats.filter(pk=seats[2].pk), by=supervisor, reason="دوربین")

    page = preview(clerk, event, "seat_number\nB1\n", removes="on")

    words = [words for _seat, words in page.context["kept"]]
    assert "مریم رضایی" in words[0] and sold.reference in words[1] and "دوربین" in words[2]


def test_all_errors_are_shown_at_once_and_nothing_waits(clerk, event):
    page = preview(clerk, event, "seat_number,price\nB1,گران\nVIP,5\n")

    assert len(page.context["problems"]) == 2
    assert "VIP" in page.context["problems"][1]
    assert 'id="plan-confirm"' not in page.text
    assert not ImportUpload.objects.exists()


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("hall.pdf", b"%PDF-", "خواندنی نیست"),
        ("hall.csv", b"", "خالی"),
        ("hall.json", b"{", "خراب"),
        ("hall.json", b" " * 2000, "بزرگ"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(clerk, event, settings, name, data, words):
    settings.IMPORT_MAXIMUM_BYTES = 1000

    page = preview(clerk, event, data, name=name)

    assert page.status_code == 200
    assert words in page.text
    assert numbers(event) == ["A1", "A2", "A3"]


def test_json_and_cp1256_come_in_by_the_same_page(clerk, event):
    rows = json.dumps({"rows": [{"row": "D", "price": 7, "seats": ["D1", "D2"]}]})

    confirm(clerk, event, preview(clerk, event, rows, name="hall.JSON"))
    page = preview(clerk, event, "seat_number,section\nD1,بالكن\n".encode("cp1256"))

    assert numbers(event) == ["A1", "A2", "A3", "D1", "D2"]
    assert "cp1256" in page.text


def test_what_is_doubtful_is_noticed(clerk, event):
    page = preview(clerk, event, "seat_number,row,position\nB1,B,1\nB2,B,1\n")

    assert [("بها ندارد" in line, "یک جا" in line) for line in page.context["notices"]] == [
        (True, False),
        (False, True),
    ]


# Who may


@pytest.mark.parametrize("name, args", [("plan", ()), ("plan_sample", ("csv",))])
def test_who_may_not_import_seats_does_not_see_the_page(page, event, name, args):
    assert page.get(address(event, name, *args)).status_code == 403
    assert preview(page, event, FILE).status_code == 403
    assert numbers(event) == ["A1", "A2", "A3"]


def test_who_may_not_delete_seats_removes_none(page, holder, give, event):
    give(holder, "import_seat")
    assert "removes" not in page.get(address(event)).context["form"].fields

    asked = preview(page, event, FILE, removes="on")
    confirm(page, event, asked)

    assert numbers(event) == ["A1", "A2", "A3", "B1"]


def test_a_file_is_confirmed_by_who_brought_it_and_for_its_event(
    clerk, event, seats, client, make_user
):
    key = preview(clerk, event, FILE).context["key"]
    other = make_event(seats=1)
    assert "پیش‌تر" in said(clerk.post(address(other), {"key": key}, follow=True))
    rights = [f"reservations.{name}" for name in IMPORT]
    client.force_login(make_user("thief", *rights))
    assert "پیش‌تر" in said(client.post(address(event), {"key": key}, follow=True))
    for none in ("x", "", "\0", "x" * 5000):
        assert "پیش‌تر" in said(client.post(address(event), {"key": none}, follow=True))

    assert (numbers(event), numbers(other)) == (["A1", "A2", "A3"], ["A1"])
    assert ImportUpload.objects.filter(key=key).exists()


def test_a_file_of_another_page_is_not_taken_for_a_plan(clerk, event):
    stored = ImportUpload.objects.create(data=b"code,name\n1,2\n")

    assert "پیش‌تر" in said(clerk.post(address(event), {"key": stored.key}, follow=True))

    assert ImportUpload.objects.filter(key=stored.key).exists()


# Out


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_exported_plan_brought_again_changes_nothing(clerk, event, kind, holder):
    holds.hold(event, [event.seats.first().pk], by=holder)
    let_run_out()
    file = clerk.get(address(event, "plan_export", kind))
    assert file.headers["Content-Disposition"].endswith(f'.{kind}"')

    page = preview(clerk, event, file.content, name=f"hall.{kind}", removes="on")

    assert page.context["difference"].unchanged == 3
    assert page.context["key"] == ""


def test_the_table_goes_out_with_persian_headings_in_natural_order(clerk):
    event = make_event(seats=10)
    event.seats.update(row_position=1, position=1)

    text = clerk.get(address(event, "plan_export", "csv")).content.decode("utf-8-sig")

    lines = text.splitlines()
    assert lines[0] == "شماره صندلی,بخش,ردیف,جای ردیف,جای در ردیف,بها,دسترس‌پذیر"
    assert [line.split(",")[0] for line in lines[1:]] == [f"A{n}" for n in range(1, 11)]


def test_who_may_not_export_seats_gets_no_file(page, event):
    assert page.get(address(event, "plan_export", "csv")).status_code == 403
    assert page.get(address(event, "plan_export", "exe")).status_code in (403, 404)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_sample_is_downloaded_and_comes_in(clerk, kind):
    event = make_event()
    file = clerk.get(address(event, "plan_sample", kind))

    confirm(clerk, event, preview(clerk, event, file.content, name=f"x.{kind}"))

    assert numbers(event) == ["A1", "A2"]


# The page itself


@pytest.mark.parametrize("shown", ["form", "preview", "errors"])
def test_the_page_is_persian(clerk, event, shown):
    type(event).objects.update(name="کنسرت بهار")
    if shown == "form":
        text = clerk.get(address(event)).text
    else:
        text = preview(clerk, event, FILE if shown == "preview" else "x\n1\n", removes="on").text

    assert latin_phrases(text, allowed=("supervisor", "hall", "x", "a")) == []
    assert ascii_numbers(text) == []


def test_the_events_page_leads_there_for_who_may(clerk, event, client, holder):
    change = reverse("admin:reservations_event_change", args=[event.pk])
    assert address(event) in clerk.get(change).text

    client.force_login(holder)

    assert address(event) not in client.get(change).text


def test_a_preview_of_2000_seats_takes_as_many_queries_as_one_of_three(clerk):
    counts, event = [], make_event()
    for size in (3, 2000):
        lines = [f"{chr(65 + n // 100)}{n % 100 + 1},500000,خیر" for n in range(size)]
        data = "seat_number,price,accessible\n" + "\n".join(lines)
        start = time.perf_counter()
        with CaptureQueriesContext(connection) as queries:
            page = preview(clerk, event, data)
        took = time.perf_counter() - start
        assert len(page.context["difference"].added) == size
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert took < 10  # alone on the machine it is under 2
    confirm(clerk, event, page)
    assert event.seats.count() == 2000
