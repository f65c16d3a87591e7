"""A save that is refused: who changed what, and nothing that was typed is lost."""

import pytest
from django.contrib import admin
from django.urls import reverse

from backoffice import drafts, locks
from backoffice.audit import LockEvent
from backoffice.drafts import EditDraft
from backoffice.lock_inlines import KeptLines
from inventory.models import DocumentLine, ReceiptPermanent
from tests.inventory.factories import make_line
from tests.locks.pages import Person
from tests.locks.test_admin import LINE_RIGHTS, RIGHTS
from tests.locks.test_drafts import new_line

ADD = "inventory.add_receiptpermanent"


@pytest.fixture
def mary(make_user, receipt):
    return Person(make_user("mary", *RIGHTS, *LINE_RIGHTS, ADD, first_name="مریم"), receipt)


@pytest.fixture
def ali(make_user, receipt):
    return Person(make_user("ali", *RIGHTS, *LINE_RIGHTS, first_name="علی"), receipt)


def meanwhile(ali, **changes):
    """Let the colleague save something."""
    assert ali.save(ali.open() | changes).status_code == 302


# A refusal


def test_a_refused_save_tells_who_changed_what(mary, ali, receipt):
    fields = mary.open()
    meanwhile(ali, description="از علی", **{"lines-0-notes": "از علی"})

    response = mary.save(fields | {"description": "از مریم"})

    told = [
        (change.line, change.field, change.now, change.by)
        for change in response.context["edit_lock_changes"]
    ]
    assert response.status_code == 409
    assert told == [
        ("", "شرح", "از علی", "علی"),
        ("ردیف سند ۱", "ملاحظات", "از علی", "علی"),
    ]
    page = response.content.decode()
    assert page.count("این صفحه قدیمی است") == 1
    assert "errornote" not in page
    assert page.index("آنچه در این میان تغییر کرد") < page.index('name="description"')
    receipt.refresh_from_db()
    assert receipt.description == "از علی"


def test_a_refused_page_keeps_every_value_and_every_line(mary, ali, receipt):
    make_line(receipt, row_no=2)
    fields = new_line(mary.open(), entered_quantity="۳", notes="ردیف تازه")
    del fields["csrfmiddlewaretoken"]  # each page has another
    meanwhile(ali, description="از علی")
    typed = fields | {
        "description": "از مریم",
        "lines-0-notes": "یادداشت",
        "lines-1-DELETE": "on",
        "document_date": "۱۴۰۵/۰۸/۰۱",
    }

    mary.save(typed)

    shown = mary.read()
    assert {name: shown.get(name) for name in typed} == typed
    assert receipt.lines.count() == 2


def test_a_forged_base_is_passed_over(mary, ali):
    fields = mary.open() | {"editing_base": "forged:base", "description": "از مریم"}
    meanwhile(ali, description="از علی")

    response = mary.save(fields)

    assert response.status_code == 409
    assert "edit_lock_changes" not in response.context
    assert mary.read()["description"] == "از مریم"


@pytest.mark.parametrize("reason", ["changed", "held"])
def test_a_refused_save_leaves_a_draft_and_its_record(mary, ali, receipt, reason):
    fields = mary.open() | {"description": "از مریم"}
    if reason == "held":
        locks.acquire(ReceiptPermanent, receipt.pk, by=ali.user, version=1)
    else:
        meanwhile(ali, description="از علی")

    response = mary.save(fields)

    draft = drafts.of(ReceiptPermanent, receipt.pk, mary.user)
    assert response.status_code == 409
    assert ["description", "از مریم"] in draft.fields
    assert LockEvent.objects.first().action == "refused"
    assert response.context["edit_lock_draft"]["restore_url"].endswith("/change/?draft=restore")


def test_what_the_save_itself_refuses_leaves_a_draft_too(mary, ali, receipt, monkeypatch):
    fields = mary.open() | {"description": "از مریم"}
    meanwhile(ali, description="از علی")
    monkeypatch.setattr(locks, "look", lambda *args, **kwargs: None)  # he came a moment after it

    response = mary.save(fields)

    assert response.status_code == 409
    assert EditDraft.objects.get().user == mary.user
    assert [change.now for change in response.context["edit_lock_changes"]] == ["از علی"]


