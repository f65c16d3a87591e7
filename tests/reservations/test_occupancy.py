"""How full events are, and how they sold: the numbers, the charts and their pages."""

import csv
import io
from datetime import date, timedelta
from xml.etree import ElementTree

import openpyxl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from reservations import holds, layout, occupancy, occupancy_charts, sales
from reservations.models import Event, Payment
from reservations.occupancy import Occupancy
from tests.latin import ascii_numbers, latin_phrases
from tests.reservations.factories import let_run_out, make_event, make_sale

LIST = reverse("admin:reservations_event_changelist")
ALL = reverse("admin:reservations_event_occupancy")


@pytest.fixture
def hall(db, holder):
    """Of ten seats two are sold, one is held, two are blocked, one hold has run out."""
    event = make_event(seats=10, name="کنسرت بهار")
    pks = list(event.seats.values_list("pk", flat=True))
    holds.hold(event, pks[9:], by=holder)
    let_run_out()
    make_sale(holder, event=event, seats=2)
    holds.hold(event, pks[2:3], by=holder)
    layout.block(event.seats.filter(pk__in=pks[3:5]), by=holder, reason="دوربین")
    return event


@pytest.fixture
def manager(client, make_user):
    """Return the browser of somebody who sees the money too."""
    names = ("view_event", "view_seat", "view_payment", "export_event", "change_event")
    rights = [f"reservations.{name}" for name in names]
    client.force_login(make_user("manager", *rights, first_name="زهرا"))
    return client


def of(event):
    return reverse("admin:reservations_event_occupancy_one", args=[event.pk])


# The numbers


def test_every_seat_is_counted_once_as_what_it_is_now(hall):
    [found] = occupancy.of_events([hall.pk]).values()

    assert found == Occupancy(
        reserved=2, held=1, blocked=2, free=5, reserved_worth=2_000_000, free_worth=5_000_000
    )
    assert (found.total, found.percent) == (10, 25)


def test_an_event_without_seats_is_not_full_at_all(db):
    event = make_event()

    [found] = occupancy.of_events([event.pk]).values()

    assert (found.total, found.percent) == (0, None)
    assert occupancy_charts.percent_of(found) == "-"


def test_events_are_counted_apart_by_one_query(hall, django_assert_num_queries):
    other = make_event(seats=3)

    with django_assert_num_queries(1):
        found = occupancy.of_events([hall.pk, other.pk])

    assert (found[hall.pk].total, found[other.pk].free) == (10, 3)


def test_money_is_what_came_in_less_what_went_back_without_free_tickets(hall, holder):
    make_sale(holder, event=hall, payment_method="free")
    sale = make_sale(holder, event=hall)
    sales.cancel(sale.pk, by=holder, reason="بیماری")

    [event] = Event.objects.annotate(received=occupancy.received())

    assert event.received == 2_000_000


def test_sales_are_told_by_the_day_of_the_office(hall, holder):
    Payment.objects.create(
        at="2026-03-20T21:00:00Z",  # after midnight in Tehran: the first day of the year 1405
        reservation=hall.reservation_set.get(),
        kind="sale",
        amount=5,
        method="cash",
    )

    found = occupancy.sales_by_day(hall.pk)

    assert found.pop(date(2026, 3, 21)).net == 5
    assert [(day.sales_count, day.net) for day in found.values()] == [(1, 2_000_000)]


# The charts


def test_the_parts_of_a_bar_fill_it_and_say_what_they_are():
    bar = occupancy_charts.bar(1, Occupancy(reserved=1, held=1, blocked=0, free=1))

    assert [(part["x"], part["end"]) for part in bar["parts"]] == [
        (0, 33.333),
        (33.333, 66.666),
        (66.666, 66.666),
        (66.666, 99.999),
    ]
    assert bar["words"] == "رزروشده: ۱ · نگه‌داری موقت: ۱ · مسدود: ۰ · آزاد: ۱"
    assert bar["percent"] == "۳۳٪"


def test_a_chart_of_days_has_the_days_between_and_hangs_refunds_below_the_line():
    day = date(2026, 11, 22)
    chart = occupancy_charts.days({day: 30, day + timedelta(days=2): -10})

    first, between, last = chart["columns"]
    assert (first["y"], first["height"], chart["line"]) == (0, 75, 75)
    assert between["height"] == 0
    assert (last["y"], last["height"], last["is_below"]) == (75, 25, True)
    assert first["words"] == "۱ آذر ۱۴۰۵: ۳۰"


def test_a_long_sale_shows_its_last_days_and_says_so():
    day = date(2026, 1, 1)
    chart = occupancy_charts.days({day + timedelta(days=n): 1 for n in range(200)})

    assert (len(chart["columns"]), chart["is_cut"]) == (occupancy_charts.MOST_DAYS, True)
    assert chart["last"] == day + timedelta(days=199)


@pytest.mark.parametrize("values", [{}, {date(2026, 1, 1): 0}])
def test_a_chart_of_nothing_divides_by_nothing(values):
    chart = occupancy_charts.days(values)

    assert chart is None or [column["height"] for column in chart["columns"]] == [0]


# The pages


def svgs(text):
    """Return the drawings of a page, each as XML; fail where one is not well formed."""
    pieces = text.split("<svg")[1:]
    return [
        ElementTree.fromstring("<svg" + piece.split("</svg>")[0] + "</svg>") for piece in pieces
    ]


