import json
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from orders import price_rows, providers

pytestmark = pytest.mark.django_db
znet = providers.get_adapter("znet")


@pytest.fixture
def creds(canned):
    return {"base_url": canned.url, "kod": "dealer", "sifre": "pass word"}


@pytest.fixture
def place(canned, creds):
    def make(text, mapping=None):
        canned.reply = (200, text, {})
        payload = {
            "referans": "123456",
            "userIdentifier": "player 7",
            "extraField": "0912",
            "fieldMapping": mapping or {},
        }
        return znet.place_order(creds, "187:660", payload)

    return make


@pytest.fixture
def status(canned, creds):
    def make(text):
        canned.reply = (200, text, {})
        return znet.fetch_status(creds, "123456")

    return make


def asked(canned):
    parts = urlsplit(canned.seen[-1])
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def test_an_order_is_sent_with_the_documented_parameters(place, canned):
    place("OK|10.12|980.88")
    assert asked(canned) == (
        "/servis/pin_ekle.php",
        {
            "kod": "dealer",
            "sifre": "pass word",
            "oyun": "187",
            "kupur": "660",
            "referans": "123456",
            "oyuncu_bilgi": "player 7",
            "musteri_tel": "0912",
        },
    )


def test_the_fields_are_mapped_as_the_package_says(place, canned):
    place("OK|1|1", {"musteri_tel": "user_identifier", "oyuncu_bilgi": "extra_field"})
    sent = asked(canned)[1]
    assert (sent["musteri_tel"], sent["oyuncu_bilgi"]) == ("player 7", "0912")


@pytest.mark.parametrize(
    ("text", "cost", "balance"),
    [
        ("OK|10.12|980.88", "10.12", "980.88"),
        ("OK|10,12|980,88", "10.12", "980.88"),
        ("OK|rubbish|", None, None),
        ("OK", None, None),
    ],
)
def test_ok_is_accepted_with_cost_and_balance(place, text, cost, balance):
    answer = place(text)
    assert (answer["outcome"], answer["status"]) == ("accepted", "sent")
    assert answer["cost"] == (cost and Decimal(cost))
    assert answer["balance"] == (balance and Decimal(balance))


def test_three_is_refused_with_its_words(place):
    answer = place("3|Kupur Bilgisi Bulunamadı")
    assert (answer["outcome"], answer["retryable"]) == ("refused", False)
    assert answer["reason"] == "Kupur Bilgisi Bulunamadı"


@pytest.mark.parametrize("text", ["8|Bağlantı hatası", "OKAY", "4|Daha Önce Gönderilmiş", "3"])
def test_any_other_answer_to_an_order_is_unknown(place, text):
    assert place(text)["outcome"] == "unknown"


def test_a_status_is_asked_for_by_our_reference(status, canned):
    status("OK|1| |")
    assert asked(canned) == (
        "/servis/pin_kontrol.php",
        {"kod": "dealer", "sifre": "pass word", "tahsilat_api_islem_id": "123456"},
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OK|1| |bekliyor", ("processing", "", "bekliyor")),
        ("OK|1| |a|b|c", ("processing", "", "a|b|c")),
        ("OK|2|AB12-CD34-EF56-GH78|tamam", ("completed", "AB12-CD34-EF56-GH78", "tamam")),
        ("OK|2| |yuklendi", ("completed", "", "yuklendi")),
        ("OK|2| - |Y%C3%BCklendi+-ONAYLANDI", ("completed", "", "Yüklendi -ONAYLANDI")),
        ("OK|3| |iptal", ("cancelled", "", "iptal")),
        ("OK|3|Stok yok|", ("cancelled", "", "Stok yok")),
        ("OK|7| |?", ("processing", "", "?")),
    ],
)
def test_states_are_read_as_documented(status, text, expected):
    answer = status(text)
    assert answer["outcome"] == "answered"
    assert (answer["status"], answer["pinCode"], answer["reason"]) == expected


@pytest.mark.parametrize("text", ["3|Kayıt Bulunamadı", "OK", "OK|2", "2|x|y"])
def test_a_failed_question_is_no_answer_about_the_order(status, text):
    answer = status(text)
    assert (answer["outcome"], answer["status"]) == ("no_answer", "")


def test_an_unknown_state_warns(status, caplog):
    status("OK|7| |?")
    assert "unknown state '7'" in caplog.text


def test_the_pin_is_masked_in_what_is_kept(status):
    answer = status("OK|2|AB12-CD34|your AB12-CD34")
    assert (answer["answer"], answer["reason"]) == ("OK|2|***|your ***", "your ***")


@pytest.mark.parametrize("state", ["1", "7"])
def test_a_pin_that_came_before_its_state_is_masked_too(status, state):
    answer = status(f"OK|{state}|AB12-CD34|your AB12-CD34")
    assert (answer["pinCode"], answer["answer"]) == ("", f"OK|{state}|***|your ***")
    assert "AB12-CD34" not in repr(answer)


