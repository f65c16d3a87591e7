import datetime
from decimal import Decimal

import pytest
from django import forms
from django.utils import translation

from backoffice import persian_forms
from backoffice.persian import to_persian_digits

DAY = datetime.date(2026, 11, 22)


@pytest.fixture(autouse=True)
def persian_page():
    with translation.override("fa"):
        yield


class Form(forms.Form):
    count = persian_forms.IntegerField(required=False)
    amount = persian_forms.DecimalField(required=False, max_digits=6, decimal_places=2)
    day = persian_forms.DateField(required=False)
    at = persian_forms.DateTimeField(required=False)
    clock = persian_forms.TimeField(required=False)


def test_what_is_typed_in_persian_is_read():
    typed = {"count": "۱٬۲۳۴", "amount": "۱۲٫۵۰۰", "day": "۱۴۰۵/۰۹/۰۱", "clock": "۱۴:۰۵"}
    form = Form(typed | {"at_0": "1405-9-1", "at_1": "۱۴:۰۵"})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["count"] == 1234
    assert form.cleaned_data["amount"] == Decimal("12.5")
    assert form.cleaned_data["day"] == DAY
    assert form.cleaned_data["clock"] == datetime.time(14, 5)
    assert form.cleaned_data["at"].isoformat() == "2026-11-22T14:05:00+03:30"


def test_what_cannot_be_read_is_refused_in_words():
    form = Form({"count": "۱۲٫۵", "amount": "۱۲/۵", "day": "1405/12/30", "clock": "25:00"})

    assert form.errors["count"] == ["به طور کامل یک عدد وارد کنید."]
    assert form.errors["amount"] == ["نشانهٔ «/» در عدد پذیرفته نیست؛ اعشار را مانند ۱۲۳٫۵ بنویسید."]
    assert form.errors["day"] == ["سال ۱۴۰۵ کبیسه نیست؛ اسفند ۲۹ روز دارد."]
    assert "clock" in form.errors


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("count", 1234, "۱۲۳۴"),
        ("count", -5, "-۵"),
        ("amount", Decimal("12.50"), "۱۲٫۵"),
        ("day", DAY, "۱۴۰۵/۰۹/۰۱"),
        ("clock", datetime.time(14, 5), "۱۴:۰۵"),
        ("clock", datetime.time(14, 5, 9), "۱۴:۰۵:۰۹"),
    ],
)
def test_a_stored_value_is_shown_in_persian_and_counts_as_unchanged(name, value, shown):
    field = Form(initial={name: value})[name]

    assert f'value="{shown}"' in str(field)
    assert Form({name: shown}, initial={name: value}).changed_data == []


def test_an_instant_with_seconds_is_kept_when_the_form_is_saved_untouched():
    at = datetime.datetime(2026, 11, 22, 10, 35, 9, tzinfo=datetime.UTC)
    form = Form({"at_0": "۱۴۰۵/۰۹/۰۱", "at_1": "۱۴:۰۵:۰۹"}, initial={"at": at})

    assert form.changed_data == []
    assert form.is_valid() and form.cleaned_data["at"] == at


def test_a_number_that_was_refused_is_shown_again_as_it_was_typed():
    assert 'value="۱۲/۵"' in str(Form({"amount": "۱۲/۵"})["amount"])


def test_a_day_and_a_time_that_were_refused_are_shown_again_in_persian_digits():
    form = Form({"day": "1405/12/30", "clock": "25:00"})

    assert 'value="۱۴۰۵/۱۲/۳۰"' in str(form["day"])
    assert 'value="۲۵:۰۰"' in str(form["clock"])


@pytest.mark.parametrize("typed", ["1405/08/09", "۱۴۰۵/۰۸/۰۹", "2026-11-22"])
def test_a_day_shown_again_beside_another_error_is_read_as_before(typed):
    form = Form({"day": typed, "clock": "25:00"})
    shown = form["day"].field.widget.format_value(form["day"].value())

    assert shown == to_persian_digits(typed)
    assert form.fields["day"].clean(shown) == form.fields["day"].clean(typed)


def test_an_english_page_has_the_browsers_own_date_input():
    with translation.override("en"):
        shown = str(Form(initial={"day": DAY, "amount": Decimal("1234.50")}))

    assert 'type="date" name="day" value="2026-11-22"' in shown
    assert 'name="amount" value="1234.5' in shown
    assert "date-input-button" not in shown
