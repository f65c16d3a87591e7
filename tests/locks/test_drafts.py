"""What somebody typed and could not save: whose it is, how long, and how it comes back."""

import datetime
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice import drafts, locks, tasks
from backoffice.clock import database_now
from backoffice.drafts import EditDraft
from backoffice.lock_requests import EditRequest
from inventory.models import DocumentLine, ReceiptPermanent
from orders.models import Package, ProviderIntegration
from reservations.models import Event
from tests.inventory.factories import make_item, make_line, make_party, make_receipt
from tests.locks.pages import Person
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS
from tests.orders.factories import make_integration, make_package
from tests.reservations.factories import make_event


@pytest.fixture
def mary(make_user, receipt):
    return Person(make_user("mary", *RIGHTS, *LINE_RIGHTS, first_name="مریم"), receipt)


@pytest.fixture
def ali(make_user, receipt):
    return Person(make_user("ali", *RIGHTS, *LINE_RIGHTS, first_name="علی"), receipt)


@pytest.fixture
def boss(make_user):
    return make_user("boss", is_superuser=True)


def draft_of(person):
    return drafts.of(type(person.obj), person.obj.pk, person.user)


def text_of(person):
    return person.page.content.decode()


# Keeping


def test_a_draft_is_kept_for_its_person_alone(mary, ali):
    response = mary.keep(mary.open() | {"description": "نوشتهٔ مریم"})

    assert response.status_code == 200
    assert ["description", "نوشتهٔ مریم"] in draft_of(mary).fields
    assert draft_of(ali) is None
    assert "edit_lock_draft" not in ali.client.get(ali.address()).context


def test_keeping_a_draft_touches_neither_document_nor_lock(mary, receipt):
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)

    mary.keep(mary.open() | {"description": "نوشتهٔ مریم"})

    assert ReceiptPermanent.objects.values().get(pk=receipt.pk) == before


def test_the_next_draft_takes_the_place_of_the_last(mary):
    fields = mary.open()
    mary.keep(fields | {"description": "یک"})
    EditDraft.objects.update(saved_at=timezone.now() - timedelta(days=1))

    mary.keep(fields | {"description": "دو"})

    draft = EditDraft.objects.get()
    assert ["description", "دو"] in draft.fields
    assert timezone.now() - draft.saved_at < timedelta(minutes=1)


def test_a_draft_leaves_out_what_nobody_typed(mary):
    mary.keep(mary.open() | {"_save": "yes", "csrfmiddlewaretoken": "x"})

    names = {name for name, _value in draft_of(mary).fields}
    assert not [name for name in names if name.startswith(("_", "editing_", "csrf"))]
    assert {"description", "lines-0-id", "lines-TOTAL_FORMS"} <= names


def keep_credentials(boss):
    person = Person(boss, make_integration())
    fields = person.open() | {"name": "نام تازه", "new_credentials": "kod=geheim"}
    return person, person.keep(fields)


def test_no_secret_is_in_a_draft(boss):
    person, _response = keep_credentials(boss)

    names = [name for name, _value in draft_of(person).fields]
    assert "new_credentials" not in names
    assert "name" in names
    assert "geheim" not in str(EditDraft.objects.values().get())


def test_control_without_its_mark_the_secret_would_be_kept(boss, monkeypatch):
    monkeypatch.setattr("orders.forms.CredentialsWidget.holds_secret", False)

    keep_credentials(boss)

    assert "geheim" in str(EditDraft.objects.values().get())


def test_what_is_too_much_for_a_draft_is_refused_in_words(mary):
    response = mary.keep(mary.open() | {"description": "ب" * (drafts.LARGEST + 1)})

    assert response.status_code == 413
    assert "پیش‌نویس" in response.json()["message"]
    assert not EditDraft.objects.exists()


@pytest.mark.parametrize("step", ["lock_draft", "lock_draft_discard"])
def test_drafts_are_not_touched_by_a_get_or_without_the_right(client, make_user, receipt, step):
    reader = Person(make_user("reader", "inventory.view_receiptpermanent"), receipt)
    fields = {"description": "x"}

    assert reader.client.get(reader.address(step)).status_code == 405
    assert reader.client.post(reader.address(step), fields).status_code == 403
    assert not EditDraft.objects.exists()


