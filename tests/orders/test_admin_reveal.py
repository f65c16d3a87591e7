import pytest
from cryptography.fernet import Fernet
from django.urls import reverse

from orders import desk as order_desk
from orders import given_up
from orders.models import ProductOrder
from tests.forms import posted_forms

pytestmark = pytest.mark.django_db


def address(order):
    return reverse("admin:orders_productorder_reveal", args=[order.pk])


def page_of(client, order):
    return client.get(reverse("admin:orders_productorder_change", args=[order.pk]))


def reveals(order):
    return list(order.events.filter(what="revealed").values_list("status", "text", "by_name"))


def status_of(order):
    return ProductOrder.objects.values_list("external_status", flat=True).get(pk=order.pk)


def test_the_first_showing_delivers_the_order_and_takes_no_reason(client, desk, completed):
    reply = client.post(address(completed))
    assert completed.pin_code in reply.content.decode()
    assert reveals(completed) == [("delivered", "", "desk")]
    assert status_of(completed) == "delivered"


def test_the_page_with_the_pin_is_kept_nowhere_and_says_whose_it_is(client, desk, completed):
    reply = client.post(address(completed))
    assert "no-store" in reply.headers["Cache-Control"]
    text = reply.content.decode()
    for whose in (completed.user_identifier, str(completed.public_id), str(completed.tenant)):
        assert whose in text


def test_each_later_showing_is_refused_without_a_reason(client, desk, completed):
    client.post(address(completed))
    for typed in ({}, {"reason": "  "}):
        reply = client.post(address(completed), typed)
        assert completed.pin_code not in reply.content.decode()
        assert list(reply.context["form"].errors) == ["reason"]
    assert reveals(completed) == [("delivered", "", "desk")]


def test_a_later_showing_keeps_its_reason(client, desk, completed):
    client.post(address(completed))
    reply = client.post(address(completed), {"reason": "customer lost it"})
    assert completed.pin_code in reply.content.decode()
    assert reveals(completed)[1:] == [("delivered", "customer lost it", "desk")]


def test_a_reason_in_which_somebody_writes_the_pin_down_keeps_it_not(client, desk, completed):
    client.post(address(completed))
    client.post(address(completed), {"reason": f"it was {completed.pin_code}!"})
    assert reveals(completed)[1:] == [("delivered", "it was ***!", "desk")]


def test_the_pages_own_forms_say_what_is_needed(client, desk, completed):
    def fields():
        forms = posted_forms(page_of(client, completed).content.decode())
        [form] = [form for form in forms if form.action == address(completed)]
        return set(form.fields)

    assert fields() == {"csrfmiddlewaretoken"}
    client.post(address(completed))
    assert fields() == {"csrfmiddlewaretoken", "reason"}


def test_of_two_who_click_at_once_one_delivers_and_the_other_is_told(client, desk, completed):
    order_desk.reveal_pin(completed.pk, by=desk)
    with pytest.raises(order_desk.ReasonNeeded):
        order_desk.reveal_pin(completed.pk, by=desk)
    assert reveals(completed) == [("delivered", "", "desk")]


def test_who_is_slower_after_the_page_was_read_sees_no_pin(client, desk, completed, monkeypatch):
    reveal = order_desk.reveal_pin

    def after_another(order_id, **kwargs):
        reveal(order_id, by=None)
        return reveal(order_id, **kwargs)

    monkeypatch.setattr(order_desk, "reveal_pin", after_another)
    reply = client.post(address(completed))
    assert completed.pin_code not in reply.content.decode()
    assert "شخص دیگری دید" in " ".join(map(str, reply.context["messages"]))
    assert reveals(completed) == [("delivered", "", "")]


def test_a_pin_is_not_shown_by_following_an_address(client, desk, completed):
    assert client.get(address(completed)).status_code == 405
    assert (reveals(completed), status_of(completed)) == ([], "completed")


def test_without_the_right_no_pin_is_shown(client, boss, completed):
    assert client.post(address(completed)).status_code == 403
    assert address(completed) not in page_of(client, completed).content.decode()
    assert (reveals(completed), status_of(completed)) == ([], "completed")


def test_an_order_without_a_pin_says_so(client, desk, place):
    order = place()
    reply = client.post(address(order), {"reason": "curious"})
    assert "پین ندارد" in " ".join(map(str, reply.context["messages"]))
    assert (reveals(order), status_of(order)) == ([], "pending")


def test_a_pin_whose_key_is_lost_is_told_of_and_not_delivered(client, desk, completed, settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    reply = client.post(address(completed))
    assert reply.status_code == 200
    assert "کلید رمزنگاری" in " ".join(map(str, reply.context["messages"]))
    assert (reveals(completed), status_of(completed)) == ([], "completed")


def test_a_pin_kept_beside_its_order_is_shown_for_a_reason_and_recorded(client, desk, completed):
    attempt = completed.attempts.get()
    given_up.keep(attempt, "SECOND-PIN-7788")
    page = page_of(client, completed).content.decode()
    assert "SECOND-PIN-7788" not in page
    typed = {"attempt": attempt.number}
    assert "SECOND-PIN-7788" not in client.post(address(completed), typed).content.decode()
    reply = client.post(address(completed), typed | {"reason": "sold to another"})
    assert "SECOND-PIN-7788" in reply.content.decode()
    assert reveals(completed) == [("completed", f"{attempt.referans}: sold to another", "desk")]
    assert status_of(completed) == "completed"


def test_of_a_number_without_a_kept_pin_nothing_is_shown(client, desk, completed):
    reply = client.post(address(completed), {"attempt": 1, "reason": "customer lost it"})
    assert completed.pin_code not in reply.content.decode()
    assert reveals(completed) == []
