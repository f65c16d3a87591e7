"""Who may do what: one table of groups and their permissions.

``ensure_roles`` creates the groups and adds what is missing; it takes nothing away, so that a
right given in the admin stays.
"""

from django.contrib.auth.models import Group, Permission

READ = ("view",)
WRITE = ("view", "add", "change", "delete")
FILES = ("import", "export")

DOCUMENTS = (
    "receipttemporary",
    "receiptpermanent",
    "receiptconsignment",
    "issuepermanent",
    "issueconsumption",
    "issueconsignment",
    "stocktakingrecord",
    "stocktakingdeficit",
    "stocktakingsurplus",
)
LINES = ("documentline", "countline")
MASTER_DATA = ("item", "itemcategory", "itemunit", "unit", "warehouse", "orgunit", "party")


def each(app, actions, *models):
    """Return the permissions ``app.action_model``."""
    return {f"{app}.{action}_{model}" for model in models for action in actions}


STOREKEEPER = (
    each("inventory", ("view", "add", "change", *FILES), *DOCUMENTS, *LINES)
    | each("inventory", ("delete",), *LINES)
    | each("inventory", (*READ, "export"), *MASTER_DATA, "fiscalyear")
)
BOX_OFFICE = (
    each("reservations", READ, "event", "seat", "reservation")
    | each("reservations", ("export",), "seat", "reservation")
    | {
        "reservations.hold_seat",
        "reservations.release_expired_seat",
        "reservations.change_reservation",
        "reservations.cancel_reservation",
        "reservations.move_reservation",
    }
)
ORDER_DESK = (
    each("orders", (*READ, "add", *FILES), "productorder")
    | each("orders", READ, "orderattempt", "orderevent", "product", "package", "tenant")
    | each("orders", READ, "orderincident", "integrationstate")
    | each("orders", (*READ, "export"), "orderdecision")
    | {
        "orders.check_productorder",
        "orders.close_orderincident",
        "orders.resend_productorder",
        "orders.deliver_productorder",
        "orders.refund_productorder",
        "orders.reveal_pin_productorder",
        "orders.stop_providerintegration",
    }
)
MANAGE_STOCK = each("inventory", (*WRITE, *FILES), *DOCUMENTS, *LINES, *MASTER_DATA) | each(
    "inventory", (*WRITE, *FILES), "fiscalyear"
)
SUPERVISE = (
    MANAGE_STOCK
    | BOX_OFFICE
    | ORDER_DESK
    | each("reservations", (*WRITE, *FILES), "event", "seat")
    | each("reservations", (*READ, "export"), "payment")
    | each("orders", (*WRITE, *FILES), "product", "package", "tenant", "packagerouting")
    | each("orders", WRITE, "providerintegration")
    | each("orders", (*READ, "export"), "reconciliation")
    | each("orders", READ, "providercost", "pricelisting")
    | each("orders", ("view", "add", "change"), "tenanttoken")
    | each("backoffice", (*READ, "export"), "lockevent")
    | each("backoffice", READ, "taskrun")
    | each("backoffice", ("view", "change"), "taskschedule")
    | {
        "backoffice.release_edit_lock",
        "backoffice.take_over_edit_lock",
        "reservations.release_seat",
        "orders.fetch_pricelisting",
        "orders.release_productorder",
    }
)

ROLES = {
    "انباردار": STOREKEEPER,
    "مدیر انبار": MANAGE_STOCK | {"backoffice.release_edit_lock"},
    "گیشه": BOX_OFFICE,
    "میز سفارش": ORDER_DESK,
    "سرپرست": SUPERVISE,
    "حسابرس": {name for name in SUPERVISE if name.split(".")[1].startswith(("view_", "export_"))},
}


def ensure_roles() -> None:
    """Create the groups and give them what is missing; raise for a permission that is unknown."""
    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for role, names in ROLES.items():
        unknown = sorted(names - known.keys())
        if unknown:
            raise LookupError(f"Role {role} names unknown permissions: {', '.join(unknown)}")
        group, _created = Group.objects.get_or_create(name=role)
        group.permissions.add(*(known[name] for name in names))
