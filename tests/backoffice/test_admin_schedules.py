import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django_q.models import OrmQ, Schedule

from backoffice import schedules
from backoffice.schedules import TaskSchedule
from tests.backoffice.factories import make_run

LIST = reverse("admin:backoffice_taskschedule_changelist")
RUNS = reverse("admin:backoffice_taskrun_changelist")


@pytest.fixture
def schedule(db):
    schedules.ensure_schedules()
    return TaskSchedule.objects.get(name="heartbeat")


@pytest.fixture
def page(schedule):
    return reverse("admin:backoffice_taskschedule_change", args=[schedule.pk])


@pytest.fixture
def boss(make_user, client):
    user = make_user("boss", "backoffice.view_taskschedule", "backoffice.change_taskschedule")
    client.force_login(user)
    return user


@pytest.fixture
def auditor(make_user, client):
    user = make_user("auditor", "backoffice.view_taskschedule", "backoffice.view_taskrun")
    client.force_login(user)
    return user


def now_of(schedule):
    return Schedule.objects.values("func", "args", "kwargs", "hook", "repeats", "minutes").get(
        pk=schedule.pk
    )


def queued():
    return [row.task["func"] for row in OrmQ.objects.all()]


def test_staff_change_the_interval(client, boss, schedule, page):
    response = client.post(page, {"minutes": "15"})

    assert response.status_code == 302
    assert now_of(schedule)["minutes"] == 15
    assert LogEntry.objects.get().object_repr == str(schedule)


def test_the_interval_may_be_typed_in_persian(client, boss, schedule, page):
    client.post(page, {"minutes": "۱۵"})

    assert now_of(schedule)["minutes"] == 15


@pytest.mark.parametrize("minutes", ["", "0", "-1", "1441", "1.5", "often"])
def test_a_bad_interval_is_refused(client, boss, schedule, page, minutes):
    before = now_of(schedule)

    response = client.post(page, {"minutes": minutes})

    assert response.status_code == 200
    assert response.context["adminform"].form.errors.keys() == {"minutes"}
    assert (now_of(schedule), queued()) == (before, [])


def test_saving_without_a_change_queues_nothing(client, boss, schedule, page):
    before = schedule.next_run

    client.post(page, {"minutes": "1"})

    assert TaskSchedule.objects.get(pk=schedule.pk).next_run == before
    assert queued() == []


@pytest.mark.parametrize("user", ["boss", "admin_user"])
def test_a_forged_form_changes_no_function(client, request, schedule, page, user):
    client.force_login(request.getfixturevalue(user))
    before = now_of(schedule) | {"minutes": 15}
    forged = {"func": "os.system", "args": "'id'", "kwargs": "x=1", "hook": "os.system"}

    client.post(page, {"minutes": "15", "name": "stranger", "repeats": "5", **forged})

    assert now_of(schedule) == before
    assert TaskSchedule.objects.get(pk=schedule.pk).name == "heartbeat"


def test_no_schedule_is_added_or_deleted(admin_client, schedule, page):
    before = Schedule.objects.count()

    answers = [
        admin_client.post(f"{LIST}add/", {"name": "mine", "func": "os.system", "minutes": "1"}),
        admin_client.post(page.replace("change", "delete"), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert Schedule.objects.count() == before


def test_run_now_queues_once_however_often_it_is_clicked(client, boss, schedule, page):
    for _click in range(3):
        client.post(page, {"_run_now": "1"})

    assert queued() == ["backoffice.tasks.heartbeat"]
    assert LogEntry.objects.count() == 1


def test_the_buttons_pause_and_resume(client, boss, schedule, page):
    client.post(page, {"_pause": "1"})
    paused = now_of(schedule)["repeats"]
    client.post(page, {"_resume": "1"})

    assert (paused, now_of(schedule)["repeats"]) == (0, -1)
    assert LogEntry.objects.count() == 2


@pytest.mark.parametrize("step", ["run_now", "pause", "resume"])
def test_the_list_takes_the_same_steps_in_bulk(client, boss, schedule, step):
    if step == "resume":
        schedules.pause("heartbeat")

    response = client.post(LIST, {"action": step, "_selected_action": [schedule.pk]})

    assert response.status_code == 302
    assert LogEntry.objects.get().user == boss
    assert (now_of(schedule)["repeats"] == 0) is (step == "pause")
    assert len(queued()) == (0 if step == "pause" else 1)


@pytest.mark.parametrize("step", ["_run_now", "_pause", "_resume"])
def test_whoever_only_reads_takes_no_step(client, auditor, schedule, page, step):
    before = now_of(schedule)

    answers = [
        client.post(page, {step: "1"}),
        client.post(page, {"minutes": "15"}),
        client.post(LIST, {"action": step[1:], "_selected_action": [schedule.pk]}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 200]
    assert (now_of(schedule), queued()) == (before, [])


def test_whoever_only_reads_sees_no_button(client, auditor, schedule, page):
    html = client.get(page).content.decode()

    assert "schedule-step" not in html
    assert "_run_now" not in client.get(LIST).content.decode()


def test_the_page_shows_the_last_runs_and_leads_to_all(client, boss, schedule, page):
    for count in range(12):
        make_run("heartbeat", count=count)
    make_run("release_expired_locks", error="ValueError")

    response = client.get(page)

    assert [run.count for run in response.context["runs"]] == list(range(11, 1, -1))
    assert f'href="{RUNS}?name=heartbeat"' in response.content.decode()


def test_a_paused_task_says_so_instead_of_a_next_run(client, boss, schedule, page):
    schedules.pause("heartbeat")

    shown = client.get(page).context["adminform"].model_admin
    row = TaskSchedule.objects.get(pk=schedule.pk)

    assert (str(shown.state(row)), shown.planned(row)) != (str(shown.state(schedule)), "-")
    assert shown.planned(row) == "-"


def test_a_schedule_that_is_gone_is_told(client, boss, schedule):
    response = client.post(f"{LIST}999999/change/", {"_run_now": "1"})

    assert response.status_code == 302
    assert queued() == []


def test_runs_are_filtered_by_task_and_outcome(client, auditor):
    make_run("heartbeat")
    make_run("heartbeat", error="ValueError")
    make_run("release_expired_locks")

    def found(**query):
        return [run.error for run in client.get(RUNS, query).context["cl"].result_list]

    assert found(name="heartbeat") == ["ValueError", ""]
    assert found(name="heartbeat", outcome="failed") == ["ValueError"]
    assert found(outcome="done") == ["", ""]
    assert found(q="value") == ["ValueError"]