def test_the_table_shows_events_to_come_and_on_demand_those_that_are_over(manager, hall):
    over = make_event(name="گذشته", starts_at=timezone.now() - timedelta(days=3))
    sooner = make_event(name="فردا", starts_at=timezone.now() + timedelta(days=1))

    def shown(which):
        rows = manager.get(ALL, {"which": which}).context["rows"]
        return [row["event"] for row in rows]

    assert shown("upcoming") == [sooner, hall]
    assert shown("past") == [over]
    assert shown("all") == [sooner, hall, over]
    assert manager.get(ALL, {"which": "x"}).status_code == 404


def test_the_bar_is_read_without_eyes_and_without_colours(manager, hall):
    text = manager.get(ALL).text

    bar = next(svg for svg in svgs(text) if svg.get("class") == "occupancy-bar")
    title, words = bar.find("title"), bar.find("desc")
    assert bar.get("role") == "img"
    assert bar.get("aria-labelledby").split() == [title.get("id"), words.get("id")]
    assert title.text == "درصد اشغال: ۲۵٪" and "مسدود: ۲" in words.text
    lines = {g.get("class"): len(g.findall("line")) for g in bar.findall("g")}
    assert lines == {
        "occupancy-reserved": 0,
        "occupancy-held": 1,
        "occupancy-blocked": 2,
        "occupancy-free": 0,
    }
    assert "۲٬۰۰۰٬۰۰۰" in text and "style=" not in ElementTree.tostring(bar).decode()


def test_sums_of_money_are_for_who_may_see_payments(page, manager, hall, client, holder):
    assert "دریافتی" in manager.get(ALL).text
    client.force_login(holder)

    for address in (ALL, of(hall)):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "دریافتی" not in answer.text and "۲٬۰۰۰٬۰۰۰" not in answer.text


def test_occupancy_is_for_who_may_see_events_and_seats(client, make_user, hall):
    client.force_login(make_user("half", "reservations.view_event"))

    assert [client.get(address).status_code for address in (ALL, of(hall))] == [403, 403]
    assert "occupancy" not in client.get(LIST).text.replace("occupancy.css", "")


@pytest.mark.parametrize("address", [ALL, f"{ALL}?which=all&file=csv", LIST])
def test_many_events_take_as_many_queries_as_few(manager, hall, address):
    counts = []
    for _time in range(2):
        manager.get(address)
        with CaptureQueriesContext(connection) as queries:
            manager.get(address)
        counts.append(len([q for q in queries if "reservations_" in q["sql"]]))
        for number in range(3):
            make_event(seats=2, name=f"رویداد {number}")

    assert counts[0] == counts[1]
    assert address == LIST or counts[0] <= 3


def test_the_list_of_events_has_the_bar_and_leads_to_the_table(manager, hall):
    text = manager.get(LIST).text

    assert "درصد اشغال: ۲۵٪" in text
    assert ALL in text


def test_the_page_of_an_event_leads_to_its_sales(manager, hall):
    change = reverse("admin:reservations_event_change", args=[hall.pk])
    assert of(hall) in manager.get(change).text

    text = manager.get(of(hall)).text

    chart = next(svg for svg in svgs(text) if svg.find("line[@class='sales-line']") is not None)
    [column] = chart.findall("rect")
    assert "۲٬۰۰۰٬۰۰۰" in column.find("title").text
    assert column.find("title").text in chart.find("desc").text


def test_who_may_not_see_money_sees_how_many_sales_there_were(page, hall):
    [column] = page.get(of(hall)).context["chart"]["columns"]

    assert column["words"].endswith(": ۱")


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_the_table_goes_out_as_a_file(manager, hall, kind):
    answer = manager.get(ALL, {"file": kind, "which": "all"})

    data = answer.content
    if kind == "xlsx":
        [sheet] = openpyxl.load_workbook(io.BytesIO(data)).worksheets
        headings, row = [[cell.value for cell in line] for line in sheet.rows]
    else:
        headings, row = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    assert headings[3:9] == [
        "صندلی‌ها",
        "رزروشده",
        "نگه‌داری موقت",
        "مسدود",
        "آزاد",
        "درصد اشغال",
    ]
    assert list(map(int, row[3:])) == [10, 2, 1, 2, 5, 25, 2_000_000, 5_000_000, 2_000_000]
    assert row[0] == "کنسرت بهار"


def test_a_file_without_the_right_to_payments_has_no_money(client, make_user, hall):
    rights = ("reservations.view_event", "reservations.view_seat", "reservations.export_event")
    client.force_login(make_user("clerk", *rights))

    data = client.get(ALL, {"file": "csv"}).content.decode("utf-8-sig")

    assert "2000000" not in data and "دریافتی" not in data


def test_no_file_for_who_may_not_export_nor_of_another_kind(page, manager, hall, client, holder):
    assert manager.get(ALL, {"file": "exe"}).status_code == 403
    client.force_login(holder)

    assert client.get(ALL, {"file": "csv"}).status_code == 403


@pytest.mark.parametrize("which", ["all", "one", "list"])
def test_the_pages_of_occupancy_are_persian(manager, hall, which):
    Event.objects.update(code="بهار")

    text = manager.get({"all": ALL, "one": of(hall), "list": LIST}[which]).text

    assert latin_phrases(text) == []
    assert ascii_numbers(text) == []


def test_looking_at_occupancy_changes_nothing(manager, hall):
    before = list(hall.seats.order_by("pk").values())

    assert [manager.get(address).status_code for address in (ALL, of(hall), LIST)] == [200] * 3
    assert [manager.post(address).status_code for address in (ALL, of(hall))] == [405] * 2

    assert list(hall.seats.order_by("pk").values()) == before
