import pytest
from django.urls import reverse

from orders import batches, claims, dispatch, incidents, polling, timeline
from orders.models import OrderEvent, OrderIncident, ProductOrder
from tests.orders.factories import due

pytestmark = pytest.mark.django_db


def whats(order):
    return [step.what for step in timeline.of(order)]


def page_of(client, order, **query):
    return client.get(reverse("admin:orders_productorder_change", args=[order.pk]), query)


@pytest.fixture
def waiting(place):
    order = place("never")
    dispatch.try_auto_dispatch(order.pk)
    return order


def test_the_steps_of_an_order_come_with_the_newest_first(completed):
    assert whats(completed) == ["checked", "accepted", "sending", "created"]
    assert timeline.of(completed)[0].status == "completed"


def test_equal_answers_in_a_row_are_one_step_with_a_count(waiting):
    for _number in range(3):
        due(waiting)
        polling.run()
    [checked, *_others] = timeline.of(waiting)
    assert (checked.what, checked.times) == ("checked", 3)
    assert checked.at < checked.last_at
    assert whats(waiting).count("checked") == 1


def test_an_answer_that_differs_is_a_step_of_its_own(place, store):
    order = place()
    dispatch.try_auto_dispatch(order.pk)
    for store.finish_seconds in (3600, 0):
        due(order)
        polling.run()
    steps = [step for step in timeline.of(order) if step.what == "checked"]
    assert [(step.status, step.times) for step in steps] == [("completed", 1), ("processing", 1)]


def test_claims_that_people_ended_are_steps_with_reason_and_holder(waiting, make_user):
    due(waiting)
    batches.claim_due(ProductOrder.objects.asked(), 1)
    holder = ProductOrder.objects.values_list("claimed_by", flat=True).get()
    claims.force_release(ProductOrder.objects.all(), by=make_user("boss"), reason="it hangs")
    [step, *_others] = timeline.of(waiting)
    assert (step.what, step.by, step.holder) == ("forced", "boss", holder)
    assert step.text == "it hangs"


def test_of_another_orders_claims_nothing_is_told(waiting, place):
    other = place()
    dispatch.begin(other.pk)
    claims.force_release(ProductOrder.objects.all(), by=None, reason="it hangs")
    assert "forced" in whats(other)
    assert "forced" not in whats(waiting)


def test_the_page_tells_each_call_with_masked_request_answer_and_duration(admin_client, completed):
    text = page_of(admin_client, completed).content.decode()
    step = next(step for step in timeline.of(completed) if step.what == "checked")
    assert step.milliseconds is not None
    assert "sifre=***" in step.request
    assert f'<bdi dir="ltr" class="code">{step.request}</bdi>' in text
    assert "هزارم ثانیه" in text
    assert completed.pin_code not in text


def test_what_a_person_wrote_is_no_text_of_the_provider(admin_client, completed, make_user):
    OrderEvent.objects.create(
        order=completed, what="revealed", status="delivered", text="unknown", by_name="sara"
    )
    text = page_of(admin_client, completed).content.decode()
    assert "<bdi>unknown</bdi>" in text


def test_incidents_stand_on_the_page_and_among_the_steps(admin_client, completed):
    kind = OrderIncident.Kind.DELIVERED_TWICE
    incidents.open_incident(completed.pk, kind, "Iki kez yuklendi", status="completed")
    reply = page_of(admin_client, completed)
    [*_others, shown] = reply.context["inline_admin_formsets"]
    assert [form.original.kind for form in shown if form.original] == [kind]
    assert "Iki kez yuklendi" in reply.content.decode()
    assert whats(completed)[0] == "incident"


def test_a_long_life_is_turned_by_pages(admin_client, completed, monkeypatch):
    monkeypatch.setattr("orders.admin_history.A_PAGE", 3)
    first = page_of(admin_client, completed)
    second = page_of(admin_client, completed, life=2)
    assert [line["step"].what for line in first.context["life"]] == [
        "checked",
        "accepted",
        "sending",
    ]
    assert [line["step"].what for line in second.context["life"]] == ["created"]
    assert "life=1#order-life" in second.content.decode()