def test_a_refusal_is_a_409_also_where_the_form_has_mistakes(mary, ali):
    fields = mary.open() | {"document_date": "فردا", "lines-0-entered_quantity": "ده"}
    meanwhile(ali, description="از علی")

    response = mary.save(fields)

    assert response.status_code == 409
    assert (mary.read()["document_date"], mary.read()["lines-0-entered_quantity"]) == ("فردا", "ده")


def test_what_is_too_much_for_a_draft_is_still_on_the_page(mary, ali, monkeypatch):
    monkeypatch.setattr(drafts, "LARGEST", 10)
    fields = mary.open() | {"description": "از مریم"}
    meanwhile(ali, description="از علی")

    assert mary.save(fields).status_code == 409
    assert mary.read()["description"] == "از مریم"
    assert not EditDraft.objects.exists()


# A line that somebody deleted


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_line_that_somebody_deleted_is_explained_and_keeps_what_was_typed(
    mary, ali, receipt, number
):
    for row_no in (2, 3):
        make_line(receipt, row_no=row_no)
    fields = mary.open() | {f"lines-{each}-notes": f"یادداشت {each}" for each in range(3)}
    meanwhile(ali, **{f"lines-{number}-DELETE": "on"})

    response = mary.save(fields)

    shown = mary.read()
    assert response.status_code == 409
    assert "علی این ردیف را حذف کرد." in response.content.decode()
    assert [shown[f"lines-{each}-notes"] for each in range(3)] == [
        f"یادداشت {each}" for each in range(3)
    ]
    assert "انتخابی معتبر" not in response.content.decode()


def test_the_only_line_deleted_is_no_error_of_the_office(mary, ali, receipt):
    fields = mary.open() | {"lines-0-notes": "یادداشت"}
    meanwhile(ali, **{"lines-0-DELETE": "on"})

    assert mary.save(fields).status_code == 409
    assert mary.read()["lines-0-notes"] == "یادداشت"


def test_control_without_the_guard_of_lines_what_was_typed_is_lost(mary, ali, receipt, monkeypatch):
    for row_no in (2, 3):
        make_line(receipt, row_no=row_no)
    monkeypatch.delattr(KeptLines, "full_clean")
    monkeypatch.delattr(KeptLines, "get_queryset")
    fields = mary.open() | {"lines-2-notes": "یادداشت"}
    meanwhile(ali, **{"lines-0-DELETE": "on"})

    response = mary.save(fields)

    assert "این ردیف را حذف کرد" not in response.content.decode()
    assert "lines-2-notes" not in mary.read()


def test_a_line_that_left_no_history_is_explained_without_a_name(mary, receipt):
    make_line(receipt, row_no=2)
    fields = mary.open() | {"lines-1-notes": "یادداشت"}
    DocumentLine.objects.filter(row_no=2).delete()

    response = mary.save(fields)

    assert "این ردیف در این میان حذف شد." in response.content.decode()
    assert mary.read()["lines-1-notes"] == "یادداشت"


def test_a_line_that_both_deleted_is_no_mistake(mary, receipt):
    make_line(receipt, row_no=2)
    fields = mary.open() | {"lines-1-DELETE": "on", "description": "از مریم"}
    DocumentLine.objects.filter(row_no=2).delete()

    assert mary.save(fields).status_code == 302
    assert receipt.lines.count() == 1


# Giving back


def hold(person):
    answer = person.client.post(person.address("lock_take"), {"version": 1, "token": ""})
    return {"editing_token": answer.json()["token"]}


@pytest.mark.parametrize(
    ("button", "kept"), [("_save", False), ("_addanother", False), ("_continue", True)]
)
def test_a_save_gives_the_lock_back_unless_the_page_stays(mary, receipt, button, kept):
    response = mary.save(mary.open() | hold(mary), button)

    assert response.status_code == 302
    assert ReceiptPermanent.objects.live().filter(pk=receipt.pk).exists() is kept


