import re
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders import tokens
from orders.models import TenantToken
from tests.orders.factories import make_tenant

pytestmark = pytest.mark.django_db
LIST = reverse("admin:orders_tenanttoken_changelist")
ADD = reverse("admin:orders_tenanttoken_add")
RIGHTS = [f"orders.{verb}_tenanttoken" for verb in ("view", "add", "change")]
PLAIN = re.compile(r"shop_[\w-]{43}")


@pytest.fixture
def boss(make_user):
    return make_user("boss", *RIGHTS, "orders.view_tenant", first_name="مینا")


@pytest.fixture
def page(client, boss):
    client.force_login(boss)
    return client


@pytest.fixture
def token(boss):
    return tokens.issue(make_tenant(name="فروشگاه مهر"), "سایت", by=boss)[0]


def made(page):
    return page.post(ADD, {"tenant": make_tenant().pk, "name": "سایت"})


def revoke_page(token):
    return reverse("admin:orders_tenanttoken_revoke", args=[token.pk])


def change_page(token):
    return reverse("admin:orders_tenanttoken_change", args=[token.pk])


def row():
    return TenantToken.objects.values().get()


# Making


def test_a_key_is_shown_on_the_answer_that_made_it_and_works(page):
    response = made(page)

    [plain] = set(PLAIN.findall(response.content.decode()))
    assert tokens.holder_of(plain).created_by_name == "مینا"
    assert "no-store" in response["Cache-Control"]
    assert response.content.decode().count(plain) == 1


def test_a_key_is_shown_nowhere_again(page):
    [plain] = PLAIN.findall(made(page).content.decode())
    token = TenantToken.objects.get()
    history = reverse("admin:orders_tenanttoken_history", args=[token.pk])

    pages = [LIST, change_page(token), history, revoke_page(token), reverse("admin:index"), ADD]
    for address in pages:
        text = page.get(address).content.decode()
        assert plain not in text and token.digest not in text, address


def test_a_key_that_is_made_is_in_the_history_without_its_text(page, boss):
    [plain] = PLAIN.findall(made(page).content.decode())

    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr, entry.is_addition()) == (boss, "سایت", True)
    assert entry.object_id == str(TenantToken.objects.get().pk)
    told = str(LogEntry.objects.values().get())
    assert plain not in told and TenantToken.objects.get().digest not in told


def test_the_page_of_a_key_to_be_made_makes_none(page):
    assert page.get(ADD).status_code == 200
    assert page.post(ADD, {"tenant": make_tenant().pk, "name": ""}).status_code == 200

    assert not TenantToken.objects.exists() and not LogEntry.objects.exists()


def test_a_page_that_is_sent_twice_makes_one_key_and_shows_it_once(page):
    number = uuid.uuid4()
    content = {"tenant": make_tenant().pk, "name": "سایت", "of_page": str(number)}
    first, again = page.post(ADD, content), page.post(ADD, content)

    assert PLAIN.findall(first.content.decode())
    assert not PLAIN.findall(again.content.decode())
    assert "پیش‌تر ساخته شده" in again.content.decode()
    assert TenantToken.objects.count() == 1


def test_the_page_of_a_key_brings_a_number_of_its_own(page):
    first, again = (page.get(ADD).content.decode() for _number in range(2))
    found = re.compile(r'name="of_page" value="([0-9a-f-]{36})"')
    assert found.search(first)[1] != found.search(again)[1]


@pytest.mark.parametrize("name", RIGHTS[:1] + RIGHTS[2:])
def test_who_may_not_make_keys_makes_none(client, make_user, name):
    client.force_login(make_user("other", name))

    assert made(client).status_code == 403
    assert not TenantToken.objects.exists()


# Revoking


def test_a_key_is_revoked_after_a_second_look(page, token, boss):
    asked = page.get(revoke_page(token))
    assert asked.status_code == 200 and TenantToken.objects.get().revoked_at is None

    response = page.post(revoke_page(token), follow=True)

    assert "توکن باطل شد." in response.content.decode()
    assert row()["revoked_by_name"] == "مینا" and row()["revoked_at"] is not None
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.is_change()) == (boss, str(token.pk), True)


def test_a_key_that_was_revoked_is_not_revoked_again(page, token, make_user):
    tokens.revoke(token, by=make_user("faster"))
    before = row()

    response = page.post(revoke_page(token), follow=True)

    assert "پیش‌تر باطل شده" in response.content.decode()
    assert row() == before and not LogEntry.objects.exists()
    assert page.get(revoke_page(token)).status_code == 302


@pytest.mark.parametrize("rights", [[], RIGHTS[:2], RIGHTS[1:2]])
def test_who_may_not_revoke_keys_revokes_none(client, make_user, token, rights):
    client.force_login(make_user("other", *rights))

    assert client.get(revoke_page(token)).status_code == 403
    assert client.post(revoke_page(token)).status_code == 403
    assert row()["revoked_at"] is None
    if rights == RIGHTS[:2]:
        assert revoke_page(token) not in client.get(change_page(token)).content.decode()


def test_a_key_that_is_none_can_not_be_revoked(page):
    gone = reverse("admin:orders_tenanttoken_revoke", args=[0])

    assert page.post(gone).status_code == 404


def test_nothing_else_of_a_key_can_be_changed(page, token):
    before = row()

    assert page.post(change_page(token), {"name": "x", "revoked_at": ""}).status_code == 403
    delete = reverse("admin:orders_tenanttoken_delete", args=[token.pk])
    assert page.post(delete, {"post": "yes"}).status_code == 403
    assert row() == before


# The list


def test_the_list_says_whose_and_whether_it_is_valid(page, token, boss):
    other, _plain = tokens.issue(make_tenant(), "صندوق", by=boss)
    tokens.revoke(other, by=boss)

    text = page.get(LIST).content.decode()

    assert all(word in text for word in ("فروشگاه مهر", "سایت", token.last_four, "معتبر"))
    assert "به دست مینا" in text and "ساخت توکن" in text


@pytest.mark.parametrize(("state", "name"), [("valid", "سایت"), ("revoked", "صندوق")])
def test_the_list_is_narrowed_by_state(page, token, boss, state, name):
    other, _plain = tokens.issue(make_tenant(), "صندوق", by=boss)
    tokens.revoke(other, by=boss)

    [found] = page.get(LIST, {"state": state}).context["cl"].result_list

    assert found.name == name


def test_a_list_of_three_costs_as_much_as_one_of_one(page, token, boss, django_assert_num_queries):
    page.get(LIST)
    with CaptureQueriesContext(connection) as once:
        page.get(LIST)
    for name in ("دو", "سه"):
        tokens.issue(make_tenant(name), name, by=boss)
    with django_assert_num_queries(len(once)):
        page.get(LIST)