def test_a_document_that_is_gone_takes_no_draft(mary, receipt):
    fields = mary.open()
    address = mary.address("lock_draft")
    ReceiptPermanent.objects.filter(pk=receipt.pk).delete()

    assert mary.client.post(address, fields).status_code == 404
    assert not EditDraft.objects.exists()


# Throwing away


def test_a_draft_thrown_away_is_gone_and_a_colleagues_is_not(mary, ali):
    for person in (mary, ali):
        person.keep(person.open() | {"description": "نوشته"})

    assert mary.client.post(mary.address("lock_draft_discard")).status_code == 200
    assert [draft.user for draft in EditDraft.objects.all()] == [ali.user]


def test_the_save_that_goes_through_ends_the_draft(mary):
    fields = mary.open() | {"description": "نوشتهٔ مریم"}
    mary.keep(fields)

    assert mary.save(fields).status_code == 302
    assert not EditDraft.objects.exists()


def test_a_form_with_mistakes_leaves_the_draft(mary):
    fields = mary.open() | {"document_date": "فردا"}
    mary.keep(fields)

    assert mary.save(fields).status_code == 200
    assert draft_of(mary)


def test_drafts_end_after_two_weeks(mary, ali):
    for person, days in ((mary, 13), (ali, 15)):
        person.keep(person.open() | {"description": "نوشته"})
        then = database_now() - timedelta(days=days)
        EditDraft.objects.filter(user=person.user).update(saved_at=then)

    assert (draft_of(ali), drafts.purge()) == (None, 1)
    assert list(EditDraft.objects.all()) == [draft_of(mary)]


def test_the_drafts_of_a_deleted_document_are_purged_with_old_requests(mary, ali, receipt):
    other = Person(mary.user, make_receipt())
    for person in (mary, other):
        person.keep(person.open() | {"description": "نوشته"})
    EditDraft.objects.create(
        user=ali.user, target_model="gone.Model", target_id="1", version=1, base={}, fields=[]
    )
    long_ago = database_now() - timedelta(days=2)
    EditRequest.objects.create(asker=ali.user, ticket="x", asked_at=long_ago)
    ReceiptPermanent.objects.filter(pk=receipt.pk).delete()

    assert tasks.purge_drafts() == 3
    assert EditDraft.objects.get() == draft_of(other)
    assert not EditRequest.objects.exists()


# Coming back


def test_a_draft_is_offered_and_opening_with_it_changes_nothing(mary, receipt):
    mary.keep(mary.open() | {"description": "نوشتهٔ مریم"})
    before = ReceiptPermanent.objects.values().get(pk=receipt.pk)

    mary.open()
    assert mary.page.context["edit_lock_draft"]["restored"] is False
    restored = mary.open(restore=True)

    assert restored["description"] == "نوشتهٔ مریم"
    assert mary.page.context["edit_lock_draft"]["restored"] is True
    assert ReceiptPermanent.objects.values().get(pk=receipt.pk) == before
    assert draft_of(mary)


def test_a_draft_that_says_what_the_document_says_is_not_offered(mary, receipt):
    mary.keep(mary.open() | {"description": "نوشتهٔ مریم"})
    ReceiptPermanent.objects.filter(pk=receipt.pk).update(description="نوشتهٔ مریم")

    mary.open()

    assert "edit_lock_draft" not in mary.page.context
    assert "?draft=restore" not in text_of(mary)


def test_only_what_the_person_changed_is_laid_over_the_document(mary, ali):
    ali_fields = ali.open()
    mary.keep(mary.open() | {"description": "نوشتهٔ مریم", "lines-0-notes": "یادداشت مریم"})
    ali.save(ali_fields | {"document_date": "۱۴۰۵/۰۸/۰۱", "lines-0-entered_quantity": "12"})

    restored = mary.open(restore=True)

    assert restored["description"] == "نوشتهٔ مریم"
    assert restored["lines-0-notes"] == "یادداشت مریم"
    assert restored["document_date"] == "۱۴۰۵/۰۸/۰۱"
    assert restored["lines-0-entered_quantity"] == "۱۲"
    assert restored["editing_version"] == "2"
    fields = {change.field for change in mary.page.context["edit_lock_changes"]}
    assert fields == {"تاریخ سند", "مقدار واردشده"}


