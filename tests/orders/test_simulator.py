import pytest
import requests
from django.core.management import CommandError, call_command

from orders.simulator import PRODUCT, SCENARIOS, Barakat, Simulator, Store, Znet


@pytest.fixture
def get(simulator):
    def make(call, **query):
        url = f"{simulator.url}/servis/{call}.php"
        return requests.get(url, params={**Znet.credentials, **query}, timeout=5)

    return make


@pytest.fixture
def order(get):
    def make(scenario, referans="1"):
        package = SCENARIOS[scenario].package
        return get("pin_ekle", oyun=PRODUCT, kupur=package, referans=referans, oyuncu_bilgi="p")

    return make


def status(get, referans="1"):
    return get("pin_kontrol", tahsilat_api_islem_id=referans).text


def test_an_order_is_bought_and_comes_with_a_pin(order, get, store):
    assert order("normal").text == "OK|10.12|99989.88"
    assert status(get).startswith("OK|2|")
    assert status(get) == status(get)
    assert store.purchases() == 1


def test_an_order_takes_its_time(order, get, store):
    store.finish_seconds = 60
    order("normal")
    assert status(get) == "OK|1| |Sırada|bekliyor"


@pytest.mark.parametrize(
    ("scenario", "code", "text"),
    [
        ("error", 500, "Internal Server Error"),
        ("empty", 200, ""),
        ("out_of_balance", 200, "3|Yetersiz bakiye"),
    ],
)
def test_a_provider_that_fails_has_bought_nothing(order, store, scenario, code, text):
    reply = order(scenario)
    assert (reply.status_code, reply.text, store.purchases()) == (code, text, 0)


def test_a_page_of_html_is_no_answer(order):
    assert order("html").text.startswith("<!DOCTYPE")


def test_a_reset_comes_after_the_purchase(order, get, store):
    with pytest.raises(requests.ConnectionError):
        order("reset")
    assert store.purchases() == 1
    assert status(get).startswith("OK|2|")


def test_a_cancelled_order_gives_the_money_back_once(order, get, store):
    order("cancelled")
    assert status(get) == status(get) == "OK|3| |İptal edildi"
    assert get("bakiye_kontrol").text == "OK|100000.00"


def test_an_order_that_never_finishes_waits(order, get):
    order("never")
    assert status(get).startswith("OK|1|")


def test_a_repeated_reference_buys_again(order, store):
    order("normal")
    order("normal")
    assert store.purchases() == 2


def test_unknown_references_and_packages_are_refused(get):
    assert status(get, "none") == "3|Kayıt Bulunamadı"
    assert get("pin_ekle", oyun=PRODUCT, kupur="1").text == "3|Kupur Bilgisi Bulunamadı"


def test_an_unknown_dealer_gets_an_empty_answer(simulator):
    reply = requests.get(f"{simulator.url}/servis/bakiye_kontrol.php", timeout=5)
    assert (reply.status_code, reply.text) == (200, "")


def test_the_switch_makes_all_orders_behave_alike(simulator, order, store):
    switch = f"{simulator.url}/simulator/switch"
    requests.post(switch, params={"scenario": "out_of_balance"}, timeout=5)
    assert order("normal").text == "3|Yetersiz bakiye"
    requests.post(switch, timeout=5)
    assert order("normal").text.startswith("OK")
    assert requests.post(switch, params={"scenario": "x"}, timeout=5).status_code == 404


def test_it_counts_what_it_was_asked(simulator, order, get):
    order("normal")
    status(get)
    counts = requests.get(f"{simulator.url}/simulator/counts", timeout=5).json()
    assert (counts["pin_ekle"], counts["pin_kontrol"], counts["purchases"]) == (1, 1, 1)


def test_the_price_list_names_the_packages(get):
    prices = get("pin_listesi").json()
    assert prices["success"] is True
    assert {row["kupur"] for row in prices["result"]} == {
        scenario.package for scenario in SCENARIOS.values()
    }


def test_it_remembers_after_a_restart(tmp_path, order, store):
    order("normal")
    assert Store(store.path).purchases() == 1


def test_a_taken_port_is_told_in_a_sentence(simulator, tmp_path):
    port = simulator.server_address[1]
    with pytest.raises(CommandError, match=f"Can't listen on 127.0.0.1:{port}"):
        call_command("provider_simulator", port=port, database=tmp_path / "other.sqlite3")


def test_its_log_says_nothing_of_credentials(simulator, order, capfd):
    order("normal")
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def store_call(simulator):
    """Return a function that calls the other protocol, as the shop that it knows."""

    def make(path, token=Barakat.credentials["api_token"], **query):
        url = f"{simulator.url}/client/api/{path}"
        return requests.get(url, params=query, headers={"api-token": token}, timeout=5)

    return make


def test_the_other_protocol_buys_and_is_asked_about_many_at_once(store_call, store):
    for number, name in enumerate(("normal", "cancelled"), 1):
        path = f"newOrder/{SCENARIOS[name].package}/params"
        reply = store_call(path, order_uuid=number, playerId="p", qty=1).json()
        assert (reply["status"], reply["data"]["status"]) == ("OK", "wait")
    rows = store_call("check", orders="[1,2,3]", uuid=1).json()["data"]
    assert [(row["order_uuid"], row["status"]) for row in rows] == [
        ("1", "completed"),
        ("2", "reject"),
    ]
    assert store.purchases() == 2


def test_the_other_protocol_knows_its_shops_and_products(store_call):
    assert store_call("profile").json()["balance"] == "100000.00"
    assert store_call("profile", token="no").json()["code"] == 121
    assert store_call("newOrder/1/params", order_uuid=1).json()["code"] == 109


def test_a_switch_to_an_outage_meets_every_call(get, store):
    store.switch("error")
    assert get("bakiye_kontrol").status_code == 500
    store.switch("refused")
    assert get("bakiye_kontrol").text == "OK|100000.00"


def test_it_counts_by_reference_what_was_sent_bought_and_asked(simulator, order, get, store):
    order("normal", "7")
    order("normal", "7")
    order("refused", "8")
    status(get, "7")
    url = f"{simulator.url}/simulator/counts"
    counts = [requests.get(url, params={"referans": one}, timeout=5).json() for one in "78"]
    assert counts == [
        {"sent": 2, "bought": 2, "asked": 2},
        {"sent": 1, "bought": 0, "asked": 0},
    ]
    assert (store.bought_twice(), store.sendings("p")) == (["p"], 3)


def test_every_answer_takes_as_long_as_was_asked_for(store):
    with Simulator(store, answer_seconds=0.2) as simulator:
        reply = requests.get(f"{simulator.url}/simulator/counts", timeout=5)
    assert reply.elapsed.total_seconds() >= 0.2


def test_a_price_can_be_changed_and_taken_from_the_list(simulator):
    for query in ("package=100&cost=12.5", "package=101"):
        assert requests.post(f"{simulator.url}/simulator/prices?{query}", timeout=5).ok
    answer = requests.get(
        f"{simulator.url}/servis/pin_listesi.php", params=Znet.credentials, timeout=5
    ).json()
    costs = {row["kupur"]: row["fiyat"] for row in answer["result"]}

    assert costs == {
        scenario.package: "12.50" if scenario.package == "100" else "10.12"
        for scenario in SCENARIOS.values()
        if scenario.package != "101"
    }
    assert simulator.store.buy("1", "100", "player", "normal")[0] == 12.5
