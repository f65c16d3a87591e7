import pytest

from tests.reservations.factories import make_event

BOX_OFFICE = (
    "reservations.view_event",
    "reservations.view_seat",
    "reservations.hold_seat",
    "reservations.release_expired_seat",
)


@pytest.fixture
def event(db):
    return make_event(seats=3)


@pytest.fixture
def seats(event):
    return list(event.seats.all())


@pytest.fixture
def holder(make_user):
    return make_user("holder", *BOX_OFFICE, first_name="مریم", last_name="رضایی")


@pytest.fixture
def colleague(make_user):
    return make_user("colleague", *BOX_OFFICE, first_name="علی", last_name="کریمی")


@pytest.fixture
def supervisor(make_user):
    return make_user(
        "supervisor", *BOX_OFFICE, "reservations.release_seat", "reservations.change_seat"
    )


@pytest.fixture
def clock(monkeypatch):
    """Return a function that sets the database's clock, for the statements from here on."""
    from django.db.models import DateTimeField, Value

    def set_clock(instant):
        fixed = Value(instant, output_field=DateTimeField())
        monkeypatch.setattr("backoffice.clock.database_now", lambda: fixed)

    return set_clock


@pytest.fixture
def page(client, holder):
    """Return the browser of the holder."""
    client.force_login(holder)
    return client


@pytest.fixture
def boss(client, supervisor):
    """Return the browser of somebody who may end holds of others."""
    client.force_login(supervisor)
    return client


@pytest.fixture
def give():
    """Return a function that gives a person more rights over reservations."""
    from django.contrib.auth.models import Permission

    def give_rights(user, *codenames):
        rights = Permission.objects.filter(
            content_type__app_label="reservations", codename__in=codenames
        )
        assert rights.count() == len(codenames)
        user.user_permissions.add(*rights)

    return give_rights
