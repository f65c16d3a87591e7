import datetime

import pytest
import time_machine
from django.contrib import admin
from django.contrib.auth.models import User
from django.utils import timezone, translation

from backoffice.persian_filters import DateFilter, month_bounds, year_bounds

LIST = "/admin/auth/user/"


@pytest.fixture
def joined(admin_user):
    """Three users who joined on the edges of Azar 1405, as Tehran's clock shows it."""
    User.objects.filter(pk=admin_user.pk).update(date_joined="2020-01-01T00:00+00:00")
    for name, at in (
        ("before", "2026-11-21T20:29:59+00:00"),
        ("first", "2026-11-21T20:30:00+00:00"),
        ("last", "2026-12-21T20:29:59+00:00"),
    ):
        User.objects.create_user(name, date_joined=at)


@pytest.fixture
def shown(admin_client, joined, monkeypatch):
    """Return a function that gives the names on the list of users, filtered by when they joined."""
    monkeypatch.setattr(admin.site._registry[User], "list_filter", ["date_joined"])

    def get(**query):
        answer = admin_client.get(LIST, query)
        return answer, {user.username for user in answer.context["cl"].result_list} - {"admin"}

    return get


def test_months_and_years_are_jalali():
    day = datetime.date(2026, 12, 21)

    assert month_bounds(day) == (datetime.date(2026, 11, 22), datetime.date(2026, 12, 22))
    assert year_bounds(day) == (datetime.date(2026, 3, 21), datetime.date(2027, 3, 21))
    assert month_bounds(datetime.date(2030, 3, 20))[1] == datetime.date(2030, 3, 21)


def test_a_typed_range_holds_both_of_its_days(shown):
    page, names = shown(date_joined__from="۱۴۰۵/۰۹/۰۱", date_joined__to="1405-09-30")

    assert names == {"first", "last"}
    assert "از \u2066۱۴۰۵/۰۹/۰۱\u2069 تا \u2066۱۴۰۵/۰۹/۳۰\u2069" in page.content.decode()
    assert shown(date_joined__to="1405/08/30")[1] == {"before"}


def test_this_month_is_the_jalali_one(rf):
    model_admin = admin.ModelAdmin(User, admin.site)
    field = User._meta.get_field("date_joined")
    with translation.override("fa"), time_machine.travel("2026-12-01T12:00:00+03:30", tick=False):
        spec = DateFilter(field, rf.get("/"), {}, User, model_admin, "date_joined")

    titles, lookups = zip(*spec.links, strict=True)
    assert titles[3:5] == ("این ماه (آذر)", "امسال (۱۴۰۵)")
    assert lookups[3] == {
        "date_joined__gte": timezone.make_aware(datetime.datetime(2026, 11, 22)),
        "date_joined__lt": timezone.make_aware(datetime.datetime(2026, 12, 22)),
    }


def test_a_day_that_cannot_be_read_is_told_and_filters_nothing(shown):
    page, names = shown(date_joined__from="1405/12/30")

    assert "سال ۱۴۰۵ کبیسه نیست؛ اسفند ۲۹ روز دارد." in page.content.decode()
    assert names == {"before", "first", "last"}


def test_the_range_keeps_what_else_the_list_is_filtered_by(shown):
    page, _names = shown(q="f", o="1", date_joined__from="1405/09/01", p="1")

    assert page.context["cl"].filter_specs[0].other_parameters() == [("q", "f"), ("o", "1")]
