"""What people write in a cell, and what it becomes."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils.functional import lazy
from django.utils.translation import get_language, override

from backoffice.import_widgets import (
    ChoiceWidget,
    CodeKeyWidget,
    JalaliDateTimeWidget,
    JalaliDateWidget,
    NotAllowed,
    NumberWidget,
    TextWidget,
    WholeNumberWidget,
    YesNoWidget,
)
from inventory.models import Status, Unit


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("۱۲۳", "123"),
        ("١٢٣", "123"),
        ("۱٬۲۳۴٫۵", "1234.5"),
        ("1,234.5", "1234.5"),
        ("-۵", "-5"),
        ("\u22125", "-5"),
        (0.1, "0.1"),
        (7, "7"),
        (Decimal("2.50"), "2.50"),
    ],
)
def test_a_number_is_read_in_the_signs_of_any_keyboard(cell, number):
    assert NumberWidget().clean(cell) == Decimal(number)


@pytest.mark.parametrize("cell", ["abc", "1e5", "1,23", "٫۵", True, float("nan"), "9" * 41, "--1"])
def test_what_is_no_number_is_refused_with_an_example(cell):
    with override("fa"), pytest.raises(NotAllowed, match="۱٬۲۳۴٫۵"):
        NumberWidget().clean(cell)


def test_a_slash_in_a_number_is_not_guessed():
    with pytest.raises(ValidationError):
        NumberWidget().clean("۱۲۳/۵")


@pytest.mark.parametrize("cell", [None, "", "  "])
def test_an_empty_cell_is_no_number(cell):
    assert NumberWidget().clean(cell) is None


def test_a_whole_number_takes_no_fraction():
    assert WholeNumberWidget().clean("۵٫۰") == 5
    with pytest.raises(NotAllowed):
        WholeNumberWidget().clean("۵٫۵")


@pytest.mark.parametrize("cell", [Decimal("1E+300"), 1e300])
def test_a_number_that_would_fill_the_memory_is_refused(cell):
    with pytest.raises(NotAllowed):
        WholeNumberWidget().clean(cell)


def test_a_number_leaves_as_a_number_without_idle_zeros():
    assert NumberWidget().render(Decimal("5.000000")) == 5
    assert NumberWidget().render(Decimal("0.250000")) == Decimal("0.25")
    assert NumberWidget().render(None) == ""


@pytest.mark.parametrize(
    "cell",
    [
        "1405/9/1",
        "1405-09-01",
        "۱۴۰۵/۰۹/۰۱",
        "2026-11-22",
        datetime(2026, 11, 22, 10, 30),
        date(2026, 11, 22),
    ],
)
def test_a_day_is_read_in_both_calendars(cell):
    assert JalaliDateWidget().clean(cell) == date(2026, 11, 22)


@pytest.mark.parametrize("cell", ["05/09/01", "01/09/1405", "yesterday", 14050901])
def test_what_is_no_day_is_refused_with_an_example(cell):
    with pytest.raises(NotAllowed, match="۱۴۰۵/۰۹/۰۱"):
        JalaliDateWidget().clean(cell)


def test_the_thirtieth_of_esfand_is_refused_in_words():
    with pytest.raises(ValidationError) as refusal:
        JalaliDateWidget().clean("1405/12/30")
    assert refusal.value.code == "leap"


def test_a_day_leaves_as_jalali_text():
    assert JalaliDateWidget().render(date(2026, 11, 22)) == "1405/09/01"
    assert JalaliDateWidget().render(None) == ""


@pytest.mark.parametrize("cell", ["1405/09/01 14:05", "۱۴۰۵/۰۹/۰۱ ۱۴:۰۵", "2026-11-22 14:05:00"])
def test_an_instant_is_read_in_the_clock_of_the_office(cell):
    assert JalaliDateTimeWidget().clean(cell) == datetime(2026, 11, 22, 10, 35, tzinfo=UTC)


def test_an_instant_leaves_as_the_office_saw_it():
    widget = JalaliDateTimeWidget()
    assert widget.render(datetime(2026, 11, 22, 10, 35, tzinfo=UTC)) == "1405/09/01 14:05"
    # 2027-03-20 20:45 UTC is already the new year in Tehran
    assert widget.render(datetime(2027, 3, 20, 20, 45, tzinfo=UTC)) == "1406/01/01 00:15"


@pytest.mark.parametrize("cell", ["1405/09/01 25:00", "1405/09/01 noon:x", "14:05"])
def test_what_is_no_instant_is_refused(cell):
    with pytest.raises((NotAllowed, ValidationError)):
        JalaliDateTimeWidget().clean(cell)


@pytest.mark.parametrize("cell", ["draft", "Draft", " DRAFT ", "پیش‌نویس", "پيش نويس"])
def test_a_choice_is_known_by_its_value_and_its_label_in_any_language(cell):
    labelled = [
        ("draft", {"fa": "پیش‌نویس", "en": "Draft"}),
        ("posted", {"fa": "قطعی", "en": "Posted"}),
    ]
    assert ChoiceWidget(_translated(labelled)).clean(cell) == "draft"


def _translated(labelled):
    label = lazy(lambda words: words[get_language()], str)
    return [(value, label(words)) for value, words in labelled]


def test_an_unknown_choice_is_refused_with_all_that_are_allowed():
    with override("en"), pytest.raises(NotAllowed) as refusal:
        ChoiceWidget(Status).clean("gone")
    assert str(refusal.value) == "“Draft”, “Approved”, “Posted”, “Cancelled”"


@pytest.mark.parametrize(
    ("cell", "truth"), [("بله", True), ("خیر", False), (1, True), ("۰", False), (True, True)]
)
def test_a_yes_is_spelled_in_many_ways(cell, truth):
    assert YesNoWidget().clean(cell) is truth


def test_a_text_gets_persian_letters():
    assert TextWidget().clean(" كيلو ") == "کیلو"


def test_a_code_that_the_sheet_took_for_a_number_is_a_text_again():
    assert TextWidget().clean(1001.0) == "1001"
    assert TextWidget().clean("۱۰۰۱") == "1001"


def test_a_date_is_no_text():
    with pytest.raises(NotAllowed):
        TextWidget().clean(date(2026, 1, 1))


@pytest.mark.django_db
def test_a_key_is_found_by_its_code_and_asked_for_once(django_assert_num_queries):
    unit = Unit.objects.create(code="12", name="کیلو")
    widget = CodeKeyWidget(Unit)
    with django_assert_num_queries(1):
        assert [widget.clean("12"), widget.clean("۱۲"), widget.clean(12.0)] == [unit] * 3
    assert widget.render(unit) == "12"


@pytest.mark.django_db
def test_an_unknown_code_is_refused_by_the_name_of_what_it_should_be():
    with pytest.raises(NotAllowed, match=str(Unit._meta.verbose_name_plural)):
        CodeKeyWidget(Unit).clean("99")


def test_an_empty_key_is_none():
    assert CodeKeyWidget(Unit).clean("") is None