def test_control_without_its_base_a_draft_would_undo_the_colleagues_work(mary, ali):
    ali_fields = ali.open()
    mary.keep(mary.open() | {"description": "نوشتهٔ مریم", "editing_base": "forged"})
    ali.save(ali_fields | {"document_date": "۱۴۰۵/۰۸/۰۱"})

    restored = mary.open(restore=True)

    assert draft_of(mary).base == {}
    assert restored["document_date"] == "۱۴۰۵/۰۷/۱۵"


def test_a_restored_page_can_be_saved(mary, ali, receipt):
    ali_fields = ali.open()
    mary.keep(mary.open() | {"description": "نوشتهٔ مریم"})
    ali.save(ali_fields | {"document_date": "۱۴۰۵/۰۸/۰۱"})

    assert mary.save(mary.open(restore=True)).status_code == 302

    receipt.refresh_from_db()
    assert receipt.description == "نوشتهٔ مریم"
    assert receipt.document_date == datetime.date(2026, 10, 23)
    assert not EditDraft.objects.exists()


def new_line(fields, **values):
    """Return a form's fields with one more line."""
    number = int(fields["lines-TOTAL_FORMS"])
    item = make_item()
    values = {"item": item.pk, "unit": item.base_unit_id, **values}
    line = {f"lines-{number}-{name}": str(value) for name, value in values.items()}
    return fields | line | {"lines-TOTAL_FORMS": str(number + 1), f"lines-{number}-id": ""}


def test_a_new_line_comes_back_and_is_saved(mary, receipt):
    mary.keep(new_line(mary.open(), entered_quantity="۳٫۵", notes="تازه"))

    restored = mary.open(restore=True)
    assert restored["lines-1-entered_quantity"] == "۳٫۵"
    assert restored["lines-TOTAL_FORMS"] == "2"
    assert mary.save(restored | {"lines-1-entered_quantity": "3"}).status_code == 302

    line = DocumentLine.objects.get(notes="تازه")
    assert (line.document_id, line.row_no, line.entered_quantity) == (receipt.pk, 2, Decimal(3))


def test_a_line_that_was_to_be_deleted_is_marked_again(mary, receipt):
    make_line(receipt, row_no=2)
    mary.keep(mary.open() | {"lines-1-DELETE": "on"})

    restored = mary.open(restore=True)

    assert restored["lines-1-DELETE"] == "on"
    assert "lines-0-DELETE" not in restored
    assert receipt.lines.count() == 2


def test_a_line_that_somebody_deleted_comes_back_as_a_new_one_with_his_name(mary, ali, receipt):
    make_line(receipt, row_no=2)
    ali_fields = ali.open()
    mary.keep(mary.open() | {"lines-1-notes": "یادداشت مریم"})
    ali.save(ali_fields | {"lines-1-DELETE": "on"})

    restored = mary.open(restore=True)

    assert "علی این ردیف را حذف کرد. با ذخیره، دوباره افزوده می‌شود." in text_of(mary)
    assert (restored["lines-1-id"], restored["lines-1-notes"]) == ("", "یادداشت مریم")
    assert mary.save(restored).status_code == 302
    assert [line.notes for line in receipt.lines.all()] == ["", "یادداشت مریم"]


def test_a_line_that_only_somebody_else_touched_stays_deleted(mary, ali, receipt):
    make_line(receipt, row_no=2)
    ali_fields = ali.open()
    mary.keep(mary.open() | {"description": "نوشتهٔ مریم"})
    ali.save(ali_fields | {"lines-1-DELETE": "on"})

    restored = mary.open(restore=True)

    assert restored["lines-TOTAL_FORMS"] == "1"
    assert [change.kind for change in mary.page.context["edit_lock_changes"]] == ["deleted"]


def test_a_line_that_somebody_added_stays_beside_ones_own(mary, ali):
    ali_fields = ali.open()
    mary.keep(new_line(mary.open(), entered_quantity="3", notes="از مریم"))
    ali.save(new_line(ali_fields, entered_quantity="4", notes="از علی"))

    restored = mary.open(restore=True)

    notes = [restored[f"lines-{number}-notes"] for number in range(3)]
    assert notes == ["", "از علی", "از مریم"]


