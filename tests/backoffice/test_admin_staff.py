import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse

from backoffice import roles

LIST = reverse("admin:auth_user_changelist")


@pytest.fixture
def mary(make_user):
    return make_user("mary", first_name="مریم", last_name="رضایی")


def page(user):
    return reverse("admin:auth_user_change", args=[user.pk])


def bulk(client, action, *users):
    return client.post(LIST, {"action": action, "_selected_action": [user.pk for user in users]})


def test_a_new_account_is_staff_with_its_roles(admin_client):
    roles.ensure_roles()
    role = Group.objects.get(name="انباردار")
    password = "a-Long-pass-1405"

    response = admin_client.post(
        reverse("admin:auth_user_add"),
        {"username": "ali", "password1": password, "password2": password, "groups": [role.pk]},
    )

    ali = User.objects.get(username="ali")
    assert response.status_code == 302
    assert (ali.is_staff, ali.is_superuser, list(ali.groups.all())) == (True, False, [role])
    assert ali.check_password(password)


def test_a_weak_password_is_refused(admin_client):
    response = admin_client.post(
        reverse("admin:auth_user_add"),
        {"username": "ali", "password1": "12345678", "password2": "12345678"},
    )

    assert response.context["adminform"].form.errors.keys() == {"password2"}
    assert not User.objects.filter(username="ali").exists()


def test_a_deactivated_account_is_out_at_once(admin_client, client, mary):
    client.force_login(mary)
    inside = client.get(reverse("admin:index")).status_code

    bulk(admin_client, "deactivate", mary)

    assert (inside, client.get(reverse("admin:index")).status_code) == (200, 302)
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(mary.pk)]


def test_a_deactivated_account_comes_back(admin_client, mary):
    bulk(admin_client, "deactivate", mary)
    bulk(admin_client, "activate", mary)

    mary.refresh_from_db()
    assert mary.is_active
    assert LogEntry.objects.count() == 2


def test_nobody_shuts_himself_out(admin_client, admin_user):
    bulk(admin_client, "deactivate", admin_user)
    admin_client.post(page(admin_user), {"username": "admin", "first_name": "مدیر"})

    admin_user.refresh_from_db()
    assert (admin_user.is_active, admin_user.is_superuser) == (True, True)
    assert admin_user.first_name == "مدیر"


def test_an_account_is_never_deleted(admin_client, mary):
    answers = [
        admin_client.post(page(mary).replace("change", "delete"), {"post": "yes"}),
        bulk(admin_client, "delete_selected", mary),
    ]

    assert answers[0].status_code == 403
    assert User.objects.filter(pk=mary.pk).exists()


def test_a_superuser_sets_a_new_password(admin_client, mary):
    address = reverse("admin:auth_user_password_change", args=[mary.pk])
    fields = {"usable_password": "true", "set-password": "1"}
    password = "another-Long-pass-1405"

    response = admin_client.post(address, {"password1": password, "password2": password, **fields})

    mary.refresh_from_db()
    assert response.status_code == 302
    assert mary.check_password(password)


def test_everybody_changes_the_own_password_and_stays_in(client, make_user):
    user = make_user("ali", password="the-Old-pass-1405")
    client.force_login(user)
    new = "the-New-pass-1405"

    response = client.post(
        reverse("admin:password_change"),
        {"old_password": "the-Old-pass-1405", "new_password1": new, "new_password2": new},
    )

    user.refresh_from_db()
    assert response.status_code == 302
    assert user.check_password(new)
    assert client.get(reverse("admin:index")).status_code == 200


def test_the_permissions_of_a_role_are_saved_and_only_these(admin_client):
    roles.ensure_roles()
    role = Group.objects.get(name="گیشه")
    kept = role.permissions.first()

    admin_client.post(
        reverse("admin:auth_group_change", args=[role.pk]),
        {"name": "گیشه", "permissions": [kept.pk]},
    )

    assert list(role.permissions.all()) == [kept]


def test_permissions_that_would_give_nothing_are_not_offered(admin_client, db):
    role = Group.objects.create(name="مهمان")
    forged = Permission.objects.get(codename="change_user")

    response = admin_client.post(
        reverse("admin:auth_group_change", args=[role.pk]),
        {"name": "مهمان", "permissions": [forged.pk]},
    )

    assert response.context["adminform"].form.errors.keys() == {"permissions"}
    assert not role.permissions.exists()


def test_each_permission_is_offered_once_under_its_model(admin_client, db):
    role = Group.objects.create(name="مهمان")

    form = (
        admin_client.get(reverse("admin:auth_group_change", args=[role.pk]))
        .context["adminform"]
        .form
    )

    groups = [choices for _model, choices in form.fields["permissions"].choices]
    offered = [value.value for choices in groups for value, _label in choices]
    assert len(offered) == len(set(offered)) > 100
    assert all(str(label) for choices in groups for _value, label in choices)
