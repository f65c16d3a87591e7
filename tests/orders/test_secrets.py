"""Where a PIN, the credentials of a provider or a shop's key could be read, and may not."""

import base64
import json
import logging
import pickle

import pytest
from django.conf import settings as office
from django.db import connection
from django.urls import reverse
from django.views import debug
from django_q.models import Success
from django_q.tasks import async_task

from orders import dispatch, polling
from orders.models import OrderEvent, ProductOrder, ProviderIntegration, Tenant
from orders.resources import ProductOrderResource
from tests.locks.pages import Person
from tests.orders import hunt
from tests.orders.factories import due, make_integration, make_order, make_package
from tests.orders.shops import Shop, address, done

pytestmark = pytest.mark.django_db
PIN, KOD, SIFRE, TOKEN = (
    "PLNT-7Q4X-ZK2W-9M3V",
    "plnt-kod-5521",
    "plnt s&f/re+7042ğ",
    "plnt-token-8800",
)
SECRETS = {"pin": PIN, "kod": KOD, "sifre": SIFRE, "token": TOKEN}
ECHO = f"kod={KOD} sifre={SIFRE} "
ZNET = json.dumps({"kod": KOD, "sifre": SIFRE})
TO_SENDING = [
    (200, f"3|{ECHO}", {}),
    (200, f"8|{ECHO}", {}),
    (200, f"<html>{ECHO}</html>", {}),
    (200, "", {}),
    (200, "\x00\xff", {}),
    (302, "", {"Location": "/?kod=plnt-kod-5521"}),
    (429, ECHO, {"Retry-After": "3"}),
    (500, ECHO, {}),
    (200, "OK|10.12|980.88", {}),
]
TO_ASKING = [
    (200, f"3|{ECHO}", {}),
    (200, f"OK|1|{PIN}|{ECHO}", {}),
    (200, f"<html>{ECHO}</html>", {}),
    (500, ECHO, {}),
    (200, f"OK|2|{PIN}|your code is {PIN}, {ECHO}", {}),
]
ECHOED = f"api-token: {TOKEN}"
BARAKAT_ERROR = json.dumps({"status": "ERROR", "message": ECHOED, "code": 100})
BARAKAT_DONE = json.dumps(
    {"status": "OK", "data": {"status": "accept", "pin": PIN, "note": ECHOED}}
)
BARAKAT_SOON = json.dumps({"status": "OK", "data": {"status": "wait", "price": 3}})


@pytest.fixture
def logged(caplog, settings):
    """All records, as with LOG_LEVEL=DEBUG: only what the settings hold down stays down."""
    settings.PROVIDER_BREAKER_FAILURES = 1000
    caplog.set_level("DEBUG")
    held_down = tuple(f"{name}." for name in office.LOGGING["loggers"])
    for name in list(logging.root.manager.loggerDict):
        if not f"{name}.".startswith(held_down):
            caplog.set_level("DEBUG", logger=name)
    connection.force_debug_cursor = True
    yield caplog
    connection.force_debug_cursor = False


def live(canned, provider="znet", credentials=ZNET, package_id="187:100"):
    """Let orders go through all that a provider may answer; return the last of them."""
    integration = make_integration(canned.url, provider=provider, credentials=credentials)
    package = make_package(integration)
    package.routings.update(provider_package_id=package_id)
    for canned.reply in TO_SENDING:
        order = make_order(package)
        dispatch.try_auto_dispatch(order.pk)
    for canned.reply in TO_ASKING:
        polling.check_order(due(order).pk, order.tenant_id)
    return ProductOrder.objects.get(pk=order.pk)


def live_at_barakat(canned):
    integration = make_integration(
        canned.url, provider="barakat", credentials=json.dumps({"api_token": TOKEN})
    )
    package = make_package(integration)
    package.routings.update(provider_package_id="1234")
    for text in (BARAKAT_ERROR, BARAKAT_DONE, BARAKAT_SOON):
        canned.reply = (200, text, {})
        order = make_order(package)
        dispatch.try_auto_dispatch(order.pk)
        polling.check_order(due(order).pk, order.tenant_id)


