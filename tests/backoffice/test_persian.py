import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import jdatetime
import pytest
from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st

from backoffice import persian

NOON = datetime.datetime(2026, 11, 22, 14, 5, tzinfo=ZoneInfo("Asia/Tehran"))


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("۱۲۳", "123"),
        ("١٢٣", "123"),
        ("۱۲۳٫۵", "123.5"),
        ("۱٬۲۳۴٫۵۰", "1234.50"),
        ("1,234", "1234"),
        ("−۵", "-5"),
        ("\u2066-۵\u2069", "-5"),
        (12.5, "12.5"),
        (7, "7"),
    ],
)
def test_a_number_is_read_in_any_digits_and_separators(typed, number):
    assert persian.parse_number(typed) == Decimal(number)


@pytest.mark.parametrize("typed", ["", "abc", "1,23", "1٬2", "1.2.3", "۱۲ ۳", True, float("nan")])
def test_what_is_no_number_is_refused(typed):
    with pytest.raises(ValidationError) as refusal:
        persian.parse_number(typed)

    assert refusal.value.code == "invalid"


def test_a_slash_in_a_number_is_refused_and_not_guessed():
    with translation.override("fa"), pytest.raises(ValidationError) as refusal:
        persian.parse_number("۱۲۳/۵")

    assert refusal.value.messages == [
        "نشانهٔ «/» در عدد پذیرفته نیست؛ اعشار را مانند ۱۲۳٫۵ بنویسید."
    ]


@pytest.mark.parametrize(
    "typed",
    ["1405/9/1", "1405-09-01", "۱۴۰۵/۰۹/۰۱", "١٤٠٥/٩/١", "2026-11-22", "2026/11/22", NOON],
)
def test_a_date_is_read_in_both_calendars(typed):
    assert persian.parse_date(typed) == datetime.date(2026, 11, 22)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("05/09/01", "invalid"),
        ("1405/09-01", "invalid"),
        ("امروز", "invalid"),
        ("1299/01/01", "year"),
        ("1500/01/01", "year"),
        ("1899/01/01", "year"),
        ("2101/01/01", "year"),
        ("1405/07/31", "day"),
        ("1405/13/01", "day"),
        ("2026/02/30", "day"),
        ("1405/12/30", "leap"),
    ],
)
def test_what_is_no_day_is_refused(typed, code):
    with pytest.raises(ValidationError) as refusal:
        persian.parse_date(typed)

    assert refusal.value.code == code


def test_the_last_day_of_a_common_year_is_explained():
    with translation.override("fa"), pytest.raises(ValidationError) as refusal:
        persian.parse_date("1405/12/30")

    assert refusal.value.messages == ["سال ۱۴۰۵ کبیسه نیست؛ اسفند ۲۹ روز دارد."]
    assert persian.parse_date("1408/12/30") == datetime.date(2030, 3, 20)


@given(st.dates(datetime.date(1922, 1, 1), datetime.date(2100, 12, 31)))
def test_a_date_that_was_shown_is_read_back(day):
    assert persian.parse_date(persian.jalali(day)) == day
    assert persian.jalali_ascii(day) == jdatetime.date.fromgregorian(date=day).strftime("%Y/%m/%d")


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9
    )
)
def test_a_number_that_was_shown_is_read_back(number):
    shown = persian.number_shown(f"{number:,f}".replace(",", "٬").replace(".", "٫"))

    assert persian.parse_number(shown) == number
    assert not shown.strip("\u2069").endswith("٫")


def test_an_instant_is_shown_as_tehran_sees_it():
    evening = datetime.datetime(2027, 3, 20, 20, 45, tzinfo=datetime.UTC)

    assert persian.jalali_datetime(evening) == "\u2066۱۴۰۶/۰۱/۰۱ ۰۰:۱۵\u2069"
    assert persian.jalali_words(evening) == "۱ فروردین ۱۴۰۶، ساعت ۰۰:۱۵"


def test_a_date_is_shown_in_tables_and_in_sentences():
    day = datetime.date(2026, 11, 22)

    assert persian.jalali(day) == "\u2066۱۴۰۵/۰۹/۰۱\u2069"
    assert persian.jalali_words(day) == "۱ آذر ۱۴۰۵"
    assert [persian.jalali(None), persian.jalali_ascii(None)] == ["-", ""]


def test_stored_letters_are_persian_and_hamza_stays():
    assert (
        persian.normalise_for_storing(" كالاي\u200b تأييد\u200c\u200cشدة ")
        == "کالای تأیید\u200cشدة"
    )


def test_searching_finds_one_form_of_each_letter():
    found = persian.normalise_for_search("تأييد\u200cشده  ۱۲ كالاۀ مسؤول")

    assert found == persian.normalise_for_search("تاییدشده 12 کالاه مسوول")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("INV-۰۰۱", "INV-001"),
        ("۰۹۱۲۳۴۵۶۷۸۹", "09123456789"),
        ("۱۴۰۵/۰۹/۰۱", "1405/09/01"),
        ("انبار ۲", "انبار ۲"),
        ("علي ۱", "علی ۱"),
    ],
)
def test_codes_are_stored_in_ascii_digits_and_sentences_as_typed(typed, stored):
    assert persian.normalise_typed(typed) == stored


def test_digits_are_shown_in_persian_but_not_those_of_codes():
    with translation.override("fa"):
        assert persian.digits_shown("3 سند از REC-0001 و 00120") == "۳ سند از REC-0001 و 00120"
        assert persian.digits_shown("09121234567 و 1234567890") == "09121234567 و 1234567890"
    with translation.override("en"):
        assert persian.digits_shown("3 seats") == "3 seats"


def test_digits_of_tags_and_marked_codes_stay_in_html():
    html = mark_safe('<a href="/7/">7 &#x27;</a> <bdi dir="ltr">77</bdi> <textarea>7</textarea>')

    with translation.override("fa"):
        shown = persian.digits_shown(html)

    assert shown == html.replace(">7 ", ">۷ ")
    assert hasattr(shown, "__html__")


def test_a_code_is_escaped_and_kept_left_to_right():
    assert persian.code("<1>") == '<bdi dir="ltr" class="code">&lt;1&gt;</bdi>'
    assert [persian.code(""), persian.code(None)] == ["-", "-"]