def test_what_can_not_be_read_comes_back_as_it_was_typed(mary):
    mary.keep(mary.open() | {"document_date": "فردا", "lines-0-entered_quantity": "ده تا"})

    restored = mary.open(restore=True)

    assert (restored["document_date"], restored["lines-0-entered_quantity"]) == ("فردا", "ده تا")


def test_dates_and_chosen_rows_come_back(mary):
    supplier, item = make_party("P7", "تأمین آریا", is_supplier=True), make_item(name="کابل")
    typed = {"document_date": "1405-07-02", "supplier": supplier.pk, "lines-0-item": item.pk}
    mary.keep(mary.open() | typed)

    restored = mary.open(restore=True)

    assert restored["document_date"] == "۱۴۰۵/۰۷/۰۲"
    assert (restored["supplier"], restored["lines-0-item"]) == (str(supplier.pk), str(item.pk))
    assert "تأمین آریا" in text_of(mary)
    assert "کابل" in text_of(mary)


def test_day_and_time_come_back(boss):
    person = Person(boss, make_event())
    typed = {"starts_at_0": "۱۴۰۵/۰۹/۰۲", "starts_at_1": "۱۹:۳۰"}
    person.keep(person.open() | typed)

    restored = person.open(restore=True)

    assert (restored["starts_at_0"], restored["starts_at_1"]) == ("۱۴۰۵/۰۹/۰۲", "۱۹:۳۰")
    assert {name: restored[name] for name in ("name", "venue")} == {
        name: getattr(Event.objects.get(), name) for name in ("name", "venue")
    }


def test_a_box_that_was_unticked_comes_back_so(boss):
    package = make_package(make_integration())
    person = Person(boss, package)
    fields = person.open()
    person.keep({name: fields[name] for name in fields if not name.endswith("is_active")})

    restored = person.open(restore=True)

    assert "is_active" not in restored
    assert "routings-0-is_active" not in restored
    assert Package.objects.get().is_active


def test_a_mapping_in_json_comes_back(boss):
    person = Person(boss, make_package(make_integration()))
    fields = person.open()
    person.keep(fields | {"routings-0-field_mapping": '{"oyuncu_bilgi": "extra_field"}'})
    assert "extra_field" in person.open(restore=True)["routings-0-field_mapping"]

    person.keep(fields | {"routings-0-field_mapping": '{"oyuncu'})
    assert person.open(restore=True)["routings-0-field_mapping"] == '{"oyuncu'


def test_nothing_but_the_secret_comes_back_of_an_integration(boss):
    person, _response = keep_credentials(boss)

    restored = person.open(restore=True)

    assert (restored["name"], restored["new_credentials"]) == ("نام تازه", "")
    assert ProviderIntegration.objects.get().name != "نام تازه"


def test_nothing_is_restored_into_a_document_that_another_edits(mary, ali, receipt):
    mary.keep(mary.open() | {"description": "نوشتهٔ مریم"})
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali.user, version=1)

    restored = mary.open(restore=True)

    assert "description" not in restored
    assert "نوشتهٔ مریم" not in text_of(mary)
    assert draft_of(mary)


def test_a_long_draft_costs_no_more_queries_than_the_page_without_it(mary, ali, receipt):
    """Chosen rows are named one by one by Django's own boxes, with a draft and without."""
    for row_no in range(2, 41):
        make_line(receipt, row_no=row_no)
    fields = mary.open()
    typed = {f"lines-{number}-notes": f"یادداشت {number}" for number in range(40)}

    def queries(**how):
        with CaptureQueriesContext(connection) as found:
            mary.open(**how)
        return len(found)

    mary.keep(fields)
    plain = queries()
    mary.keep(fields | {"lines-0-notes": "یادداشت"})
    assert queries(restore=True) - plain < 20
    one = queries(restore=True)
    mary.keep(fields | typed)
    assert queries(restore=True) == one


def test_who_reads_what_another_holds_is_told_of_the_own_draft(mary, ali, receipt):
    mary.keep(mary.open() | {"description": "نوشتهٔ مریم"})
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali.user, version=1)

    mary.open()

    assert "پس از آزاد شدن سند می‌توانید آن را بازیابی کنید" in text_of(mary)
    assert "?draft=restore" not in text_of(mary)
