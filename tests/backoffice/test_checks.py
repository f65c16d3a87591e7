import copy
from types import SimpleNamespace

import pytest
from django.conf import settings as office_settings
from django.contrib import admin
from django.contrib.admin.actions import delete_selected
from django.contrib.auth.models import User
from django.db import models
from import_export import resources

from backoffice import checks, environment, schedules
from backoffice.admin import EditLockAdminMixin, EditLockInlineMixin
from backoffice.clusters import configured
from backoffice.imports import LockAwareResource, OfficeImportExportMixin, OfficeResource
from backoffice.lock_actions import changes_documents, reads_only
from backoffice.schedules import ScheduledTask
from backoffice.site import ReadOnlyAdmin
from inventory.models import (
    CountLine,
    DocumentLine,
    Item,
    ReceiptTemporary,
    WarehouseDocument,
)
from orders.models import PackageRouting
from reservations.models import Event


def ids(faults):
    return [fault.id for fault in faults]


@pytest.fixture
def sqlite(monkeypatch, tmp_path):
    database = environment.sqlite(tmp_path / "office.sqlite3")
    monkeypatch.setattr(checks, "settings", SimpleNamespace(DATABASES={"default": database}))
    return database["OPTIONS"]


@pytest.fixture
def queue(settings):
    settings.Q_CLUSTER = copy.deepcopy(office_settings.Q_CLUSTER)
    return settings.Q_CLUSTER


@pytest.fixture
def site(monkeypatch):
    """An admin site of the test's own, the only one that the checks see."""
    own = admin.AdminSite(name="own")
    monkeypatch.setattr(checks, "all_sites", [own])
    yield own
    own._registry.clear()  # Django keeps the site in its own list for as long as it lives


def test_the_office_itself_passes():
    for check in (
        checks.check_sqlite,
        checks.check_queue,
        checks.check_guards,
        checks.check_keys,
        checks.check_schedules,
        checks.check_beats,
    ):
        assert check() == []


def test_sqlite_as_the_office_opens_it_passes(sqlite):
    assert checks.check_sqlite() == []


def test_sqlite_without_a_write_ahead_log_is_refused(sqlite):
    sqlite["init_command"] = "PRAGMA synchronous=NORMAL;"
    assert ids(checks.check_sqlite()) == ["backoffice.E001"]


def test_sqlite_with_deferred_transactions_is_refused(sqlite):
    del sqlite["transaction_mode"]
    assert ids(checks.check_sqlite()) == ["backoffice.E002"]


@pytest.mark.parametrize(
    ("queue_limit", "bulk", "timeout", "seconds"),
    [(50, 10, 25, 400), (50, 10, 90, 1440), (8, 4, 25, 100), (8, 4, 90, 360), (3, 1, 90, 180)],
)
def test_the_longest_wait_counts_the_tasks_before_and_those_on_their_way(
    queue_limit, bulk, timeout, seconds
):
    cluster = {"workers": 4, "queue_limit": queue_limit, "bulk": bulk, "timeout": timeout}
    assert checks.longest_wait(cluster) == seconds


def test_a_retry_that_waiting_tasks_outlive_is_refused(queue):
    queue["retry"] = 360
    assert ids(checks.check_queue()) == ["backoffice.E003"]
    queue["retry"] = 361
    assert checks.check_queue() == []


def test_a_second_cluster_is_judged_by_what_it_says_itself(queue):
    queue["ALT_CLUSTERS"] = {"quick": {"timeout": 30, "retry": 121, "workers": 2, "bulk": 1}}
    assert ids(checks.check_queue()) == ["backoffice.E003"]
    queue["ALT_CLUSTERS"]["quick"]["queue_limit"] = 2
    assert checks.check_queue() == []


def test_clusters_without_a_timeout_are_refused(queue):
    del queue["timeout"]
    assert ids(checks.check_queue()) == ["backoffice.E003"] * len(configured())


def test_an_editable_model_registered_without_the_guard_is_refused(site):
    site.register(Event, admin.ModelAdmin)
    assert ids(checks.check_guards()) == ["backoffice.E004"]


def test_the_guard_must_stand_leftmost(site):
    class Leftmost(EditLockAdminMixin, admin.ModelAdmin):
        pass

    class Behind(OfficeImportExportMixin, EditLockAdminMixin, admin.ModelAdmin):
        resource_classes = [LockAwareResource]

    site.register(Event, Leftmost)
    assert checks.check_guards() == []
    site.unregister(Event)
    site.register(Event, Behind)
    assert ids(checks.check_guards()) == ["backoffice.E004"]


def test_a_list_in_which_documents_are_edited_is_refused(site):
    class Documents(EditLockAdminMixin, admin.ModelAdmin):
        list_display = ["code", "name"]
        list_editable = ["name"]

    site.register(Event, Documents)
    assert ids(checks.check_guards()) == ["backoffice.E009"]


def test_an_inline_of_a_document_without_its_guard_is_refused(site):
    class Unguarded(admin.TabularInline):
        model = DocumentLine

    class Guarded(EditLockInlineMixin, Unguarded):
        pass

    class Documents(EditLockAdminMixin, admin.ModelAdmin):
        inlines = [Unguarded, Guarded]

    site.register(Event, Documents)
    assert ids(checks.check_guards()) == ["backoffice.E005"]


def test_an_editable_model_as_an_inline_elsewhere_is_refused(site):
    class Events(admin.TabularInline):
        model = Event

    site.register(User, type("Users", (admin.ModelAdmin,), {"inlines": [Events]}))
    assert ids(checks.check_guards()) == ["backoffice.E006"]


