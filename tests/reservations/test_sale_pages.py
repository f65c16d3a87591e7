"""A reservation after the sale, through HTTP as a browser sends it; and how it is found again."""

from collections import defaultdict

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from backoffice.audit import LockEvent
from reservations import holds, sales
from reservations.admin_sales import ReservationAdmin
from reservations.models import Reservation
from tests import latin
from tests.forms import FormReader
from tests.reservations import invariants
from tests.reservations.factories import make_event, make_sale, make_seat
from tests.reservations.pages import said

LIST = reverse("admin:reservations_reservation_changelist")
RIGHTS = ("view_reservation", "cancel_reservation", "move_reservation")


def address(name, reservation):
    return reverse(f"admin:reservations_reservation_{name}", args=[reservation.pk])


def text_of(response):
    return response.content.decode()


def fields_of(response, form_id):
    """Return what a browser would send for a form, each name with all its values."""
    reader, fields = FormReader(form_id), defaultdict(list)
    reader.feed(text_of(response))
    for name, value in reader.fields:
        fields[name].append(value)
    return fields


@pytest.fixture
def cashier(page, holder, give):
    """Return the browser of somebody who sells, cancels and moves."""
    give(holder, *RIGHTS)
    return page


@pytest.fixture
def sale(holder):
    """Two of five seats at a million each, sold by card."""
    return make_sale(
        holder,
        event=make_event(seats=5, name="کنسرت یلدا"),
        seats=2,
        payment_method="card",
        customer="سارا",
    )


def seats_of(reservation):
    return sorted(reservation.seats.values_list("seat_number", flat=True))


def pks(reservation, *numbers):
    seats = reservation.event.seats
    return [seats.get(seat_number=number).pk for number in numbers]


def as_it_is(reservation):
    rows = Reservation.objects.filter(pk=reservation.pk).values().get()
    return rows, seats_of(reservation), reservation.payments.count(), LogEntry.objects.count()


# Finding it


def found(response):
    return {row.pk for row in response.context["cl"].result_list}


@pytest.mark.parametrize(
    "typed", ["{code}", "{lower}", " {spaced} ", "{dashed}", "{persian}", "{arabic}"]
)
def test_a_whole_code_opens_its_reservation_however_it_is_typed(cashier, sale, typed):
    Reservation.objects.filter(pk=sale.pk).update(reference="K7M2QX9R")
    ways = {"code": "K7M2QX9R", "lower": "k7m2qx9r", "spaced": "k7m2 qx9r", "dashed": "K7M2-QX9R"}
    ways |= {"persian": "k۷m۲qx۹r", "arabic": "K٧M٢QX٩R"}

    answer = cashier.get(LIST, {"q": typed.format(**ways)})

    assert (answer.status_code, answer.url) == (302, address("change", sale))


def test_a_code_sought_in_a_popup_opens_nothing_there(cashier, sale):
    assert found(cashier.get(LIST, {"q": sale.reference, "_popup": "1"})) == {sale.pk}


def test_part_of_a_code_narrows_the_list(cashier, sale, holder):
    make_sale(holder)
    Reservation.objects.filter(pk=sale.pk).update(reference="K7M2QX9R")

    assert found(cashier.get(LIST, {"q": "m2qx"})) == {sale.pk}


@pytest.mark.parametrize("stored", ["09120000101", "+98 912 000 0101", "0912-000-0101"])
@pytest.mark.parametrize(
    "typed",
    [
        "09120000101",
        "۰۹۱۲۰۰۰۰۱۰۱",
        "٠٩١٢٠٠٠٠١٠١",
        "+989120000101",
        "00989120000101",
        "989120000101",
        "9120000101",
        "0912 000 0101",
        "0912-000",
    ],
)
def test_a_phone_is_found_with_any_digits_prefix_and_spaces(cashier, holder, stored, typed):
    make_sale(holder, phone="09350000103")
    sought = make_sale(holder, phone=stored)

    assert found(cashier.get(LIST, {"q": typed})) == {sought.pk}


@pytest.mark.parametrize(
    "stored, typed",
    [
        ("علی کریمی", "علي كريمي"),
        ("علی‌رضا کریمی", "علیرضا"),
        ("شرکت مسئول", "مسیول"),
        ("نسیم تأییدی", "تاییدی"),
        ("گروه ۱۲ نفره", "گروه 12"),
        ("Ali Reza", "reza ali"),
    ],
)
def test_a_customer_is_found_in_any_form_of_the_letters(cashier, holder, stored, typed):
    make_sale(holder, customer="زهرا نوری")
    sought = make_sale(holder, customer=stored)

    assert found(cashier.get(LIST, {"q": typed})) == {sought.pk}