def test_a_save_in_a_popup_gives_the_lock_back(mary, receipt):
    response = mary.save(mary.open() | hold(mary) | {"_popup": "1", "_to_field": "id"})

    assert response.status_code == 200
    assert "popup_response" in response.content.decode()
    assert not ReceiptPermanent.objects.claimed().exists()


def test_a_form_with_mistakes_keeps_the_lock(mary, receipt):
    mary.save(mary.open() | hold(mary) | {"document_date": "فردا"})

    assert ReceiptPermanent.objects.live().count() == 1


@pytest.fixture
def copies(monkeypatch):
    monkeypatch.setattr(admin.site._registry[ReceiptPermanent], "save_as", True)


def copy(person, fields):
    return person.save(fields | {"draft_number": "D-COPY"}, "_saveasnew")


def test_a_copy_starts_unlocked_and_gives_the_originals_own_lock_back(mary, receipt, copies):
    fields = mary.open() | hold(mary) | {"description": "رونوشت"}

    assert copy(mary, fields).status_code == 302

    made = ReceiptPermanent.objects.get(draft_number="D-COPY")
    assert (made.description, made.version, made.lines.count()) == ("رونوشت", 1, 1)
    assert not ReceiptPermanent.objects.claimed().exists()
    receipt.refresh_from_db()
    assert (receipt.description, receipt.version) == ("برای آزمایش", 1)


def test_a_copy_is_not_refused_by_the_lock_of_its_original(mary, ali, receipt, copies):
    fields = mary.open()
    locks.acquire(ReceiptPermanent, receipt.pk, by=ali.user, version=1)

    assert copy(mary, fields).status_code == 302
    assert ReceiptPermanent.objects.live().get().editing_by == ali.user


def test_who_may_not_add_makes_no_copy(ali, receipt, copies):
    assert copy(ali, ali.open()).status_code == 403
    assert ReceiptPermanent.objects.get() == receipt


# A document that somebody deleted


def gone(mary, ali, receipt):
    """Let a document be deleted under somebody's page; return the answer to its save."""
    make_line(receipt, row_no=2)
    fields = mary.open() | {"description": "از مریم", "lines-1-notes": "یادداشت"}
    sent = {"post": "yes", "editing_version": "1"}
    assert ali.client.post(ali.address("delete"), sent).status_code == 302
    return mary.save(fields)


def test_what_was_typed_into_a_deleted_document_is_still_on_the_page(mary, ali, receipt):
    response = gone(mary, ali, receipt)

    shown = mary.read()
    assert response.status_code == 409
    assert "علی این سند را حذف کرد" in response.content.decode()
    assert (shown["description"], shown["lines-1-notes"]) == ("از مریم", "یادداشت")
    assert not ReceiptPermanent.objects.exists()
    assert LockEvent.objects.first().action == "refused"


def test_it_can_be_saved_as_a_new_one(mary, ali, receipt):
    response = gone(mary, ali, receipt)

    add = reverse("admin:inventory_receiptpermanent_add")
    assert f'action="{add}"' in response.content.decode()
    assert mary.client.post(add, mary.read() | {"_save": "yes"}).status_code == 302
    made = ReceiptPermanent.objects.get()
    assert (made.description, made.version) == ("از مریم", 1)
    assert [line.notes for line in made.lines.all()] == ["", "یادداشت"]


def test_who_may_not_add_sees_it_without_a_button(mary, ali, receipt):
    mary.user.user_permissions.remove(
        *mary.user.user_permissions.filter(codename__startswith="add_")
    )

    response = gone(mary, ali, receipt)

    assert response.status_code == 409
    assert mary.read()["description"] == "از مریم"
    assert 'name="_save"' not in response.content.decode()
    assert reverse("admin:inventory_issuepermanent_changelist") not in response.content.decode()


def test_what_one_person_opened_is_not_saved_in_the_name_of_the_next(mary, ali, receipt):
    fields = mary.open()

    response = ali.save(fields | {"description": "نوشتهٔ مریم"})

    receipt.refresh_from_db()
    assert (response.status_code, receipt.version) == (409, 1)
    assert "نوشتهٔ مریم" in response.content.decode()
    assert receipt.description != "نوشتهٔ مریم"
    assert not EditDraft.objects.exists()
