"""Deleting what a document points to never takes the document along while somebody edits it."""

import pytest
from django.db import models
from django.urls import reverse

from backoffice import locks
from inventory.models import DocumentLine, ReceiptPermanent, WarehouseDocument
from tests.inventory.factories import make_party, make_receipt

PARENTS = {
    "warehouse": lambda receipt: receipt.warehouse,
    "fiscal year": lambda receipt: receipt.fiscal_year,
    "supplier": lambda receipt: receipt.supplier,
    "item of a line": lambda receipt: receipt.lines.get().item,
    "unit of a line": lambda receipt: receipt.lines.get().unit,
}
each_parent = pytest.mark.parametrize("parent_of", PARENTS.values(), ids=PARENTS)


@pytest.fixture
def receipt(db, make_user):
    """A receipt that somebody edits."""
    receipt = make_receipt(supplier=make_party())
    locks.acquire(ReceiptPermanent, receipt.pk, by=make_user("holder"), version=1)
    return receipt


def content():
    """Return all columns of all documents and their lines."""
    return list(WarehouseDocument.objects.values()), list(DocumentLine.objects.values())


def address(obj, page, *args):
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{page}", args=args)


def delete(client, obj):
    return client.post(address(obj, "delete", obj.pk), {"post": "yes"})


def delete_from_list(client, obj, across):
    chosen = {"action": "delete_selected", "_selected_action": obj.pk, "select_across": across}
    return client.post(address(obj, "changelist"), chosen | {"post": "yes"})


@each_parent
def test_a_parent_of_a_document_that_is_edited_is_not_deleted(admin_client, receipt, parent_of):
    parent, before = parent_of(receipt), content()

    delete(admin_client, parent)

    assert type(parent).objects.filter(pk=parent.pk).exists()
    assert content() == before


@each_parent
@pytest.mark.parametrize("across", ["0", "1"])
def test_nor_with_others_from_its_list(admin_client, receipt, parent_of, across):
    parent, before = parent_of(receipt), content()

    delete_from_list(admin_client, parent, across)

    assert type(parent).objects.filter(pk=parent.pk).exists()
    assert content() == before


@pytest.mark.parametrize(
    ("model", "name", "parent_of"),
    [
        (WarehouseDocument, "warehouse", PARENTS["warehouse"]),
        (DocumentLine, "item", PARENTS["item of a line"]),
    ],
)
def test_control_by_a_cascade_what_somebody_edits_changes(
    admin_client, receipt, monkeypatch, model, name, parent_of
):
    monkeypatch.setattr(model._meta.get_field(name).remote_field, "on_delete", models.CASCADE)
    parent, before = parent_of(receipt), content()

    delete(admin_client, parent)

    assert not type(parent).objects.filter(pk=parent.pk).exists()
    assert content() != before


def test_deleting_the_holder_s_account_frees_the_document_and_changes_nothing_else(receipt):
    before = WarehouseDocument.objects.values("version", "description").get()

    WarehouseDocument.objects.get().editing_by.delete()

    assert not WarehouseDocument.objects.live().exists()
    assert WarehouseDocument.objects.values("version", "description").get() == before
    assert DocumentLine.objects.count() == 1