@pytest.mark.parametrize("typed", ["%", "\0", "'", "K7M2QX9Z", "99999999999", "-"])
def test_what_means_nothing_finds_nothing_or_all_and_never_fails(cashier, sale, typed):
    answer = cashier.get(LIST, {"q": typed})

    assert answer.status_code == 200
    assert found(answer) == ({sale.pk} if typed in ("\0", "-") else set())


def test_a_code_opens_nothing_for_who_may_not_see_reservations(page, sale):
    assert page.get(LIST, {"q": sale.reference}).status_code == 403


def test_cancelled_ones_are_marked_and_filtered(cashier, sale, holder):
    other = make_sale(holder)
    sales.cancel(sale.pk, by=holder, reason="x")

    assert found(cashier.get(LIST)) == {sale.pk, other.pk}
    assert found(cashier.get(LIST, {"state": "cancelled"})) == {sale.pk}
    assert found(cashier.get(LIST, {"state": "valid"})) == {other.pk}
    text = text_of(cashier.get(LIST, {"state": "cancelled"}))
    assert f'<s><bdi dir="ltr" class="code">{sale.reference}</bdi></s>' in text
    assert "لغوشده" in text


# The reservation's own page


def test_the_page_offers_what_this_person_may_do(cashier, page, holder, sale):
    links = [address(name, sale) for name in ("ticket", "move", "cancel")]
    assert all(f'href="{link}"' in text_of(cashier.get(address("change", sale))) for link in links)

    holder.user_permissions.remove(*Permission.objects.filter(codename__in=RIGHTS[1:]))

    text = text_of(page.get(address("change", sale)))
    assert [f'href="{link}"' in text for link in links] == [True, False, False]


def test_a_cancelled_reservation_tells_by_whom_and_why_and_offers_nothing(cashier, holder, sale):
    sales.cancel(sale.pk, by=holder, reason="بیماری هنرمند")

    text = text_of(cashier.get(address("change", sale)))

    assert "این رزرو لغو شده است" in text and "بیماری هنرمند" in text and "A1, A2" in text
    assert not any(address(name, sale) in text for name in ("ticket", "move", "cancel"))


@pytest.mark.parametrize("step", ["cancel", "move"])
def test_a_form_that_was_read_before_a_cancelling_or_a_move_undoes_neither(
    cashier, holder, give, sale, monkeypatch, step
):
    """The form reads the reservation, somebody cancels or moves it, the form is stored."""
    give(holder, "change_reservation")
    store, done = ReservationAdmin.save_model, []

    def meanwhile(self, *args):
        if step == "cancel":
            sales.cancel(sale.pk, by=holder, reason="بیماری")
        else:
            sales.move(sale.pk, pks(sale, "A1"), pks(sale, "A3"), by=holder)
        done.append(as_it_is(sale)[:3])
        store(self, *args)

    monkeypatch.setattr(ReservationAdmin, "save_model", meanwhile)
    cashier.post(address("change", sale), {"customer": "سارا احمدی", "phone": ""})

    [(row, *others)] = done
    assert as_it_is(sale)[:3] == (row | {"customer": "سارا احمدی"}, *others)
    invariants.check()


@pytest.mark.parametrize("name", ["cancel", "move"])
def test_nobody_cancels_or_moves_without_the_right(page, holder, give, sale, name):
    give(holder, "view_reservation")
    before = as_it_is(sale)
    fields = {"reason": "x", "method": "card", "from": pks(sale, "A1"), "to": pks(sale, "A3")}

    assert page.get(address(name, sale)).status_code == 403
    assert page.post(address(name, sale), fields).status_code == 403
    assert as_it_is(sale) == before


@pytest.mark.parametrize("name", ["cancel", "move"])
def test_a_form_from_elsewhere_changes_nothing(cashier, holder, sale, name):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(holder)
    before = as_it_is(sale)
    fields = {"reason": "x", "method": "card", "from": pks(sale, "A1"), "to": pks(sale, "A3")}

    assert strict.post(address(name, sale), fields).status_code == 403
    assert as_it_is(sale) == before


