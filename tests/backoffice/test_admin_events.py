import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from backoffice import admin_events
from backoffice.audit import LockEvent
from tests.backoffice.factories import make_event

ADDRESS = reverse("admin:backoffice_lockevent_changelist")


def found(client, **query):
    response = client.get(ADDRESS, query)
    return [event.target_name for event in response.context["cl"].result_list]


def choices(client, title, **query):
    """Return what a filter of the list offers: text and address."""
    changelist = client.get(ADDRESS, query).context["cl"]
    for spec in changelist.filter_specs:
        if str(spec.title) == title:
            return [(str(row["display"]), row["query_string"]) for row in spec.choices(changelist)]
    return []


def test_the_newest_event_comes_first(admin_client):
    make_event("first")
    make_event("second")

    assert found(admin_client) == ["second", "first"]


@pytest.mark.parametrize("sought", ["A13", "مریم", "the reason"])
def test_an_event_is_found_by_its_subject_person_or_reason(admin_client, sought):
    make_event("A13", by=(1, "مریم رضایی"), reason="the reason")
    make_event("B1")

    assert found(admin_client, q=sought) == ["A13"]


def test_events_are_filtered_by_what_was_done(admin_client):
    make_event("A13")

    assert found(admin_client, action__exact="taken") == ["A13"]
    assert found(admin_client, action__exact="forced") == []


def test_events_are_filtered_by_who_did_it_and_by_whose_claim_it_was(admin_client, make_user):
    person = make_user("holder", first_name="مریم", last_name="رضایی")
    make_event("A1", by=person)
    make_event("A2", holder=person)
    make_event("A3", by=(person.pk + 1, "another"))

    assert found(admin_client, person=person.pk) == ["A2", "A1"]
    assert ("مریم رضایی", f"?person={person.pk}") in choices(admin_client, "شخص")


def test_nobody_is_found_by_what_is_no_person(admin_client):
    make_event("A1")

    assert found(admin_client, person="x") == []


def test_the_events_of_one_thing_are_shown_alone_and_by_its_name(admin_client):
    make_event("A13")
    LockEvent(target_model="auth.User", target_id="2", target_name="B1", source="page").save()

    assert found(admin_client, target="auth.User:2") == ["B1"]
    [_all, (shown, _address)] = choices(admin_client, "موضوع", target="auth.User:2")
    assert (shown, choices(admin_client, "موضوع")) == ("B1", [])
    assert found(admin_client, target="auth.User:3") == []
    assert found(admin_client, target="nonsense") == []
    assert found(admin_client, target="auth.User:\0") == []
    assert found(admin_client) == ["B1", "A13"]


def test_the_subject_links_to_its_page(admin_client, admin_user):
    make_event("A13")

    html = admin_client.get(ADDRESS).content.decode()

    assert f'href="{reverse("admin:auth_user_change", args=[1])}"' in html


def test_a_subject_without_a_page_is_shown_all_the_same(admin_client):
    event = make_event("A13")
    LockEvent(target_model="gone.Model", target_id="1", target_name="<b>", source="page").save()

    html = admin_client.get(ADDRESS).content.decode()

    assert "<bdi>&lt;b&gt;</bdi>" in html
    assert admin_client.get(f"{ADDRESS}{event.pk + 1}/change/").status_code == 200


def test_no_page_counts_the_whole_log(admin_client, monkeypatch):
    monkeypatch.setattr(admin_events, "PAGES_COUNT", 3)
    for number in range(5):
        make_event(f"A{number}")

    response = admin_client.get(ADDRESS)

    assert response.context["cl"].result_count == 3
    assert get_user_model().objects.count() == 1


def test_the_list_takes_as_many_queries_with_three_events_as_with_one(
    admin_client, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    make_event("A1")
    with CaptureQueriesContext(
        connection,
    ) as one:
        admin_client.get(ADDRESS)
    make_event("A2")
    make_event("A3")

    with django_assert_num_queries(len(one)):
        admin_client.get(ADDRESS)


def test_the_log_is_exported_as_it_is_filtered(admin_client):
    make_event("A13", by=(1, "مریم رضایی"), reason="=1+1")
    make_event("B1")
    resource = admin_events.LockEventResource
    fields = {f"lockeventresource_{name}": "on" for name in resource().fields}

    response = admin_client.post(
        f"{ADDRESS}export/?q=A13", {"format": "1", "resource": "0", **fields}
    )

    rows = response.content.decode("utf-8-sig").splitlines()
    assert len(rows) == 2
    assert "مریم رضایی" in rows[1]
    assert rows[1].endswith(",'=1+1")


def test_an_export_holds_the_newest_of_what_is_filtered_and_says_so(admin_client, monkeypatch):
    monkeypatch.setattr(admin_events, "EXPORTED", 3)
    for number in range(5):
        make_event(f"A{number}")
    resource = admin_events.LockEventResource
    fields = {f"lockeventresource_{name}": "on" for name in resource().fields}

    page = admin_client.get(f"{ADDRESS}export/?o=1").content.decode()
    response = admin_client.post(
        f"{ADDRESS}export/?o=1", {"format": "1", "resource": "0", **fields}
    )

    rows = response.content.decode("utf-8-sig").splitlines()
    assert [row.split(",")[5] for row in rows[1:]] == ["A4", "A3", "A2"]
    assert "حداکثر ۳ رخداد" in page
    assert LockEvent.objects.count() == 5


def test_no_rows_are_chosen_from_a_log_that_may_be_long(admin_client):
    event = make_event("A13")

    page = admin_client.get(ADDRESS).content.decode()
    chosen = {"action": "export_admin_action", "_selected_action": event.pk, "select_across": 1}
    answer = admin_client.post(ADDRESS, chosen)

    assert "action-select" not in page
    assert answer.context["cl"].result_count == 1  # the list again
    assert "export_items" not in answer.content.decode()


def test_nobody_imports_events(admin_client, admin_user):
    assert admin_client.get(f"{ADDRESS}import/").status_code == 403
    assert "import/" not in admin_client.get(ADDRESS).content.decode()
