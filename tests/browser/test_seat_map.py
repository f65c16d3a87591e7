"""The live map in a real browser: what two people at the box office see of one another."""

import pytest

from reservations import holds
from reservations.models import Reservation, Seat
from tests.browser.seat_pages import (
    choose,
    look_again,
    make_hall,
    no_answers,
    open_map,
    press,
    sees,
    told,
)
from tests.reservations.factories import let_run_out, sell

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(make_page, hall, cashier):
    """The map as the cashier opened it."""
    return open_map(make_page(cashier), hall)


def seats_of(event, *numbers):
    return list(Seat.objects.filter(event=event, seat_number__in=numbers))


def hold(event, by, *numbers):
    return holds.hold(event, [seat.pk for seat in seats_of(event, *numbers)], by=by)


def test_a_row_of_four_is_sold_in_three_clicks_while_a_colleague_watches(
    page, make_page, hall, colleague
):
    watcher = open_map(make_page(colleague), hall)

    page.click(".seat-map-chips button:nth-child(4)")
    watcher.get_by_label("نزد \u2068مریم\u2069").nth(3).wait_for()
    page.get_by_label("نقدی").click()
    press(page, "ثبت رزرو")

    told(page, "کد رزرو")
    watcher.locator(".seat[data-state=reserved]").nth(3).wait_for()
    sold = Reservation.objects.get()
    assert (sold.seats.count(), sold.price, sold.payment_method) == (4, 4_000_000, "cash")
    assert sold.reference in page.inner_text("#seat-map-answer")
    assert str(sold.pk) in page.get_attribute("[data-link=reservation]", "href")
    assert page.get_attribute("[data-link=ticket]", "href")
    assert watcher.inner_text("[data-count=reserved]") == "۴"


def test_a_refusal_names_each_seat_in_the_way_and_holds_nothing(page, hall, cashier, colleague):
    no_answers(page)
    hold(hall, colleague, "A3")
    other = hold(hall, colleague, "A4")
    sell(other, seats_of(hall, "A4"), colleague)

    choose(page, "A3 A4 A5")
    press(page, "نگه‌داری موقت")

    lines = page.locator("#seat-map-answer li")
    lines.nth(1).wait_for()
    said = " ".join(lines.all_inner_texts())
    assert lines.count() == 2 and "A3" in said and "علی" in said and "A4" in said
    assert not Seat.objects.filter(locked_by=cashier).exists()
    assert page.locator(".seat.is-flashing").count() == 2


def test_a_chosen_seat_that_another_takes_leaves_the_choice_in_words(page, hall, colleague):
    choose(page, "A3 A4")
    hold(hall, colleague, "A3")

    look_again(page)

    told(page, "اکنون نزد \u2068علی\u2069 است")
    sees(page, "A3", "held")
    sees(page, "A4", "chosen")
    assert page.inner_text(".seat-map-numbers") == "A4"


def test_choosing_by_click_shift_click_and_drag(page):
    choose(page, "A2")
    page.click(".seat[aria-label^='A5،']", modifiers=["Shift"])
    page.hover(".seat[aria-label^='B3،']")
    page.mouse.down()
    page.hover(".seat[aria-label^='B5،']")
    page.mouse.up()
    choose(page, "A3")

    assert page.inner_text(".seat-map-numbers") == "A2, A4, A5, B3, B4, B5"
    assert "۶ صندلی" in page.inner_text("#seat-map-choice").replace("\u2068", "").replace(
        "\u2069", ""
    )
    press(page, "پاک کردن انتخاب")
    assert page.locator(".seat[data-state=chosen]").count() == 0


def test_a_run_out_hold_is_free_to_all_and_can_be_sold_after_all(page, make_page, hall, colleague):
    watcher = open_map(make_page(colleague), hall)
    choose(page, "A1 A2")
    press(page, "نگه‌داری موقت")
    page.get_by_label("مشتری").fill("سارا محمدی")
    sees(watcher, "A1 A2", "held")

    let_run_out()

    sees(watcher, "A1 A2", "free")  # by itself, with its next refresh
    page.get_by_text("مهلت این نگه‌داری تمام شد").first.wait_for()
    press(page, "نگه‌داری دوباره و ثبت")
    told(page, "کد رزرو")
    sold = Reservation.objects.get()
    assert (sold.customer, sold.seats.count()) == ("سارا محمدی", 2)


def test_a_run_out_hold_that_another_took_keeps_what_was_typed(page, hall, colleague):
    choose(page, "A1")
    press(page, "نگه‌داری موقت")
    page.get_by_label("مشتری").fill("سارا محمدی")
    let_run_out()
    hold(hall, colleague, "A1")

    look_again(page)

    page.get_by_text("صندلی‌هایش آزاد نیست: A1 (نزد \u2068علی\u2069)").wait_for()
    assert page.get_by_label("مشتری").input_value() == "سارا محمدی"
    assert not page.get_by_role("button", name="نگه‌داری دوباره و ثبت").is_visible()


