"""What the admin site leaves out, and the kinds of access narrower than permissions."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.urls import NoReverseMatch, reverse
from django_q.models import Failure, OrmQ, Schedule, Success

from backoffice.admin_staff import RoleAdmin, StaffAdmin
from backoffice.site import OfficeAdminSite

FOR_SUPERUSERS = (User, Group, Success, Failure, OrmQ)


@pytest.fixture
def would_be(make_user, client):
    """Return a member of staff who was given every permission there is."""
    from django.contrib.auth.models import Permission

    user = make_user("would-be")
    user.user_permissions.set(Permission.objects.all())
    client.force_login(user)
    return user


def address(model, name="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def test_the_site_is_the_office_s():
    assert isinstance(admin.site, OfficeAdminSite)


def test_the_queue_s_own_admins_are_left_out():
    modules = {type(model_admin).__module__ for model_admin in admin.site._registry.values()}

    assert "django_q.admin" not in modules
    assert not admin.site.is_registered(Schedule)
    with pytest.raises(NoReverseMatch):
        reverse("admin:django_q_schedule_add")


def test_no_action_sends_a_task_to_the_queue_again(admin_client, rf, admin_user):
    request = rf.get("/")
    request.user = admin_user

    for model in (Success, Failure, OrmQ):
        assert admin.site.get_model_admin(model).get_actions(request) == {}


def test_accounts_and_roles_are_the_office_s():
    assert isinstance(admin.site.get_model_admin(User), StaffAdmin)
    assert isinstance(admin.site.get_model_admin(Group), RoleAdmin)


def test_what_staff_work_in_comes_first_as_it_is_declared(rf, admin_user):
    request = rf.get("/")
    request.user = admin_user

    listed = admin.site.get_app_list(request)

    assert [app["app_label"] for app in listed] == [
        *("inventory", "reservations", "orders"),
        *("backoffice", "admin_interface", "auth", "axes", "django_q"),
    ]
    seats = ["Event", "Seat", "Reservation", "Payment"]
    assert [row["object_name"] for row in listed[1]["models"]] == seats


@pytest.mark.parametrize("model", FOR_SUPERUSERS)
def test_no_permission_opens_what_is_for_superusers(client, would_be, model):
    assert client.get(address(model)).status_code == 403


@pytest.mark.parametrize("model", FOR_SUPERUSERS)
def test_superusers_open_it(admin_client, model):
    assert admin_client.get(address(model)).status_code == 200


def test_nobody_gives_himself_more_than_he_has(client, would_be):
    fields = {"username": "would-be", "is_superuser": "on", "is_active": "on"}

    response = client.post(address(User, "change", would_be.pk), fields)

    would_be.refresh_from_db()
    assert (response.status_code, would_be.is_superuser) == (403, False)


def test_the_menu_hides_what_is_for_superusers(client, would_be):
    html = client.get(reverse("admin:index")).content.decode()

    assert not [model for model in FOR_SUPERUSERS if f'href="{address(model)}"' in html]


def test_what_the_queue_carries_is_not_shown(admin_client):
    from django.utils import timezone
    from django_q.tasks import async_task

    now = timezone.now()
    Failure.objects.create(
        id="a" * 32,
        name="failed",
        func="orders.tasks.check",
        args=("arg-s3cret",),
        kwargs={"pin": "pin-s3cret"},
        result="result-s3cret",
        started=now,
        stopped=now,
        success=False,
    )
    async_task("orders.tasks.check", "arg-s3cret")

    for model, key in ((Failure, "a" * 32), (OrmQ, OrmQ.objects.get().pk)):
        pages = [admin_client.get(address(model)), admin_client.get(address(model, "change", key))]
        assert [page.status_code for page in pages] == [200, 200]
        assert not [page for page in pages if "s3cret" in page.content.decode()]


def test_a_row_of_the_queue_that_nobody_signed_is_shown_all_the_same(admin_client):
    OrmQ.objects.create(key="DjangoORM", payload="nonsense")

    assert admin_client.get(address(OrmQ)).status_code == 200


@pytest.mark.parametrize("name", ["taskrun", "lockevent"])
def test_the_office_s_records_are_only_read(admin_client, name):
    from tests.backoffice.factories import make_event, make_run

    row = make_run() if name == "taskrun" else make_event()
    start = reverse(f"admin:backoffice_{name}_changelist")

    assert admin_client.get(start).status_code == 200
    assert admin_client.get(f"{start}{row.pk}/change/").status_code == 200
    assert admin_client.get(f"{start}add/").status_code == 403
    assert admin_client.post(f"{start}{row.pk}/change/", {"name": "x"}).status_code == 403
    assert admin_client.post(f"{start}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert type(row).objects.get() == row
