"""Each role against each page and bulk action of the admin, as its site has them.

The tables are for people: a new page or action fails here until somebody has said who gets it.
"""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.urls import NoReverseMatch, reverse

from backoffice import roles
from backoffice.roles import DOCUMENTS, MASTER_DATA, ROLES

KEEPER, MANAGER, BOX_OFFICE, ORDER_DESK, SUPERVISOR, AUDITOR = ROLES
GROUPS = {
    "documents": [f"inventory.{name}" for name in DOCUMENTS],
    "master-data": [f"inventory.{name}" for name in (*MASTER_DATA, "fiscalyear")],
    "superusers-only": [
        *("admin_interface.theme", "auth.group", "auth.user"),
        *("axes.accessattempt", "axes.accessfailurelog", "axes.accesslog"),
        *("django_q.failure", "django_q.ormq", "django_q.success"),
    ],
}
# l list, a add, c change, d delete, i import, e export; a point where it is closed.
PAGES = """
                            keeper  manager box     desk    superv. auditor
documents                   lac.ie  lacdie  ......  ......  lacdie  l....e
master-data                 l....e  lacdie  ......  ......  lacdie  l....e
reservations.event          ......  ......  l.....  ......  lacdie  l....e
reservations.seat           ......  ......  l....e  ......  lacdie  l....e
reservations.reservation    ......  ......  l.c..e  ......  l.c..e  l....e
reservations.payment        ......  ......  ......  ......  l....e  l....e
orders.tenant               ......  ......  ......  l.....  lacdie  l....e
orders.product              ......  ......  ......  l.....  lacdie  l....e
orders.package              ......  ......  ......  l.....  lacdie  l....e
orders.providerintegration  ......  ......  ......  ......  lacd..  l.....
orders.productorder         ......  ......  ......  la..ie  la..ie  l....e
orders.tenanttoken          ......  ......  ......  ......  la....  l.....
orders.orderincident        ......  ......  ......  l.....  l.....  l.....
orders.orderdecision        ......  ......  ......  l....e  l....e  l....e
orders.integrationstate     ......  ......  ......  l.....  l.....  l.....
orders.pricelisting         ......  ......  ......  ......  l.....  l.....
orders.providercost         ......  ......  ......  ......  l.....  l.....
backoffice.lockevent        ......  ......  ......  ......  l....e  l....e
backoffice.taskrun          ......  ......  ......  ......  l.....  l.....
backoffice.taskschedule     ......  ......  ......  ......  l.c...  l.....
superusers-only             ......  ......  ......  ......  ......  ......
"""
# x where a role finds the action in its list; exporting and deleting follow their pages.
ACTIONS = """
                                               keeper manager box desk superv. auditor
documents clear_stale_locks                    x      x       .   .    x       .
documents release_locks                        .      x       .   .    x       .
reservations.event clear_stale_locks           .      .       .   .    x       .
reservations.event release_locks               .      .       .   .    x       .
reservations.seat hold_seats                   .      .       x   .    x       .
reservations.seat extend_holds                 .      .       x   .    x       .
reservations.seat give_back                    .      .       x   .    x       .
reservations.seat reserve                      .      .       x   .    x       .
reservations.seat clear_run_out                .      .       x   .    x       .
reservations.seat release_lock                 .      .       .   .    x       .
reservations.seat block                        .      .       .   .    x       .
reservations.seat unblock                      .      .       .   .    x       .
orders.package clear_stale_locks               .      .       .   .    x       .
orders.package release_locks                   .      .       .   .    x       .
orders.providerintegration clear_stale_locks   .      .       .   .    x       .
orders.providerintegration release_locks       .      .       .   .    x       .
orders.productorder check_status               .      .       .   x    x       .
orders.productorder release_locks              .      .       .   .    x       .
orders.orderincident close_incidents           .      .       .   x    x       .
orders.productorder clear_stale_locks          .      .       .   .    x       .
backoffice.taskschedule run_now                .      .       .   .    x       .
backoffice.taskschedule pause                  .      .       .   .    x       .
backoffice.taskschedule resume                 .      .       .   .    x       .
"""


def read(table, role):
    """Return {(models, action): what the role gets} of a table above."""
    place = list(ROLES).index(role) - len(ROLES)
    known = {}
    for line in table.strip("\n").splitlines()[1:]:
        name, *action = line.split()[: -len(ROLES)]
        for model in GROUPS.get(name, [name]):
            known[" ".join([model, *action])] = line.split()[place]
    return known


