from datetime import timedelta

import pytest
from django.urls import reverse

from backoffice import claims, clusters, first_page, schedules
from backoffice.clock import database_now
from backoffice.clusters import ClusterSign
from tests.backoffice.factories import make_event, make_run
from tests.backoffice.kinds import make_figure, make_kind


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(first_page, "KINDS", {})
    monkeypatch.setattr(first_page, "FIGURES", {})


def show(*items):
    for item in items:
        registry = first_page.KINDS if isinstance(item, claims.ClaimKind) else first_page.FIGURES
        registry[item.name] = item


@pytest.fixture
def reader(make_user):
    return make_user("reader", "backoffice.view_lockevent")


def numbers(page):
    return [(row.label, row.live.count, row.stale.count) for row in page["busy"]]


def test_each_kind_shows_what_is_held_and_what_ran_out(reader):
    show(make_kind("seat"), make_kind("order"))
    for name in ("seat", "seat", "old seat", "order"):
        make_event(name)

    page = first_page.contents(reader)

    assert numbers(page) == [("seat", 2, 1), ("order", 1, 0)]


def test_a_number_leads_to_its_list(reader):
    show(make_kind("seat"), make_figure("waiting"))
    make_event("seat")

    page = first_page.contents(reader)

    assert page["busy"][0].live.url == reverse("admin:index") + "backoffice/lockevent/?q=seat"
    assert page["busy"][0].stale.url.endswith("?q=old+seat")
    assert page["figures"][0].url.endswith("backoffice/lockevent/?q=waiting")


def test_kinds_without_a_claim_are_put_aside(reader):
    show(make_kind("seat"), make_kind("order"))

    page = first_page.contents(reader)

    assert (page["busy"], [row.label for row in page["quiet"]]) == ([], ["seat", "order"])


def test_nobody_sees_the_numbers_of_a_list_that_is_closed_to_him(make_user):
    show(make_kind("seat"), make_figure("waiting", 3))
    make_event("seat")

    page = first_page.contents(make_user("stranger"))

    assert (page["busy"], page["quiet"], page["figures"]) == ([], [], [])


def test_what_is_not_shown_is_not_counted(make_user):
    def count():
        raise AssertionError("counted for nobody")

    show(make_figure("waiting", count=count))

    assert first_page.contents(make_user("stranger"))["figures"] == []


@pytest.mark.parametrize(("alarming", "count", "alarms"), [(1, 2, 1), (1, 0, 0), (0, 2, 0)])
def test_a_figure_alarms_above_zero_where_it_may(reader, alarming, count, alarms):
    show(make_figure("waiting", count, alarming=bool(alarming)))

    figure = first_page.contents(reader)["figures"][0]

    assert (figure.count, figure.alarming) == (count, bool(alarms))


def test_all_claims_are_counted_in_one_query(reader, django_assert_num_queries):
    for number in range(12):
        make_event(f"kind {number}")
    kinds = [make_kind(f"kind {number}") for number in range(12)]

    with django_assert_num_queries(1):
        rows = first_page.count_claims(kinds)

    assert [row.live.count for row in rows] == [1] * 12


