import datetime
import io

import openpyxl
import pytest
from django.urls import reverse

from backoffice.persian import jalali_ascii
from tests.orders.test_reconciliation import DATE, NOON, buy, provider, second  # noqa: F401

pytestmark = pytest.mark.django_db
DAY = jalali_ascii(DATE)


@pytest.fixture
def owner(make_user, client):
    user = make_user("owner", "orders.view_reconciliation", "orders.export_reconciliation")
    client.force_login(user)
    return user


def page(client, **query):
    return client.get(reverse("admin:orders_reconciliation"), query)


def test_days_are_shown_with_what_moved_without_a_purchase(client, owner, provider):  # noqa: F811
    buy(provider, 10, 90, NOON - datetime.timedelta(days=1))
    buy(provider, 10, 180)
    days = page(client, first=DAY, last=DAY).context["days"]
    assert [(day.difference, day.findings) for day, _query in days] == [(100, 1)]


def test_a_single_day_of_a_provider_is_shown_whole(client, owner, provider):  # noqa: F811
    buy(provider, 10, 90)
    order = buy(provider, 10, 70, second(900), status="processing")
    reply = page(client, first=DAY, last=DAY, integration=provider.pk)
    text = reply.content.decode()
    assert reply.context["one"].gaps[0].amount == -10
    assert reverse("admin:orders_productorder_change", args=[order.pk]) in text


def test_without_days_it_is_today(client, owner, provider):  # noqa: F811
    reply = page(client)
    assert (reply.status_code, reply.context["days"]) == (200, [])


def test_days_the_wrong_way_round_and_too_many_are_refused_in_words(client, owner):
    before = jalali_ascii(DATE - datetime.timedelta(days=40))
    for query in ({"first": DAY, "last": before}, {"first": before, "last": DAY}):
        reply = page(client, **query)
        assert "۳۱" in reply.content.decode()
        assert reply.context["days"] == []


def test_nobody_sees_it_without_the_permission(client, make_user):
    client.force_login(make_user("desk", "orders.view_productorder"))
    assert page(client).status_code == 403


def test_the_file_wants_a_permission_of_its_own(client, make_user):
    client.force_login(make_user("reads", "orders.view_reconciliation"))
    assert page(client).status_code == 200
    assert page(client, xlsx="yes").status_code == 403


def test_the_file_holds_numbers_and_times_as_such(client, owner, provider):  # noqa: F811
    buy(provider, 10, 90, user_identifier="=HYPERLINK(1)", status="processing")
    buy(provider, 10, 70, second(900))
    book = openpyxl.load_workbook(io.BytesIO(page(client, first=DAY, xlsx="yes").content))
    rows = [[cell.value for cell in row] for row in book.worksheets[0].iter_rows(min_row=2)]
    assert rows == [[DAY, provider.code, 2, 20, 100, 70, -30, -10]]
    gap = [cell.value for cell in next(book.worksheets[1].iter_rows(min_row=2))]
    assert gap[1] == -10
    assert isinstance(gap[2], datetime.datetime)
    waiting = next(book.worksheets[2].iter_rows(min_row=2))
    assert waiting[4].data_type == "s"
    assert all(sheet.sheet_view.rightToLeft for sheet in book.worksheets)