def pages_open_to(client, model):
    """Return the letters of the pages that answer this client with something else than 403."""
    start = f"admin:{model._meta.app_label}_{model._meta.model_name}_"

    def is_open(method, name, *args):
        try:
            address = reverse(start + name, args=args)
        except NoReverseMatch:
            return False
        return getattr(client, method)(address).status_code != 403

    answers = {
        "l": is_open("get", "changelist"),
        "a": is_open("get", "add"),
        "c": is_open("post", "change", "0"),
        "d": is_open("get", "delete", "0"),
        "i": is_open("get", "import"),
        "e": is_open("get", "export"),
    }
    return "".join(letter if answer else "." for letter, answer in answers.items())


@pytest.fixture
def login(client, make_user):
    """Return a function that logs the client in as somebody with just this role."""
    roles.ensure_roles()

    def as_role(role):
        user = make_user("someone")
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        return user

    return as_role


@pytest.mark.walk
@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_pages_and_no_other(client, login, role):
    login(role)

    found = {
        model._meta.label_lower: pages_open_to(client, model) for model in admin.site._registry
    }

    assert found == read(PAGES, role)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_finds_its_actions_and_no_other(login, rf, role):
    request = rf.get("/")
    request.user = login(role)
    by_page = {"delete_selected", "export_admin_action"}

    found = {
        f"{model._meta.label_lower} {action}"
        for model, model_admin in admin.site._registry.items()
        if model_admin.has_view_permission(request)
        for action in model_admin.get_actions(request)
        if action not in by_page
    }

    assert sorted(found) == sorted(name for name, got in read(ACTIONS, role).items() if got == "x")


@pytest.mark.parametrize("role", ROLES)
def test_deleting_and_exporting_in_bulk_follow_their_pages(login, rf, role):
    request = rf.get("/")
    request.user = login(role)
    pages = read(PAGES, role)

    for model, model_admin in admin.site._registry.items():
        letters, actions = pages[model._meta.label_lower], model_admin.get_actions(request)
        assert ("delete_selected" in actions) <= ("d" in letters), model
        assert ("export_admin_action" in actions) <= ("e" in letters), model


def test_the_auditor_reads_all_that_any_role_reads():
    def read_by(names):
        return {name for name in names if name.split(".")[1].startswith("view_")}

    assert read_by(ROLES[AUDITOR]) == read_by(set().union(*ROLES.values()))


def test_the_auditor_changes_nothing():
    verbs = {name.split(".")[1].split("_")[0] for name in ROLES[AUDITOR]}

    assert verbs == {"view", "export"}


def test_no_role_gives_rights_over_accounts_or_the_queue():
    apps = {name.split(".")[0] for names in ROLES.values() for name in names}

    assert apps == {"inventory", "reservations", "orders", "backoffice"}


def test_a_storekeeper_imports_no_items(client, login):
    login(KEEPER)

    assert client.get(reverse("admin:inventory_item_import")).status_code == 403
    assert client.get(reverse("admin:inventory_receiptpermanent_import")).status_code == 200


def test_each_role_is_created_with_its_permissions(db):
    roles.ensure_roles()

    for role, names in ROLES.items():
        rows = Permission.objects.filter(group__name=role)
        found = rows.values_list("content_type__app_label", "codename")
        assert {f"{app}.{codename}" for app, codename in found} == names


def test_a_second_set_up_changes_nothing(db):
    def links():
        return sorted(Group.permissions.through.objects.values_list("pk", flat=True))

    roles.ensure_roles()
    before = links()

    roles.ensure_roles()

    assert links() == before


def test_what_was_given_in_the_admin_stays_and_what_is_missing_comes_back(db):
    roles.ensure_roles()
    keeper = Group.objects.get(name=KEEPER)
    given = Permission.objects.get(codename="import_item")
    missing = keeper.permissions.first()
    keeper.permissions.add(given)
    keeper.permissions.remove(missing)

    roles.ensure_roles()

    assert keeper.permissions.filter(pk__in=[given.pk, missing.pk]).count() == 2
    assert keeper.permissions.count() == len(ROLES[KEEPER]) + 1


def test_a_permission_that_does_not_exist_is_named(db, monkeypatch):
    monkeypatch.setitem(ROLES, KEEPER, {"inventory.view_item", "inventory.fly_item"})

    with pytest.raises(LookupError, match=r"unknown permissions: inventory\.fly_item"):
        roles.ensure_roles()
