"""The queue's tables in the admin: shown to superusers, and nothing there repeats a task."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.urls import reverse
from django_q import admin as stock
from django_q.models import Failure, OrmQ, Success, Task
from django_q.tasks import async_task

from backoffice.clock import database_now

STOCK = {Success: stock.TaskAdmin, Failure: stock.FailAdmin, OrmQ: stock.QueueAdmin}
ACTIONS = ["delete_selected", "resubmit_task"]
EVERYTHING = {"key": "dispatch", "lock_0": "1405/01/01", "lock_1": "00:00", "post": "yes"}


@pytest.fixture
def rows(db):
    """A row of each table, with a task that must not run again."""
    now = database_now()
    for model in (Success, Failure):
        model.objects.create(
            id=model.__name__,
            name="sent",
            func="orders.tasks.dispatch_order",
            args=(1,),
            cluster="dispatch",
            started=now,
            stopped=now,
            success=model is Success,
        )
    async_task("orders.tasks.dispatch_order", 1, cluster="dispatch")
    OrmQ.objects.update(lock=now + timedelta(hours=1))
    return {Success: "Success", Failure: "Failure", OrmQ: OrmQ.objects.get().pk}


def everything():
    tasks = Task.objects.order_by("pk").values("pk", "func", "attempt_count", "success")
    return list(OrmQ.objects.values()), list(tasks)


def addresses(model, key):
    """Return all addresses that an admin of the site has for a model."""
    names = [pattern.name for pattern in admin.site.get_model_admin(model).get_urls()]
    for name in filter(None, names):
        needs_key = name.endswith(("_change", "_delete", "_history"))
        yield reverse(f"admin:{name}", args=[key] if needs_key else [])


def test_the_library_has_no_action_that_the_tests_forget():
    known = {action.__name__ for model_admin in STOCK.values() for action in model_admin.actions}

    assert known | set(admin.site._actions) <= set(ACTIONS)


@pytest.mark.parametrize("model", STOCK)
def test_no_address_changes_deletes_or_repeats_anything(admin_client, rows, model):
    before = everything()

    for address in addresses(model, rows[model]):
        admin_client.post(address, EVERYTHING)
        admin_client.get(address)
        assert everything() == before, address


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("model", STOCK)
def test_no_action_changes_deletes_or_repeats_anything(admin_client, rows, model, action):
    before = everything()
    (page,) = (a for a in addresses(model, rows[model]) if a.endswith(f"{model.__name__.lower()}/"))

    admin_client.post(page, {"action": action, "_selected_action": [rows[model]], "post": "yes"})

    assert everything() == before


def test_control_the_librarys_own_action_repeats_a_task(rf, rows):
    waiting = OrmQ.objects.count()

    stock.resubmit_task(stock.FailAdmin(Failure, admin.site), rf.post("/"), Failure.objects.all())

    assert OrmQ.objects.count() == waiting + 1
    assert not Failure.objects.exists()


@pytest.mark.parametrize("model", STOCK)
def test_the_cluster_is_told_by_its_name(admin_client, rows, model):
    html = admin_client.get(next(addresses(model, rows[model]))).content.decode()

    assert "پردازشگر ارسال سفارش" in html
    assert "dispatch</td>" not in html