def break_down(settings):
    """Send with credentials that can't be read, or opened, and to nowhere."""
    for credentials in ("{", "[]", f'{{"kod": "{KOD}"}}', ZNET):
        dispatch.try_auto_dispatch(
            make_order(make_package(make_integration(credentials=credentials))).pk
        )
    order = make_order(make_package(make_integration()))
    keys, settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS, ["A" * 43 + "="]
    dispatch.try_auto_dispatch(order.pk)
    settings.ENCRYPTION_KEYS = keys


def work_at_the_desk(client, user, order):
    """Do with an order and its integration what staff do; return the pages that showed no PIN."""
    typed = {"new_credentials": f"kod={KOD}\nsifre={SIFRE}", "name": "renamed"}
    person = Person(user, order.integration)
    fields = person.open() | typed
    person.keep(fields)
    change = reverse("admin:orders_providerintegration_change", args=[order.integration_id])
    pages = [person.client.post(change, fields | {"base_url": "nowhere"})]
    pages.append(person.client.post(change, fields, follow=True))
    reveal = reverse("admin:orders_productorder_reveal", args=[order.pk])
    assert PIN in client.post(reveal).content.decode()
    assert PIN in client.post(reveal, {"reason": f"lost {PIN}"}).content.decode()
    pages.append(client.post(reveal))
    lists = reverse("admin:orders_productorder_changelist")
    pages += [client.get(lists, {"q": term}) for term in (PIN[-4:], order.provider_referans)]
    return "".join(page.content.decode() for page in pages)


def pages_of(client, *rows):
    """Return what the pages of these rows show, and those of their history."""
    opened = [
        reverse(f"admin:orders_{row._meta.model_name}_{page}", args=[row.pk])
        for row in rows
        for page in ("change", "history")
    ]
    return "".join(client.get(page).content.decode() for page in opened)


@pytest.mark.walk
def test_no_secret_is_kept_or_shown_but_where_it_belongs(
    logged, canned, settings, admin_user, admin_client
):
    order = live(canned)
    assert order.pin_code == PIN
    live_at_barakat(canned)
    break_down(settings)
    async_task("orders.tasks.dispatch_order", make_order(order.package).pk, sync=True)
    shown = work_at_the_desk(admin_client, admin_user, order)
    shop = Shop(by=admin_user)
    assert PIN in shop.get(address(shop.has(**done(pin=PIN)))).content.decode()
    secrets = SECRETS | {"shop's key": shop.plain}
    shown += pages_of(admin_client, *ProductOrder.objects.all(), *ProviderIntegration.objects.all())
    assert hunt.found_in(shown, secrets) == set()
    assert hunt.in_records(secrets, logged.records) == set()
    assert hunt.in_tables(secrets) == set()
    assert hunt.in_dump(secrets) == set()
    assert hunt.in_exports(secrets, admin_user) == set()
    assert hunt.in_pages(secrets, admin_user) == set()


# The hunt finds what is there


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: text,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(pickle.dumps({"pin": text})).decode(),
        lambda text: json.dumps({"answer": text}),
        lambda text: f"http://provider.example/?a={text.replace('&', '%26').replace(' ', '+')}",
    ],
)
def test_control_a_secret_in_any_column_is_found(wrap):
    order = make_order(make_package())
    OrderEvent.objects.create(order=order, what="checked", status="sent", text=wrap(f"is {PIN}"))
    assert hunt.in_tables(SECRETS) == {"orders_orderevent.text: pin"}


@pytest.mark.parametrize("result", [{"sifre": SIFRE}, f"failed with {SIFRE}"])
def test_control_a_secret_in_a_tasks_result_is_found(result):
    Success.objects.create(
        id="a" * 32,
        name="a",
        func="f",
        result=result,
        started="2026-01-01T00:00:00Z",
        stopped="2026-01-01T00:00:00Z",
        success=True,
    )
    assert hunt.in_tables(SECRETS) == {"django_q_task.result: sifre"}


def test_control_a_secret_among_the_arguments_of_a_task_is_found():
    async_task("orders.tasks.dispatch_order", f"is {TOKEN}")
    assert hunt.in_tables(SECRETS) == {"django_q_ormq.payload: token"}