@pytest.mark.parametrize("base", [resources.ModelResource, OfficeResource])
def test_an_import_that_does_not_know_the_locks_is_refused(site, base):
    class Documents(EditLockAdminMixin, OfficeImportExportMixin, admin.ModelAdmin):
        resource_classes = [type("Unaware", (base,), {})]

    site.register(Event, Documents)
    assert ids(checks.check_guards()) == ["backoffice.E007"]


def test_an_editable_model_as_an_inline_of_another_is_refused(site):
    class Events(EditLockInlineMixin, admin.TabularInline):
        model = Event

    class Documents(EditLockAdminMixin, admin.ModelAdmin):
        inlines = [Events]

    site.register(ReceiptTemporary, Documents)
    assert ids(checks.check_guards()) == ["backoffice.E006"]


def test_an_admin_of_lines_beside_that_of_their_documents_is_refused(site):
    class Lines(EditLockInlineMixin, admin.TabularInline):
        model = DocumentLine

    class Documents(EditLockAdminMixin, admin.ModelAdmin):
        inlines = [Lines]

    site.register(ReceiptTemporary, Documents)
    assert checks.check_guards() == []
    site.register(DocumentLine, admin.ModelAdmin)
    assert ids(checks.check_guards()) == ["backoffice.E011"]


@pytest.mark.parametrize("model", [DocumentLine, CountLine, PackageRouting])
def test_an_admin_of_what_goes_with_its_document_is_refused(site, model):
    site.register(model, admin.ModelAdmin)
    assert ids(checks.check_guards()) == ["backoffice.E011"]


def test_an_admin_that_only_shows_what_goes_with_a_document_is_no_fault(site):
    site.register(PackageRouting, ReadOnlyAdmin)
    assert checks.check_guards() == []


def test_lines_as_an_inline_of_what_they_point_to_are_refused(site):
    class Lines(EditLockInlineMixin, admin.TabularInline):
        model = DocumentLine

    site.register(Item, type("Items", (admin.ModelAdmin,), {"inlines": [Lines]}))
    assert ids(checks.check_guards()) == ["backoffice.E011"]


def approve(modeladmin, request, queryset):
    """An action that does not say what it does to documents."""


@pytest.mark.parametrize("mark", [changes_documents, reads_only])
def test_an_action_that_does_not_say_what_it_does_is_refused(site, mark):
    class Documents(EditLockAdminMixin, admin.ModelAdmin):
        actions = [approve]

    site.register(Event, Documents)
    assert ids(checks.check_guards()) == ["backoffice.E012"]
    Documents.actions = [admin.action(mark(lambda *args: None), description="approve")]
    assert checks.check_guards() == []


def test_an_action_of_the_whole_site_must_say_what_it_does_too(site):
    site.register(Event, type("Documents", (EditLockAdminMixin, admin.ModelAdmin), {}))
    site.add_action(approve)
    assert ids(checks.check_guards()) == ["backoffice.E012"]
    site.register(User, admin.ModelAdmin)  # nobody's document: nothing to say
    site.disable_action("approve")
    assert checks.check_guards() == []


def test_deleting_many_without_its_guard_is_refused(site):
    class Documents(EditLockAdminMixin, admin.ModelAdmin):
        def get_actions(self, request):
            return {"delete_selected": (delete_selected, "delete_selected", "delete")}

    site.register(Event, Documents)
    assert ids(checks.check_guards()) == ["backoffice.E012"]


@pytest.mark.parametrize("page", ["history_form_view", "revision_view", "recover_view"])
def test_a_history_that_brings_old_content_back_past_the_lock_is_refused(site, page):
    documents = type("Documents", (EditLockAdminMixin, admin.ModelAdmin), {page: lambda self: None})
    site.register(Event, documents)
    assert ids(checks.check_guards()) == ["backoffice.E013"]
    documents.reverts_under_lock = True
    assert checks.check_guards() == []


@pytest.mark.parametrize(
    "field",
    [
        WarehouseDocument._meta.get_field("supplier"),
        DocumentLine._meta.get_field("item"),
        PackageRouting._meta.get_field("integration"),
    ],
    ids=str,
)
@pytest.mark.parametrize("on_delete", [models.CASCADE, models.SET_NULL, models.SET_DEFAULT])
def test_a_key_by_which_a_deletion_reaches_documents_is_refused(monkeypatch, field, on_delete):
    monkeypatch.setattr(field.remote_field, "on_delete", on_delete)
    assert ids(checks.check_keys()) == ["backoffice.E014"]


@pytest.mark.parametrize("function", ["backoffice.tasks.no_such_task", "no_such_module.task"])
def test_a_schedule_that_names_a_missing_function_is_refused(monkeypatch, function):
    task = ScheduledTask("broken", function, 1, "broken")
    monkeypatch.setitem(schedules.SCHEDULED_TASKS, "broken", task)
    assert ids(checks.check_schedules()) == ["backoffice.E008"]


def test_a_lock_that_one_late_beat_would_lose_is_warned_of(settings):
    settings.EDIT_LOCK_BEAT_SECONDS, settings.EDIT_LOCK_HIDDEN_BEAT_SECONDS = 10, 20
    settings.EDIT_LOCK_TIMEOUT_MINUTES = 49 / 60
    assert ids(checks.check_beats()) == ["backoffice.W001"]
    settings.EDIT_LOCK_TIMEOUT_MINUTES = 50 / 60
    assert checks.check_beats() == []


def test_a_claim_that_ends_before_the_provider_answered_is_refused(settings):
    settings.PROVIDER_CONNECT_SECONDS, settings.PROVIDER_READ_SECONDS = 5, 20
    settings.ORDER_CLAIM_SECONDS = 50
    assert ids(checks.check_order_claims()) == ["backoffice.E010"]
    settings.ORDER_CLAIM_SECONDS = 51
    assert checks.check_order_claims() == []
