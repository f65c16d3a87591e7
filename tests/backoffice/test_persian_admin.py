import datetime
import sys
from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.admin.templatetags import admin_list
from django.contrib.auth.models import Group, User
from django.template import Context, Template
from django.utils import formats, timezone, translation

DAY = datetime.date(2026, 11, 22)
INSTANT = datetime.datetime(2026, 11, 22, 10, 35, tzinfo=datetime.UTC)


def rendered(text, **context):
    return Template(text).render(Context(context))


def test_dates_and_numbers_of_a_persian_page():
    with translation.override("fa"):
        assert rendered("{{ day }}", day=DAY) == "\u2066۱۴۰۵/۰۹/۰۱\u2069"
        assert rendered("{{ at }}", at=INSTANT) == "\u2066۱۴۰۵/۰۹/۰۱ ۱۴:۰۵\u2069"
        assert rendered("{{ n }}", n=Decimal("1234567.500")) == "۱٬۲۳۴٬۵۶۷٫۵"
        assert rendered("{{ n }}", n=-1234) == "\u2066-۱٬۲۳۴\u2069"
        assert rendered("{{ at|time }}", at=timezone.localtime(INSTANT)) == "۱۴:۰۵"


def test_dates_and_numbers_of_an_english_page():
    with translation.override("en"):
        assert rendered("{{ day }}", day=DAY) == "2026-11-22"
        assert rendered("{{ at }}", at=INSTANT) == "2026-11-22 14:05"
        assert rendered("{{ n }}", n=Decimal("1234567.5")) == "1,234,567.5"
        assert rendered("{{ day|jalali_words }}", day=DAY) == "2026-11-22"


def test_named_parts_of_dates_are_jalali():
    with translation.override("fa"):
        assert formats.date_format(DAY, "YEAR_MONTH_FORMAT") == "آذر ۱۴۰۵"
        assert formats.date_format(DAY, "MONTH_DAY_FORMAT") == "۱ آذر"


def test_what_machines_read_is_left_alone():
    with translation.override("fa"):
        assert rendered('{{ day|date:"Y-m-d" }}', day=DAY) == "2026-11-22"
        assert rendered("{% load l10n %}{{ n|unlocalize }}", n=12345) == "12345"
        assert rendered("{% load l10n %}{% localize off %}{{ n }}{% endlocalize %}", n=7) == "7"


def test_a_page_inside_plain_numbers_returns_to_persian_after_it():
    page = '{% include "admin/pagination.html" with cl=cl %}{{ n }}'
    with translation.override("fa"):
        shown = rendered(page, n=12345, cl={"result_count": 12345})

    assert "12345" not in shown
    assert shown.endswith("۱۲٬۳۴۵")


@pytest.mark.django_db
def test_a_search_finds_codes_and_sentences_in_any_digits(rf):
    for name in ("INV-12", "انبار ۱۲", "انبار ۱۳"):
        Group.objects.create(name=name)
    model_admin = admin.ModelAdmin(Group, admin.site)
    model_admin.search_fields = ["name"]

    def found(term):
        rows, _duplicates = model_admin.get_search_results(rf.get("/"), Group.objects.all(), term)
        return sorted(rows.values_list("name", flat=True))

    assert found("۱۲") == found("12") == ["INV-12", "انبار ۱۲"]
    assert found("انبار") == ["انبار ۱۲", "انبار ۱۳"]


@pytest.mark.django_db
def test_ids_above_a_thousand_work_in_lists_and_forms(admin_client):
    user = User.objects.create_user("far", pk=1_234_567)

    page = admin_client.get("/admin/auth/user/").content.decode()

    assert f"/admin/auth/user/{user.pk}/change/" in page
    assert f'value="{user.pk}"' in page
    assert admin_client.get(f"/admin/auth/user/{user.pk}/change/").status_code == 200


def test_yes_and_no_are_read_aloud_in_persian():
    with translation.override("fa"):
        icons = [admin_list._boolean_icon(value) for value in (True, False, None)]

    assert [icon.split('alt="')[1] for icon in icons] == ['بله">', 'خیر">', 'نامعلوم">']


def test_no_module_of_ours_took_a_display_function_before_it_was_wrapped():
    ours = ("backoffice", "inventory", "reservations", "orders")
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] in ours]
    taken = [
        (module.__name__, name)
        for module in modules
        for name in ("date_format", "time_format", "number_format")
        if hasattr(module, name) and not hasattr(getattr(module, name), "__wrapped__")
    ]

    assert taken == []