def test_control_a_secret_in_a_log_is_found(logged):
    try:
        raise ValueError(KOD)
    except ValueError:
        logging.getLogger("orders.polling").debug("failed", exc_info=True)
    logging.getLogger("orders.dispatch").debug("with %s", [SIFRE])
    found = hunt.in_records(SECRETS, logged.records)
    assert found == {"orders.polling: kod", "orders.dispatch: sifre"}


def test_control_the_loggers_of_requests_would_tell_a_whole_address(logged, canned):
    import requests

    logged.set_level("DEBUG", logger="urllib3")
    requests.get(canned.url, params={"sifre": SIFRE}, timeout=5)
    assert hunt.in_records(SECRETS, logged.records) == {"urllib3.connectionpool: sifre"}


def test_control_a_page_would_tell_the_log_of_templates_what_it_shows(
    logged, admin_client, completed
):
    logged.set_level("DEBUG", logger="django.template")
    ProductOrder.objects.filter(pk=completed.pk).update(pin_code=PIN)
    admin_client.post(reverse("admin:orders_productorder_reveal", args=[completed.pk]))
    assert hunt.in_records(SECRETS, logged.records) == {"django.template: pin"}


def test_control_a_secret_in_a_dump_or_an_export_is_found(admin_user):
    order = make_order(make_package())
    Tenant.objects.update(name=PIN)
    ProductOrder.objects.filter(pk=order.pk).update(user_identifier=TOKEN)
    assert hunt.in_dump(SECRETS) == {"pin", "token"}
    assert hunt.in_exports(SECRETS, admin_user) == {
        "TenantResource: pin",
        "ProductOrderResource: token",
    }


def test_control_a_secret_on_a_page_is_found(admin_client):
    order = make_order(make_package(), user_identifier=SIFRE, extra_field=TOKEN)
    shown = pages_of(admin_client, order)
    assert hunt.found_in(shown, SECRETS) == {"sifre", "token"}


def test_control_without_redaction_an_echoed_secret_is_found(canned, monkeypatch, logged):
    monkeypatch.setattr("orders.transport.redact", lambda text, secrets: text[:500])
    monkeypatch.setattr("orders.providers.base.redact", lambda text, secrets: text[:500])
    live(canned)
    found = hunt.in_tables(SECRETS)
    assert {"orders_orderattempt.request: sifre", "orders_orderevent.text: pin"} <= found


# Faults


@pytest.fixture
def faulty(monkeypatch, admin_client, completed):
    """Return a function that has the page with the PIN break down with it at hand."""

    def post():
        def broken(*args, **kwargs):
            pin_at_hand = PIN
            raise RuntimeError(f"{len(pin_at_hand)} signs at hand")

        monkeypatch.setattr("orders.admin_reveal.desk.reveal_pin", broken)
        admin_client.raise_request_exception = False
        page = reverse("admin:orders_productorder_reveal", args=[completed.pk])
        return admin_client.post(page, {"new_credentials": SIFRE, "reason": "x"})

    return post


@pytest.fixture
def plain_filter(settings):
    """Django's own filter of what the page of a fault shows."""
    settings.DEFAULT_EXCEPTION_REPORTER_FILTER = "django.views.debug.SafeExceptionReporterFilter"
    debug.get_default_exception_reporter_filter.cache_clear()
    yield
    debug.get_default_exception_reporter_filter.cache_clear()


@pytest.mark.parametrize("is_debug", [True, False])
def test_the_page_of_a_fault_and_its_log_tell_no_secret(faulty, settings, is_debug, logged):
    settings.DEBUG = is_debug
    reply = faulty()
    assert reply.status_code == 500
    assert ("RuntimeError" in reply.content.decode()) is is_debug
    assert hunt.found_in(reply.content, SECRETS) == set()
    assert hunt.in_records(SECRETS, logged.records) == set()


def test_control_the_page_of_a_fault_would_tell_what_was_at_hand(faulty, settings, plain_filter):
    settings.DEBUG = True
    assert hunt.found_in(faulty().content, SECRETS) == {"pin", "sifre"}


# Files


def test_an_export_has_no_column_of_a_secret():
    assert not {"pin_code", "pin_last_four", "claim_token"} & set(ProductOrderResource().fields)
