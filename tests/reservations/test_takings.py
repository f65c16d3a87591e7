"""What cashiers took in and gave back on a day, and the page and the sheet that tell of it."""

import datetime
import io

import openpyxl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from backoffice.persian import jalali_ascii
from reservations import sales, takings
from reservations.models import Payment
from tests.latin import latin_phrases
from tests.reservations.factories import make_sale, make_seat

DAY = reverse("admin:reservations_payment_day")


@pytest.fixture
def sold(event, holder, colleague):
    """Sales of two cashiers: three by card and cash, of which one was cancelled and one moved."""
    make_sale(holder, event=event, payment_method="card")
    moved = make_sale(holder, event=event)
    sales.move(
        moved.pk,
        [moved.seats.get().pk],
        [make_seat(event, price=1_300_000).pk],
        by=colleague,
        payment_method="card",
    )
    cancelled = make_sale(colleague, event=event)
    sales.cancel(cancelled.pk, by=colleague, reason="x", refund_method="card")
    return event


def pay_at(instant, by):
    """Record a payment of a million as if it had been made at that instant."""
    Payment.objects.create(
        reservation=make_sale(by),
        kind="sale",
        amount=1_000_000,
        method="cash",
        cashier_id=by.pk,
        cashier_name="مریم رضایی",
        at=instant,
    )


def figures(day):
    return {
        (cashier.name, method): (row.sales, row.refunds, row.differences, row.net)
        for cashier in day.cashiers
        for method, row in cashier.by_method.items()
    }


def cells(page):
    return [
        [part["name"], label, *numbers]
        for part in page.context["sections"]
        for label, numbers in part["rows"]
    ]


def test_a_day_is_added_up_by_cashier_and_method(sold):
    day = takings.day(timezone.localdate())

    assert figures(day) == {
        ("مریم رضایی", "card"): (1_000_000, 0, 0, 1_000_000),
        ("مریم رضایی", "cash"): (1_000_000, 0, 0, 1_000_000),
        ("علی کریمی", "cash"): (1_000_000, 0, 0, 1_000_000),
        ("علی کریمی", "card"): (0, -1_000_000, 300_000, -700_000),
    }
    assert day.by_method["card"].net == 300_000
    assert (day.money.sales_count, day.money.refunds_count) == (3, 1)
    assert day.money.net == sum(Payment.objects.values_list("amount", flat=True)) == 2_300_000


def test_free_tickets_are_told_and_are_no_money(holder, event):
    make_sale(holder, event=event, payment_method="free")
    make_sale(holder, event=event)

    [cashier] = takings.day(timezone.localdate()).cashiers

    assert cashier.by_method["free"].sales == 1_000_000
    assert (cashier.money.sales_count, cashier.money.net) == (1, 1_000_000)


def test_a_cashier_who_changed_the_name_is_one_person(holder, event):
    make_sale(holder, event=event)
    holder.last_name = "احمدی"
    make_sale(holder, event=event)

    [cashier] = takings.day(timezone.localdate()).cashiers

    assert cashier.money.sales_count == 2


@pytest.mark.parametrize(
    "since_midnight, counted",
    [
        (datetime.timedelta(0), True),
        (datetime.timedelta(days=1, microseconds=-1), True),
        (datetime.timedelta(microseconds=-1), False),
    ],
)
def test_a_day_is_tehrans_from_midnight_to_midnight(holder, since_midnight, counted):
    midnight = timezone.make_aware(datetime.datetime(2025, 11, 23))  # 20:30 of the 22nd in UTC
    pay_at(midnight + since_midnight, by=holder)

    assert bool(takings.day(datetime.date(2025, 11, 23)).cashiers) is counted
    assert bool(takings.day(datetime.date(2025, 11, 22)).cashiers) is not counted


# The page


@pytest.fixture
def auditor(client, make_user):
    rights = ("reservations.view_payment", "reservations.export_payment")
    client.force_login(make_user("auditor", *rights, first_name="پروین"))
    return client