@pytest.mark.parametrize("name", ["cancel", "move", "ticket"])
def test_looking_changes_nothing(cashier, sale, name):
    before, events = as_it_is(sale), LockEvent.objects.count()

    assert cashier.get(address(name, sale)).status_code == 200
    chosen = {"from": pks(sale, "A1"), "to": pks(sale, "A3")}
    assert cashier.get(address(name, sale), chosen | {"reason": "x"}).status_code == 200

    assert (as_it_is(sale), LockEvent.objects.count()) == (before, events)


@pytest.mark.parametrize("name", ["cancel", "move"])
def test_the_pages_speak_persian(cashier, sale, name):
    chosen = {"from": pks(sale, "A1"), "to": pks(sale, "A3")} if name == "move" else {}

    text = text_of(cashier.get(address(name, sale), chosen))

    assert latin.latin_phrases(text, {"A"}) == []  # the row
    assert latin.ascii_numbers(text) == []
    assert latin.changed_for_machines(text) == []


# Cancelling


def cancel(browser, reservation, **fields):
    page = browser.get(address("cancel", reservation))
    fields = fields_of(page, "cancel-form") | fields
    return browser.post(address("cancel", reservation), fields, follow=True)


def test_cancelling_asks_why_and_gives_the_money_back_as_it_came(cashier, sale):
    answer = cancel(cashier, sale, reason="بیماری")

    sale.refresh_from_db()
    assert (sale.cancel_reason, seats_of(sale)) == ("بیماری", [])
    assert sale.payments.get(kind="refund").method == "card"
    assert "صندلی A1 آزاد شد" in said(answer) and "صندلی A2 آزاد شد" in said(answer)
    assert "۲٬۰۰۰٬۰۰۰ (کارت بانکی)" in said(answer)
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.change_message) == (str(sale.pk), "لغو شد: بیماری")


def test_without_a_reason_nothing_is_cancelled_and_the_choice_stays(cashier, sale):
    before = as_it_is(sale)

    answer = cancel(cashier, sale, method="cash", reason=" ")

    assert as_it_is(sale) == before
    assert answer.context["form"].errors.keys() == {"reason"}
    assert fields_of(answer, "cancel-form")["method"] == ["cash"]


def test_a_free_ticket_gives_no_money_back(cashier, holder):
    sale = make_sale(holder, payment_method="free")

    answer = cancel(cashier, sale, reason="x", method="cash")
    assert answer.context["form"].errors.keys() == {"method"}
    answer = cancel(cashier, sale, reason="x")

    assert sale.payments.get(kind="refund").method == "free"
    assert "بازپرداخت" not in said(answer)


def test_a_second_click_cancels_nothing_more(cashier, sale):
    page = fields_of(cashier.get(address("cancel", sale)), "cancel-form")
    cancel(cashier, sale, reason="نخست")
    before = as_it_is(sale)

    again = cashier.post(address("cancel", sale), page | {"reason": "دوم"}, follow=True)

    assert as_it_is(sale) == before
    assert "لغو شده است" in said(again)
    invariants.check()


def test_a_reservation_that_somebody_cancelled_meanwhile_is_told(
    cashier, sale, colleague, monkeypatch
):
    really = sales.cancel

    def just_after_another(pk, **kwargs):
        really(pk, by=colleague, reason="زودتر")
        return really(pk, **kwargs)

    monkeypatch.setattr(sales, "cancel", just_after_another)
    answer = cancel(cashier, sale, reason="دیرتر")

    sale.refresh_from_db()
    assert (sale.cancel_reason, sale.payments.count()) == ("زودتر", 2)
    assert "لغو شده است" in said(answer) and not LogEntry.objects.exists()


# Moving


def choose(browser, reservation, leaving, coming, **fields):
    chosen = {"from": pks(reservation, *leaving), "to": pks(reservation, *coming)}
    return browser.get(address("move", reservation), chosen | fields)


def move(browser, page, reservation, **fields):
    fields = fields_of(page, "move-form") | fields
    return browser.post(address("move", reservation), fields, follow=True)


def test_moving_shows_own_and_free_seats_by_row(cashier, holder, sale, colleague):
    holds.hold(sale.event, pks(sale, "A4"), by=colleague)
    make_seat(sale.event, seat_number="B1", row="B", row_position=2, price=700_000)

    plan = cashier.get(address("move", sale)).context["choice"]

    assert [seat.seat_number for seat in plan.own] == ["A1", "A2"]
    rows = {
        row["row"]: [seat.seat_number for seat in row["seats"] if seat.is_free]
        for row in plan.plan()
    }
    assert rows == {"A": ["A3", "A5"], "B": ["B1"]}


