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


def test_nobody_imports_events(admin_client, admin_user):
    assert admin_client.get(f"{ADDRESS}import/").status_code == 403
    assert "import/" not in admin_client.get(ADDRESS).content.decode()
