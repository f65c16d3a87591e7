"""What the admin of an ``EditableModel`` is made of: the guard, its page, its list.

``EditLockAdminMixin`` stands leftmost among the bases, ``EditLockInlineMixin`` on every inline;
``backoffice.checks`` refuses to start without them. The rules are those of ``backoffice.locks``.
"""

from backoffice import persian_admin  # noqa: F401 - makes Django's pages Persian
from backoffice.draft_endpoints import DraftEndpoints
from backoffice.edit_claims import edit_lock_kind
from backoffice.lock_delete import GuardedDelete
from backoffice.lock_endpoints import LockEndpoints
from backoffice.lock_inlines import EditLockInlineMixin
from backoffice.lock_list import LockList
from backoffice.lock_page import LockPage
from backoffice.lock_save import GuardedSave

__all__ = ["EditLockAdminMixin", "EditLockInlineMixin", "edit_lock_kind"]


class EditLockAdminMixin(
    LockEndpoints, DraftEndpoints, LockPage, GuardedSave, GuardedDelete, LockList
):
    """The guard on every way an admin class writes a document."""

    class Media:
        css = {
            "all": [
                "backoffice/edit_lock.css",
                "backoffice/edit_lock_changes.css",
                "backoffice/lock_list.css",
            ]
        }
        js = ["backoffice/edit_lock.js", "backoffice/lock_list.js"]


# The admins of the office's own tables, after what they are made of.
from backoffice import admin_events, admin_schedules, admin_staff  # noqa: E402, F401