def test_turkish_letters_in_the_old_encoding_are_read(place, canned, creds):
    assert place("3|Bulunamadı".encode("cp1254"))["reason"] == "Bulunamadı"


ROW = {
    "id": "9001",
    "adi": "660 UC",
    "aciklama": "Otomatik",
    "oyun_id": "9",
    "oyun_adi": "İnci Oyunu",
    "fiyat": "10.12",
    "kupur": "660",
    "oyun_bilgi_id": "187",
}
LISTED = {
    "provider_package_id": "187:660",
    "name": "İnci Oyunu 660 UC",
    "cost": Decimal("10.12"),
    "extra": {"description": "Otomatik"},
}


@pytest.fixture
def listed(canned, creds):
    """Return a function that gives what is read of a price list with these rows."""

    def make(*rows, **more):
        answer = {"success": True, "result": rows, "error": None} | more
        canned.reply = (200, json.dumps(answer), {})
        return znet.fetch_price_list(creds)

    return make


def test_the_price_list_is_asked_for_with_the_credentials_alone(listed, canned):
    listed(ROW)
    assert asked(canned) == ("/servis/pin_listesi.php", {"kod": "dealer", "sifre": "pass word"})


def test_a_row_is_ordered_by_oyun_bilgi_id_and_kupur_and_not_by_its_id(listed):
    answer = listed(ROW)
    assert (answer["listings"], answer["unread"], answer["skipped"]) == ([LISTED], [], 0)


@pytest.mark.parametrize(
    ("wrong", "unread"),
    [
        ("no row", []),
        (None, []),
        ({}, []),
        (ROW | {"oyun_bilgi_id": None}, []),
        (ROW | {"oyun_bilgi_id": "18x"}, []),
        (ROW | {"kupur": "7" * 200}, []),
        (ROW | {"kupur": "661", "fiyat": ""}, ["187:661"]),
        (ROW | {"kupur": "661", "fiyat": "0.00"}, ["187:661"]),
        (ROW | {"kupur": "661", "fiyat": "-3"}, ["187:661"]),
        (ROW | {"kupur": "661", "fiyat": "NaN"}, ["187:661"]),
        (ROW | {"kupur": "661", "fiyat": "1.234,56"}, ["187:661"]),
        (ROW | {"kupur": "661", "fiyat": True}, ["187:661"]),
        (ROW | {"kupur": "661", "fiyat": ["1"]}, ["187:661"]),
        (ROW | {"kupur": "661", "fiyat": "9" * 40}, ["187:661"]),
        (ROW | {"kupur": "661", "adi": " ", "oyun_adi": None}, ["187:661"]),
    ],
)
def test_a_wrong_row_is_counted_and_spoils_no_other(listed, wrong, unread):
    answer = listed(wrong, ROW)
    assert (answer["outcome"], answer["listings"]) == ("answered", [LISTED])
    assert (answer["unread"], answer["skipped"]) == (unread, 1)


@pytest.mark.parametrize(
    ("text", "cost"), [("10,12", "10.12"), (10.12, "10.12"), (7, "7"), ("0.1234567", "0.123457")]
)
def test_a_cost_is_read_as_it_comes_and_never_made_cheaper(listed, text, cost):
    assert listed(ROW | {"fiyat": text})["listings"][0]["cost"] == Decimal(cost)


def test_of_two_rows_with_one_number_the_dearer_counts(listed):
    answer = listed(ROW | {"fiyat": "9"}, ROW | {"fiyat": "11"}, ROW | {"fiyat": "10"})
    assert [row["cost"] for row in answer["listings"]] == [Decimal(11)]
    assert answer["skipped"] == 2


def test_a_list_that_is_refused_says_why(listed):
    answer = listed(success=False, result=None, error="Bayi bulunamadı")
    assert (answer["outcome"], answer["reason"]) == ("no_answer", "Bayi bulunamadı")
    assert (answer["transport"], answer["listings"]) == (False, [])


def test_a_list_without_a_usable_row_is_none(listed):
    assert listed()["outcome"] == "no_answer"
    assert listed({}, {})["reason"] == "no row of the price list can be read"


def test_a_list_is_longer_than_other_answers_and_not_endless(listed, monkeypatch):
    long = [ROW | {"kupur": str(number)} for number in range(2_000)]
    assert len(listed(*long)["listings"]) == 2_000
    monkeypatch.setattr(price_rows, "MOST_LISTINGS", 1_999)
    answer = listed(*long)
    assert (answer["outcome"], answer["listings"]) == ("no_answer", [])
    assert answer["reason"] == "the price list is too long"


def test_our_password_in_a_list_is_masked(listed):
    row = ROW | {"adi": "pass word", "aciklama": "pass+word"}
    [found] = listed(row)["listings"]
    assert (found["name"], found["extra"]) == ("İnci Oyunu ***", {"description": "***"})