def test_at_zero_the_page_asks_and_paints_nothing_free_by_itself(page):
    page.clock.install()
    choose(page, "A1")
    press(page, "نگه‌داری موقت")
    page.wait_for_selector(".seat-map-clock:not(:empty)")
    no_answers(page)

    page.clock.run_for(301_000)

    page.get_by_text("در حال بررسی…").first.wait_for()
    sees(page, "A1", "mine")
    assert page.get_by_role("button", name="پس دادن").is_visible()


def test_extending_and_giving_back(page, hall):
    choose(page, "A1 A2 A3")
    press(page, "نگه‌داری موقت")
    press(page, "پس دادن صندلی \u2068A3\u2069")
    sees(page, "A3", "free")
    sees(page, "A1 A2", "mine")
    assert not page.locator("#seat-map-answer").is_visible()
    let_run_out(seconds=-45)
    look_again(page)
    page.wait_for_selector(".seat-map-clock.is-soon")

    press(page, "تمدید")
    page.wait_for_selector(".seat-map-clock:not(.is-soon)")
    press(page, "پس دادن")

    sees(page, "A1 A2", "free")
    assert page.locator(".seat-map-hold").count() == 0
    assert not Seat.objects.filter(status="locked").exists()


def test_what_the_page_shows_is_told_to_be_old_while_the_office_is_away(page):
    page.context.set_offline(True)
    look_again(page)
    stale = page.locator("#seat-map-stale")
    stale.wait_for()
    assert "سامانه پاسخ نمی‌دهد؛ نقشه وضعیت ساعت" in stale.inner_text()
    assert "سامانه پاسخ نمی‌دهد" in page.inner_text("#seat-map-says")
    assert page.inner_text("#seat-map-fresh") == ""

    page.context.set_offline(False)
    press(page, "تلاش دوباره")

    stale.wait_for(state="hidden")
    page.wait_for_selector("#seat-map-fresh:not(:empty)")


def test_a_session_that_is_over_is_told_with_the_way_back(page):
    choose(page, "A1")
    page.context.clear_cookies()

    press(page, "نگه‌داری موقت")

    page.get_by_role("link", name="ورود دوباره").wait_for()
    sees(page, "A1", "chosen")


def test_the_page_rests_while_nobody_looks_and_asks_ever_less_in_vain(page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    page.clock.pause_at("2027-01-01")
    hide(page, True)
    asked.clear()
    page.clock.run_for(60_000)
    assert asked == []

    no_answers(page)
    hide(page, False)
    page.wait_for_selector("#seat-map-stale:visible")
    for count, seconds in enumerate((3, 6, 12), start=1):
        page.wait_for_timeout(150)  # for the answer of the last one to be read
        page.clock.run_for(seconds * 1000 - 100)
        assert len(asked) == count
        with page.expect_request("**/map/state/"):
            page.clock.run_for(200)


def hide(page, is_hidden):
    page.evaluate(
        "value => Object.defineProperty(document, 'hidden', {value, configurable: true})", is_hidden
    )
    look_again(page)


def test_a_plan_that_changed_is_offered_and_takes_nothing_away(page, hall):
    choose(page, "A1")
    Seat.objects.create(event=hall, seat_number="C1", row="C", row_position=3, position=1)

    look_again(page)

    page.get_by_text("صندلی‌هایی در نقشه افزوده").wait_for()
    sees(page, "A1", "chosen")
    press(page, "بارگذاری دوبارهٔ نقشه")
    sees(page, "C1", "free")


def test_blocking_and_clearing_are_for_those_who_may(page, make_page, make_user, hall, cashier):
    boss = make_user("boss", *(f"reservations.{name}" for name in ("view_seat", "change_seat")))
    other = open_map(make_page(boss), hall)
    choose(other, "A1")
    press(other, "مسدود کردن")
    other.get_by_label("دلیل").fill("دید محدود")
    other.keyboard.press("Enter")
    sees(other, "A1", "blocked")
    assert not other.get_by_role("button", name="پاک‌سازی قفل‌های منقضی").is_visible()

    choose(other, "A1")
    press(other, "رفع مسدودی")
    sees(other, "A1", "free")

    hold(hall, cashier, "A2", "A3")
    let_run_out()
    choose(page, "A4")
    assert not page.get_by_role("button", name="مسدود کردن").is_visible()
    press(page, "پاک‌سازی قفل‌های منقضی")
    told(page, "قفل منقضی پاک‌سازی شد")
    assert not Seat.objects.filter(status="locked").exists()


def test_two_thousand_seats_are_drawn_at_once(make_page, cashier):
    page = open_map(make_page(cashier), make_hall(rows=40, columns=50))
    assert page.locator(".seat").count() == 2000

    took = page.evaluate("performance.getEntriesByName('seat-map-drawn')[0].duration")

    print(f"2,000 seats were drawn in {took:.0f} ms")
    assert took < 600  # 200 on a machine that does nothing else


def test_on_a_telephone_only_the_hall_scrolls_sideways(make_page, cashier, hall):
    page = open_map(make_page(cashier, viewport=(390, 844)), hall)

    width, inside, outside = page.evaluate(
        "[document.documentElement.scrollWidth,"
        " document.getElementById('seat-map-hall').scrollWidth,"
        " document.getElementById('seat-map-hall').clientWidth]"
    )

    assert width == 390
    assert inside > outside
