"""The main job, end to end: three claims that let go, in the running office, over HTTP alone.

A member of staff brings a document as an Excel file, opens it for editing and walks away, holds
two seats, and places an order. The web server, the background cluster and the provider's simulator
are real processes on a database of their own; nothing is called from here and nothing is mocked.
"""

import io
import re
import sys
import time

import openpyxl
import pytest

from tests.processes import wait_for
from tests.staff import Staff, hidden, words

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc"),
]
RECEIPTS = "inventory/receiptpermanent/"
SEATS = "reservations/seat/"
ORDERS = "orders/productorder/"
HEADINGS = ["شماره موقت", "تاریخ سند", "انبار", "ردیف", "کد کالا", "واحد", "مقدار واردشده"]
# What takes minutes in an office takes seconds here. The queue looks at its schedules every 30.
QUICK = {
    "EDIT_LOCK_TIMEOUT_MINUTES": 0.1,
    "EDIT_LOCK_BEAT_SECONDS": 2,
    "SEAT_HOLD_SECONDS": 5,
    "SIMULATOR_FINISH_SECONDS": 2,
    "ORDER_FIRST_CHECK_SECONDS": 1,
    "ORDER_CHECK_DELAYS": 2,
}
WITHIN_SECONDS = 120


def test_three_claims_let_go_by_themselves(make_office, demo_office):
    office = make_office(copy_of=demo_office, **QUICK).start().wait_until_open()
    staff = Staff(office, "supervisor")
    began = time.monotonic()

    document = import_receipt(staff)
    walk_away_from(staff, document)
    seats = hold(staff, "A11", "A12")
    order = place_order(staff)

    def remaining():
        return WITHIN_SECONDS - (time.monotonic() - began)

    see_lock_cleared(staff, document, remaining())
    see_seats_free(staff, seats, remaining())
    see_order_completed(staff, order, remaining())
    see_who_ended_them(staff, "RP-MAIN-JOB", "A11", "A12")
    assert office.stop() == 0


def import_receipt(staff):
    """Bring a receipt of one line; return its id."""
    book = openpyxl.Workbook()
    book.active.append(HEADINGS)
    book.active.append(["RP-MAIN-JOB", "1405/08/20", "W2", 1, "LT-1070", "CTN", 2])
    content = io.BytesIO()
    book.save(content)
    preview = staff.send_form(
        RECEIPTS + "import/", {}, files={"import_file": ("receipt.xlsx", content.getvalue())}
    )
    names = ("import_file_name", "original_file_name", "format", "resource")
    confirmation = hidden(preview.text, *names)
    assert "import_file_name" in confirmation, words(preview.text)
    staff.send_form(RECEIPTS + "process_import/", confirmation)
    return staff.find(RECEIPTS, q="RP-MAIN-JOB")


def walk_away_from(staff, document):
    """Press «شروع ویرایش» and never come back."""
    page = staff.page(f"{RECEIPTS}{document}/change/")
    version = hidden(page, "editing_version")["editing_version"]
    taken = staff.send_form(f"{RECEIPTS}{document}/lock/take/", {"version": version})
    assert taken.status_code == 200
    assert taken.json()["token"]
    assert "edit-lock-mark" in row(staff, RECEIPTS, document)


def hold(staff, *numbers):
    """Hold seats of the concert; return their ids."""
    event = staff.find("reservations/event/", q="concert-yalda")
    seats = [staff.find(SEATS, event__id__exact=event, seat_number=number) for number in numbers]
    staff.send_form(SEATS, {"action": "hold_seats", "_selected_action": seats})
    for seat in seats:
        assert "نگه‌داری موقت فاطمه حسینی" in words(row(staff, SEATS, seat))
    return seats


def place_order(staff):
    """Order a gift card, which comes as a PIN; return the id of the order."""
    fields = {
        "tenant": staff.find("orders/tenant/", code="mehr"),
        "package": staff.find("orders/package/", code="gplay-10"),
        "user_identifier": "mina72@example.com",
        "external_key": "MAIN-JOB",
    }
    staff.send_form(ORDERS + "add/", fields)
    return staff.find(ORDERS, q="MAIN-JOB")


def row(staff, path, pk):
    """Return the row of a list that shows one object."""
    text = staff.page(path, id=pk)
    (found,) = re.findall(r"<tr[^>]*>(?:(?!</tr>).)*action-select(?:(?!</tr>).)*</tr>", text, re.S)
    return found


def see_lock_cleared(staff, document, seconds):
    """Until the row names no editor: a lock that merely ran out is still shown, as such."""
    wait_for(
        lambda: "edit-lock-mark" not in row(staff, RECEIPTS, document),
        seconds=seconds,
        what="the cluster clears the edit lock",
    )


def see_seats_free(staff, seats, seconds):
    for seat in seats:
        wait_for(
            lambda seat=seat: " آزاد -" in words(row(staff, SEATS, seat)),
            seconds=seconds,
            what="the cluster frees the seat",
        )


def see_order_completed(staff, order, seconds):
    wait_for(
        lambda: "تکمیل" in words(row(staff, ORDERS, order)),
        seconds=seconds,
        what="the order is completed",
    )
    shown = staff.send_form(f"{ORDERS}{order}/reveal/", {})
    assert re.search(r'class="code">[A-Z0-9-]{8,}</bdi>', shown.text), words(shown.text)


def see_who_ended_them(staff, *subjects):
    """The log says that each ran out, and that a scheduled task found it."""
    for subject in subjects:
        query = {"action__exact": "ran_out", "source__exact": "schedule", "q": subject}
        assert subject in words(staff.page("backoffice/lockevent/", **query)).partition("دلیل")[2]