@pytest.mark.parametrize(
    "price, shown, paid",
    [
        (1_300_000, "دریافت از مشتری: ۳۰۰٬۰۰۰", 300_000),
        (600_000, "بازپرداخت به مشتری: ۴۰۰٬۰۰۰", -400_000),
        (1_000_000, "بها تفاوتی ندارد", 0),
    ],
)
def test_moving_shows_the_difference_and_then_does_it(cashier, sale, price, shown, paid):
    make_seat(sale.event, seat_number="B1", price=price)

    page = choose(cashier, sale, ["A1"], ["B1"])
    assert shown in text_of(page) and seats_of(sale) == ["A1", "A2"]
    answer = move(cashier, page, sale)

    assert seats_of(sale) == ["A2", "B1"]
    assert sum(sale.payments.filter(kind="difference").values_list("amount", flat=True)) == paid
    assert "صندلی B1 جای صندلی A1 را گرفت" in said(answer)
    assert (f"{abs(paid):,}".replace(",", "٬").translate(DIGITS) in said(answer)) or not paid
    assert LogEntry.objects.get().object_id == str(sale.pk)


DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


def test_the_difference_is_paid_as_was_chosen(cashier, sale):
    make_seat(sale.event, seat_number="B1", price=1_300_000)

    page = choose(cashier, sale, ["A1"], ["B1"])
    assert fields_of(page, "move-form")["method"] == ["card"]
    move(cashier, page, sale, method="cash")

    assert sale.payments.get(kind="difference").method == "cash"


@pytest.mark.parametrize("leaving, coming", [(["A1"], ["A3", "A4"]), (["A1", "A2"], ["A3"])])
def test_another_number_of_seats_is_refused_and_what_was_ticked_stays(
    cashier, sale, leaving, coming
):
    page = choose(cashier, sale, leaving, coming)

    assert page.context["problems"] and "move-form" not in text_of(page)
    ticked = page.context["choice"].ticked()
    assert ticked == {*pks(sale, *leaving), *pks(sale, *coming)}
    assert all(f'value="{pk}"' in text_of(page) for pk in ticked)


def test_a_seat_somebody_just_took_is_named_and_what_was_chosen_stays(cashier, sale, colleague):
    make_seat(sale.event, seat_number="B1", price=1_300_000)
    page = choose(cashier, sale, ["A1", "A2"], ["A3", "B1"])
    holds.hold(sale.event, pks(sale, "A3"), by=colleague)
    before = as_it_is(sale)

    answer = move(cashier, page, sale, method="cash")

    assert as_it_is(sale) == before
    assert "صندلی A3" in "".join(answer.context["problems"])
    assert "علی کریمی" in "".join(answer.context["problems"])
    chosen = fields_of(answer, "move-choice")
    assert chosen["method"] == ["cash"]
    assert chosen["from"] == list(map(str, pks(sale, "A1", "A2")))
    assert chosen["to"] == list(map(str, pks(sale, "B1")))


def test_a_second_click_moves_nothing_more(cashier, sale):
    page = choose(cashier, sale, ["A1"], ["A3"])
    move(cashier, page, sale)
    before = as_it_is(sale)

    again = move(cashier, page, sale)

    assert as_it_is(sale) == before
    assert "همین رزرو" in said(again)
    invariants.check()


def test_a_cancelled_reservation_is_not_moved(cashier, sale, holder):
    page = choose(cashier, sale, ["A1"], ["A3"])
    sales.cancel(sale.pk, by=holder, reason="x")

    answer = move(cashier, page, sale)

    assert seats_of(sale) == [] and "لغو شده است" in said(answer)


@pytest.mark.parametrize("typed", ["x", "-1", "9" * 30, "1e3", "۱۲", ""])
def test_keys_that_are_none_are_passed_over(cashier, sale, typed):
    before = as_it_is(sale)
    chosen = {"from": typed, "to": typed, "method": "card"}

    assert cashier.get(address("move", sale), chosen).status_code == 200
    assert cashier.post(address("move", sale), chosen).status_code == 200
    assert as_it_is(sale) == before


def test_a_large_house_is_shown_by_as_many_queries_as_a_small_one(
    cashier, holder, django_assert_num_queries
):
    cashier.get(address("move", make_sale(holder)))  # the first one fills caches
    for seats in (3, 60):
        sale = make_sale(holder, event=make_event(seats=seats))
        with django_assert_num_queries(6):  # four of them are the login's and its rights
            cashier.get(address("move", sale))
