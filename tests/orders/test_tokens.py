import hashlib
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from orders import tokens
from orders.models import Tenant, TenantToken
from tests.orders.factories import make_tenant
from tests.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(make_user):
    return make_user("boss", first_name="مینا", last_name="کاظمی")


@pytest.fixture
def issued(boss):
    return tokens.issue(make_tenant(), "سایت", by=boss)


def used(token, **ago):
    TenantToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now() - timedelta(**ago))
    token.refresh_from_db()
    return token.last_used_at


def test_a_key_is_long_known_by_its_beginning_and_kept_as_a_digest_alone(issued):
    token, plain = issued

    assert plain.startswith("shop_") and len(plain) >= len("shop_") + 43  # 32 bytes in base64
    row = TenantToken.objects.values().get()
    assert row["digest"] == hashlib.sha256(plain.encode()).hexdigest()
    assert (row["last_four"], row["created_by_name"]) == (plain[-4:], "مینا کاظمی")
    assert not any(plain in str(value) for value in row.values())
    assert token.pk == row["id"]


def test_no_two_keys_are_the_same(boss):
    tenant = make_tenant()

    assert len({tokens.issue(tenant, "x", by=boss)[1] for _time in range(20)}) == 20


def test_a_key_tells_whose_it_is(issued):
    token, plain = issued

    assert tokens.holder_of(plain) == token
    assert tokens.holder_of(plain).tenant == make_tenant()


@pytest.mark.parametrize("wrong", ["", "shop_", "shop_x", "کلید", "\x00", "x" * 100_000])
def test_what_is_no_key_is_nobodys(issued, wrong):
    assert tokens.holder_of(wrong) is None


def test_a_digest_is_no_key(issued):
    assert tokens.holder_of(issued[0].digest) is None


def test_a_key_that_was_revoked_is_nobodys_and_says_by_whom(issued, boss):
    token, plain = issued

    assert tokens.revoke(token, by=boss)

    assert tokens.holder_of(plain) is None
    token.refresh_from_db()
    assert token.revoked_by_name == "مینا کاظمی" and token.revoked_at is not None
    assert token.last_used_at is None


def test_a_key_is_revoked_once(issued, boss, make_user):
    token, _plain = issued
    tokens.revoke(token, by=boss)
    first = TenantToken.objects.values().get()

    assert not tokens.revoke(token, by=make_user("late"))

    assert TenantToken.objects.values().get() == first


def test_the_key_of_a_tenant_that_is_not_active_is_nobodys(issued):
    token, plain = issued
    Tenant.objects.update(is_active=False)
    assert tokens.holder_of(plain) is None

    Tenant.objects.update(is_active=True)
    assert tokens.holder_of(plain) == token


def test_revoking_one_key_leaves_the_others(issued, boss):
    other, plain = tokens.issue(make_tenant(), "انبار", by=boss)

    tokens.revoke(issued[0], by=boss)

    assert tokens.holder_of(plain) == other


def test_that_a_key_was_used_is_written_down(issued):
    token, plain = issued
    tokens.holder_of(plain)

    token.refresh_from_db()
    assert timezone.now() - token.last_used_at < timedelta(seconds=10)


def test_within_a_minute_its_use_is_not_written_again(issued, django_assert_num_queries):
    token, plain = issued
    before = used(token, seconds=50)

    with django_assert_num_queries(1):
        tokens.holder_of(plain)

    token.refresh_from_db()
    assert token.last_used_at == before


def test_after_a_minute_its_use_is_written_again(issued, django_assert_num_queries):
    token, plain = issued
    before = used(token, seconds=61)

    with django_assert_num_queries(2):
        tokens.holder_of(plain)

    token.refresh_from_db()
    assert token.last_used_at > before


def test_a_dump_holds_the_digest_and_not_the_key(issued, capsys):
    call_command("dumpdata", "orders.tenanttoken")

    dump = capsys.readouterr().out
    assert issued[0].digest in dump
    assert issued[1] not in dump


@pytest.mark.django_db(transaction=True)
def test_of_two_who_revoke_at_once_one_did_it(issued, make_user):
    people = [make_user("one"), make_user("two")]

    done = at_once(lambda number: tokens.revoke(issued[0], by=people[number]), 2)

    assert sorted(done) == [False, True]
    assert TenantToken.objects.get().revoked_by_name == people[done.index(True)].username
