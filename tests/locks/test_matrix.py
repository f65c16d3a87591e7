"""Every address and every action of every document's admin, while somebody else edits it.

By a superuser, whom no permission stops: nothing of the document or its lines changes, and the
lock stays its holder's. What is walked over comes from the admin site.
"""

import importlib

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.urls import clear_url_caches, path

from backoffice import urls
from inventory.models import ReceiptPermanent
from reservations.models import Event
from tests.locks.walk import MODELS, Walk, unguarded

pytestmark = pytest.mark.walk
# Whose whole purpose is to end somebody else's lock, with a permission and a reason.
ENDS_LOCKS = {"lock_take_over", "release_locks"}
OF_EACH_ADMIN = list({type(admin.site._registry[model]): model for model in MODELS}.values())
# Types of one table share their admin: one of them is walked over here, all by `make prove`.
each_model = pytest.mark.parametrize(
    "model",
    [
        pytest.param(model, marks=() if model in OF_EACH_ADMIN else pytest.mark.storm)
        for model in MODELS
    ],
    ids=lambda model: model.__name__,
)
one_of_each_admin = pytest.mark.parametrize(
    "model", OF_EACH_ADMIN, ids=lambda model: model.__name__
)
# A control says that the walk sees; that it sees each admin is said by `make prove`.
one_of_all = pytest.mark.parametrize(
    "model",
    [
        pytest.param(model, marks=() if model is Event else pytest.mark.storm)
        for model in OF_EACH_ADMIN
    ],
    ids=lambda model: model.__name__,
)


@pytest.fixture
def walk(client, admin_user, make_user):
    """Return a function that begins a walk of a superuser, past somebody's lock."""
    client.force_login(admin_user, "django.contrib.auth.backends.ModelBackend")
    return lambda model: Walk(client, admin_user, make_user("holder"), model)


def changing_addresses(walk):
    return {
        name
        for name, address in walk.addresses()
        for way in (walk.visit, walk.come_late)
        if walk.changed_by(way, address)
    }


def changing_actions(walk):
    return {
        action
        for action in walk.actions()
        for across in ("0", "1")
        for way in (walk.act, walk.act_after_asking)
        if walk.changed_by(way, action, across)
    }


@each_model
def test_no_address_changes_what_another_edits(walk, model):
    assert changing_addresses(walk(model)) <= ENDS_LOCKS


@each_model
def test_no_action_changes_what_another_edits(walk, model):
    assert changing_actions(walk(model)) <= ENDS_LOCKS


@one_of_all
def test_control_without_the_guard_the_walk_finds_changes(walk, model, monkeypatch):
    begun = walk(model)
    expected = {"change", "delete"}
    with unguarded(monkeypatch):
        found = changing_addresses(begun)
        assert changing_actions(begun) - ENDS_LOCKS == {"delete_selected"}

    if hasattr(begun.model_admin, "get_import_resource_classes"):
        expected.add("import")
    assert expected <= found - ENDS_LOCKS


@pytest.fixture
def unguarded_page():
    """A page of receipts, and an action of their list, that know nothing of locks."""
    receipts = admin.site._registry[ReceiptPermanent]
    addresses = receipts.get_urls()
    page = path("<path:object_id>/approve/", approve, name="inventory_receiptpermanent_approve")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receipts, "get_urls", lambda: [page, *addresses])
        patch.setattr(receipts, "actions", [approve_many])
        reload_addresses()
        yield
    reload_addresses()


def approve(request, object_id):
    ReceiptPermanent.objects.filter(pk=object_id).update(description="approved")
    return HttpResponse()


def approve_many(modeladmin, request, queryset):
    queryset.update(description="approved")


def reload_addresses():
    importlib.reload(urls)
    clear_url_caches()


def test_a_new_page_and_a_new_action_are_walked_over_on_arrival(unguarded_page, walk):
    begun = walk(ReceiptPermanent)

    assert changing_addresses(begun) - ENDS_LOCKS == {"approve"}
    assert changing_actions(begun) - ENDS_LOCKS == {"approve_many"}
