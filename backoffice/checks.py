"""What must hold before the office starts; every ``manage.py`` command asks."""

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin.sites import all_sites
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection
from django.db.models import CASCADE, PROTECT, RESTRICT, ForeignKey, Model
from django.http import HttpRequest
from django.utils.module_loading import import_string

from backoffice import append_only
from backoffice.admin import EditLockAdminMixin, EditLockInlineMixin
from backoffice.clusters import configured, longest_wait
from backoffice.imports import LockAwareResource
from backoffice.locks import EditableModel
from backoffice.schedules import SCHEDULED_TASKS
from backoffice.site import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

BEATS_IN_A_TIMEOUT = 2.5
# The pages of the usual packages for a document's history that bring old content back.
REVERTING = ("history_form_view", "revision_view", "revert_view", "recover_view")


@register
def check_sqlite(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """SQLite loses writes under load without a write-ahead log and immediate transactions."""
    faults: list[CheckMessage] = []
    for alias, database in settings.DATABASES.items():
        if database["ENGINE"] != "django.db.backends.sqlite3":
            continue
        options = database.get("OPTIONS", {})
        if "journal_mode=wal" not in options.get("init_command", "").lower().replace(" ", ""):
            faults.append(
                Error(
                    f"The SQLite database '{alias}' is opened without a write-ahead log.",
                    hint="OPTIONS['init_command'] needs PRAGMA journal_mode=WAL.",
                    id="backoffice.E001",
                )
            )
        if options.get("transaction_mode") != "IMMEDIATE":
            faults.append(
                Error(
                    f"The SQLite database '{alias}' begins its transactions deferred.",
                    hint="OPTIONS['transaction_mode'] must be IMMEDIATE.",
                    id="backoffice.E002",
                )
            )
    return faults


@register
def check_queue(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A task that outlives ``retry`` is handed out a second time while it waits or runs."""
    faults: list[CheckMessage] = []
    for name, cluster in configured().items():
        needed = {"workers", "timeout", "retry", "queue_limit"}
        unset = sorted(key for key in needed if not cluster.get(key))
        if unset:
            message = f"The {name} cluster needs {', '.join(unset)} in Q_CLUSTER."
            faults.append(Error(message, id="backoffice.E003"))
        elif longest_wait(cluster) >= cluster["retry"]:
            faults.append(
                Error(
                    f"Waiting tasks of the {name} cluster outlive its retry of "
                    f"{cluster['retry']} s and would run twice.",
                    hint=f"Set retry above {longest_wait(cluster)} s, or lower queue_limit, "
                    "bulk or timeout.",
                    id="backoffice.E003",
                )
            )
    return faults


@register
def check_guards(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every admin, inline, action and import that writes a document goes through its lock."""
    faults: list[CheckMessage] = []
    lines = _roots_of_lines().keys() | set(filter(_goes_with_a_document, apps.get_models()))
    for site in all_sites:
        for model_admin in site._registry.values():
            faults += [
                _fault(model_admin, f"edits {inline.model._meta.label} without its lock", 6)
                for inline in model_admin.inlines
                if issubclass(inline.model, EditableModel)
            ]
            if _is_guarded(model_admin):
                faults += _faults_of_admin(model_admin)
                continue
            edited = {model_admin.model, *(inline.model for inline in model_admin.inlines)}
            reads = isinstance(model_admin, ReadOnlyAdmin)
            if not reads and any(model._meta.concrete_model in lines for model in edited):
                faults.append(
                    _fault(model_admin, "edits lines past the lock of their document", 11)
                )
    return faults


def _is_guarded(model_admin: "ModelAdmin[Any]") -> bool:
    return issubclass(model_admin.model, EditableModel)


def _faults_of_admin(model_admin: "ModelAdmin[Any]") -> list[CheckMessage]:
    if not _stands_leftmost(type(model_admin)):
        return [_fault(model_admin, "needs EditLockAdminMixin as its leftmost base", 4)]
    faults: list[CheckMessage] = []
    if model_admin.list_editable:
        faults.append(_fault(model_admin, "has list_editable, which knows no version", 9))
    faults += [
        _fault(model_admin, f"has {inline.__name__} without EditLockInlineMixin", 5)
        for inline in model_admin.inlines
        if not issubclass(inline, EditLockInlineMixin)
    ]
    if hasattr(model_admin, "get_import_resource_classes"):
        faults += [
            _fault(model_admin, f"imports by {resource.__name__}, no LockAwareResource", 7)
            for resource in model_admin.get_import_resource_classes(None)
            if not issubclass(resource, LockAwareResource)
        ]
    faults += [
        _fault(model_admin, f"has the action {name}, which says not what it does to documents", 12)
        for name, (action, *_told) in _actions(model_admin).items()
        if not hasattr(action, "edit_lock")
    ]
    faults += [
        _fault(model_admin, f"has {view}, which writes old content past the lock", 13)
        for view in REVERTING
        if hasattr(model_admin, view) and not getattr(model_admin, "reverts_under_lock", False)
    ]
    return faults


def _actions(model_admin: "ModelAdmin[Any]") -> dict[str, Any]:
    """Return all actions of a list, those of the site and of other apps' mixins too."""
    request = HttpRequest()
    request.user = get_user_model()(is_active=True, is_superuser=True)
    return model_admin.get_actions(request)


@register
def check_keys(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Nothing that a document or a line of it points to takes it along, or changes it, on going."""
    roots = _roots_of_lines()
    guarded = {model for model in apps.get_models() if issubclass(model, EditableModel)}
    return [
        Error(
            f"Deleting what {field} points to would reach documents past their locks.",
            hint="Use PROTECT or RESTRICT.",
            obj=model,
            id="backoffice.E014",
        )
        for model in sorted(guarded | roots.keys(), key=lambda model: model._meta.label)
        for field in model._meta.local_fields
        if isinstance(field, ForeignKey)
        and field.name != "editing_by"
        and field.remote_field.on_delete not in (PROTECT, RESTRICT)
        # The lines of a document go with it: its deletion asks its lock.
        and field.related_model not in roots.get(model, ())
    ]


def _roots_of_lines() -> dict[type[Model], set[type[Model]]]:
    """Return the documents that each kind of line belongs to."""
    roots: dict[type[Model], set[type[Model]]] = {}
    for site in all_sites:
        for model_admin in filter(_is_guarded, site._registry.values()):
            for inline in model_admin.inlines:
                concrete = model_admin.model._meta.concrete_model
                roots.setdefault(inline.model, set()).add(concrete)
    return roots


def _goes_with_a_document(model: type[Model]) -> bool:
    return not issubclass(model, EditableModel) and any(
        isinstance(field, ForeignKey)
        and field.remote_field.on_delete is CASCADE
        and issubclass(field.related_model, EditableModel)
        for field in model._meta.local_fields
    )


def _stands_leftmost(admin_class: type) -> bool:
    if not issubclass(admin_class, EditLockAdminMixin):
        return False
    bases = admin_class.__mro__
    # What comes before the guard is built on it, so that nothing goes round it.
    return all(
        issubclass(base, EditLockAdminMixin) for base in bases[: bases.index(EditLockAdminMixin)]
    )


def _fault(model_admin: "ModelAdmin[Any]", what: str, number: int) -> CheckMessage:
    return Error(
        f"{type(model_admin).__name__} {what}.",
        hint="docs/locks.md tells how an admin takes part in the locks.",
        obj=model_admin.model,
        id=f"backoffice.E{number:03}",
    )


@register
def check_schedules(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A schedule whose function is missing would fail at every turn, and nobody would see."""
    faults: list[CheckMessage] = []
    for task in SCHEDULED_TASKS.values():
        try:
            import_string(task.function)
        except ImportError as problem:
            faults.append(
                Error(
                    f"The schedule {task.name} names a missing function: {task.function}.",
                    hint=str(problem),
                    id="backoffice.E008",
                )
            )
    return faults


@register
def check_beats(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A lock that lives hardly longer than a beat is lost by one late beat."""
    longest = max(settings.EDIT_LOCK_BEAT_SECONDS, settings.EDIT_LOCK_HIDDEN_BEAT_SECONDS)
    needed = BEATS_IN_A_TIMEOUT * longest
    if needed <= settings.EDIT_LOCK_TIMEOUT_MINUTES * 60:
        return []
    return [
        Warning(
            "EDIT_LOCK_TIMEOUT_MINUTES is shorter than two and a half beats of an open page.",
            hint=f"Set it to {needed / 60:.2f} or more, or lower EDIT_LOCK_BEAT_SECONDS and "
            "EDIT_LOCK_HIDDEN_BEAT_SECONDS.",
            id="backoffice.W001",
        )
    ]


@register(Tags.database)
def check_append_only(
    app_configs: Any = None, databases: Any = None, **kwargs: Any
) -> list[CheckMessage]:
    """A migration that rebuilds an append-only table on SQLite drops its triggers without a word.

    Asked by ``migrate`` and ``check --database default``; a warning, as the migration that mends
    it has to get past.
    """
    if "default" not in (databases or ()):
        return []
    existing = set(connection.introspection.table_names())
    return [
        Warning(
            f"Anybody can change the rows of {table}: its triggers are missing.",
            hint="Add a migration that calls backoffice.append_only.protect.",
            id="backoffice.W002",
        )
        for table in append_only.tables()
        if table in existing and not append_only.is_protected(table)
    ]


@register
def check_order_claims(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Who asks a provider twice in a row still holds the order when the second answer comes."""
    longest = 2 * (settings.PROVIDER_CONNECT_SECONDS + settings.PROVIDER_READ_SECONDS)
    if longest < settings.ORDER_CLAIM_SECONDS:
        return []
    return [
        Error(
            f"An order's claim of {settings.ORDER_CLAIM_SECONDS} s may run out while its "
            "provider is asked.",
            hint=f"Set ORDER_CLAIM_SECONDS above {longest:g}, or lower PROVIDER_READ_SECONDS.",
            id="backoffice.E010",
        )
    ]