def test_no_kind_takes_no_query(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert first_page.count_claims([]) == []


def test_a_kind_that_is_certainly_empty_counts_zero(reader):
    kinds = [make_kind("seat", rows=lambda: make_kind().rows().none()), make_kind("order")]
    make_event("seat")
    make_event("order")

    rows = first_page.count_claims(kinds)

    assert [(row.live.count, row.stale.count) for row in rows] == [(0, 0), (1, 0)]


def test_the_page_of_an_app_shows_its_own_numbers_only(reader):
    show(make_kind("seat"), make_figure("waiting", view_permission="auth.view_user"))

    page = first_page.contents(reader, "backoffice")

    assert ([row.label for row in page["quiet"]], page["figures"]) == (["seat"], [])
    assert (page["clusters"], page["tasks"]) == ([], [])


# On screen


@pytest.fixture
def page_of(client):
    def get(user, address=None):
        client.force_login(user)
        return client.get(address or reverse("admin:index")).content.decode()

    return get


def test_the_page_links_its_numbers_and_says_what_alarms(page_of, reader):
    show(make_kind("seat"), make_figure("waiting", 3, alarming=True))
    make_event("seat")

    html = page_of(reader)

    assert 'href="/admin/backoffice/lockevent/?q=seat" class="is-busy"' in html
    assert 'class="first-page-card is-alarming"' in html
    assert 'class="first-page-mark"' in html


def test_an_idle_office_looks_calm(page_of, reader):
    for name in clusters.configured():
        clusters.give_sign(name)
    show(make_kind("seat"), make_figure("waiting", 0, alarming=True))

    html = page_of(reader)

    assert "is-alarming" not in html
    assert "first-page-alarm" not in html
    assert "is-busy" not in html


@pytest.mark.parametrize("seen", [False, True])
def test_everybody_hears_which_cluster_is_down(page_of, make_user, seen):
    clusters.give_sign("DjangoORM")
    if seen:
        long_ago = database_now() - timedelta(minutes=30)
        ClusterSign.objects.create(cluster="dispatch", seen_at=long_ago)

    html = page_of(make_user("stranger"))

    assert html.count('class="first-page-alarm"') == 1
    assert "پردازشگر ارسال سفارش در کار نیست" in html
    assert 'id="first-page-cluster"' not in html


def test_the_tasks_are_shown_to_whoever_sees_schedules(page_of, make_user):
    schedules.ensure_schedules()
    schedules.pause("release_expired_locks")
    make_run("heartbeat")
    make_run("clear_stale_edit_locks", minutes_ago=20)
    make_run("check_pending_orders_batch", error="ValueError")

    html = page_of(make_user("boss", "backoffice.view_taskschedule"))

    table = html.split('id="first-page-cluster"')[1].split("</table>")[0]
    assert table.count('class="is-alarming"') == 2
    assert table.count('class="is-paused"') == 1
    assert table.count('class="is-calm"') == len(schedules.SCHEDULED_TASKS) - 3


def test_the_page_takes_as_many_queries_with_many_rows_as_with_few(
    client, reader, django_assert_max_num_queries
):
    schedules.ensure_schedules()
    show(*(make_kind(f"kind {number}") for number in range(15)))
    client.force_login(reader)
    for number in range(15):
        make_event(f"kind {number}")
        make_run("heartbeat")

    with django_assert_max_num_queries(12):
        client.get(reverse("admin:index"))


def test_the_page_of_an_app_has_its_numbers(page_of, reader):
    show(make_kind("seat"))
    make_event("seat")

    html = page_of(reader, reverse("admin:app_list", args=["backoffice"]))

    assert 'href="/admin/backoffice/lockevent/?q=seat" class="is-busy"' in html


def test_what_the_apps_register_is_seen_with_permissions_that_exist(db):
    from django.contrib.auth.models import Permission

    rows = Permission.objects.values_list("content_type__app_label", "codename")
    known = {f"{app}.{codename}" for app, codename in rows}
    items = [*claims.KINDS.values(), *claims.FIGURES.values()]
    named = {item.view_permission for item in items}
    named |= {kind.permission for kind in claims.KINDS.values()}

    assert sorted(named - known) == []


def test_what_the_apps_register_leads_to_lists_that_open(admin_client):
    items = [kind.live_url for kind in claims.KINDS.values()]
    items += [kind.stale_url for kind in claims.KINDS.values()]
    items += [figure.url for figure in claims.FIGURES.values()]

    answers = {url: admin_client.get(reverse("admin:index") + url).status_code for url in items}

    assert answers == dict.fromkeys(items, 200)  # a filter that is unknown would answer 302