def test_who_may_see_payments_sees_all_cashiers_and_their_sum(auditor, sold):
    page = auditor.get(DAY)

    assert page.status_code == 200
    assert {row[0] for row in cells(page)} == {"مریم رضایی", "علی کریمی", "همهٔ فروشندگان"}
    assert cells(page)[-1][:2] == ["همهٔ فروشندگان", "جمع"]
    assert cells(page)[-1][2:] == [3, 3_000_000, 1, -1_000_000, 300_000, 2_300_000]
    assert "۲٬۳۰۰٬۰۰۰" in page.content.decode()
    assert latin_phrases(page.content.decode()) == []


def test_a_cashier_sees_the_own_takings_alone(page, sold):
    shown = page.get(DAY)

    assert {row[0] for row in cells(shown)} == {"مریم رضایی"}
    assert cells(shown)[-1][-1] == 2_000_000
    assert "علی کریمی" not in shown.content.decode()


def test_who_neither_sells_nor_sees_payments_does_not_see_the_page(client, make_user):
    client.force_login(make_user("visitor", "reservations.view_reservation"))

    assert client.get(DAY).status_code == 403
    assert client.get(DAY, {"xlsx": "yes"}).status_code == 403


@pytest.mark.parametrize("typed", ["1404/09/01", "۱۴۰۴/۰۹/۰۱", "2025-11-22"])
def test_another_day_is_chosen_in_any_calendar_and_leads_on(auditor, holder, typed):
    pay_at(timezone.make_aware(datetime.datetime(2025, 11, 22, 12)), by=holder)

    page = auditor.get(DAY, {"date": typed})

    assert cells(page)[0][:4] == ["مریم رضایی", "نقدی", 1, 1_000_000]
    assert [page.context[name] for name in ("previous", "next")] == ["1404/08/30", "1404/09/02"]
    assert "۱ آذر ۱۴۰۴" in page.content.decode()


def test_today_is_shown_where_no_day_is_asked_for_and_nothing_lies_ahead(auditor, holder):
    make_sale(holder)

    page = auditor.get(DAY)

    assert page.context["day"].date == timezone.localdate()
    assert f"date={page.context['next']}" not in page.content.decode()


def test_a_day_that_does_not_exist_is_refused_in_words(auditor, sold):
    page = auditor.get(DAY, {"date": "1405/12/30"})

    assert "کبیسه" in page.content.decode()
    assert "sections" not in page.context


def test_the_page_asks_one_query_more_than_an_empty_one_whoever_sold(
    auditor, sold, django_assert_num_queries
):
    with django_assert_num_queries(5):  # session, user, two of permissions, and the payments
        auditor.get(DAY)


def test_the_sheet_holds_the_table_of_the_page(auditor, sold):
    answer = auditor.get(DAY, {"xlsx": "yes", "date": jalali_ascii(timezone.localdate())})

    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert rows[0][:3] == ["فروشنده", "روش پرداخت", "شمار فروش"]
    assert rows[1:] == cells(auditor.get(DAY))
    assert sheet.sheet_view.rightToLeft


def test_a_sheet_is_for_who_may_export(page, sold):
    assert page.get(DAY, {"xlsx": "yes"}).status_code == 403
    assert "xlsx" not in page.get(DAY).content.decode()


def test_an_empty_day_says_so(auditor, db):
    assert "ثبت نشده است" in auditor.get(DAY).content.decode()


def test_payments_are_read_and_exported_and_never_changed(client, admin_user, sold):
    client.force_login(admin_user)
    payment = Payment.objects.first()
    change = reverse("admin:reservations_payment_change", args=[payment.pk])

    listed = client.get(reverse("admin:reservations_payment_changelist")).content.decode()
    assert payment.reservation.reference in listed
    assert client.get(change).status_code == 200
    assert client.post(change, {"amount": "1"}).status_code == 403
    for name, args in (("add", []), ("import", []), ("delete", [payment.pk])):
        address = reverse(f"admin:reservations_payment_{name}", args=args)
        assert client.get(address).status_code == 403
    assert client.get(reverse("admin:reservations_payment_export")).status_code == 200


def test_one_payment_and_three_are_listed_by_as_many_queries(client, admin_user, holder):
    client.force_login(admin_user)
    counts = []
    for sales_more in (1, 2):
        for _sale in range(sales_more):
            make_sale(holder)
        client.get(reverse("admin:reservations_payment_changelist"))
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("admin:reservations_payment_changelist"))
        counts.append(len(queries))

    assert counts[0] == counts[1]
