"""The pages of the warehouse, through HTTP as a browser sends it."""

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice import claims, locks
from backoffice.roles import ensure_roles
from inventory.document_resources import RESOURCES
from inventory.document_types import TYPES
from inventory.models import (
    OURSELVES,
    DocumentLine,
    FiscalYear,
    Item,
    ItemCategory,
    ItemUnit,
    OrgUnit,
    Party,
    ReceiptConsignment,
    ReceiptPermanent,
    ReceiptTemporary,
    StocktakingDeficit,
    StocktakingRecord,
    Unit,
    Warehouse,
    WarehouseDocument,
)
from tests.forms import form_fields
from tests.inventory.factories import (
    make_document,
    make_fiscal_year,
    make_item,
    make_item_unit,
    make_party,
    make_receipt,
    make_stocktaking,
    make_warehouse,
)
from tests.inventory.files import export
from tests.inventory.states import post

DOCUMENTS = (*TYPES, StocktakingRecord)
MASTER_DATA = (Unit, ItemCategory, Item, ItemUnit, Warehouse, OrgUnit, Party, FiscalYear)


@pytest.fixture
def keeper(make_user, client):
    """A storekeeper who is logged in."""
    ensure_roles()
    user = make_user("keeper", first_name="مریم")
    user.groups.add(Group.objects.get(name="انباردار"))
    client.force_login(user)
    return user


@pytest.fixture
def manager(make_user, client):
    """A head of the warehouse who is logged in."""
    ensure_roles()
    user = make_user("manager", first_name="علی")
    user.groups.add(Group.objects.get(name="مدیر انبار"))
    client.force_login(user)
    return user


def address(model, page="changelist", *args):
    return reverse(f"admin:inventory_{model._meta.model_name}_{page}", args=args)


def make(model):
    return make_stocktaking() if model is StocktakingRecord else make_document(model)


def form_of(client, model, *args):
    """Return what a browser would send for a page's form, empty lines left out."""
    page = client.get(address(model, "change" if args else "add", *args))
    return form_fields(page.content.decode(), f"{model._meta.model_name}_form")


def shown(client, model, query=""):
    """Return the rows of a list."""
    return list(client.get(address(model) + query).context["cl"].queryset)


@pytest.mark.parametrize("model", DOCUMENTS + MASTER_DATA)
def test_every_list_and_form_opens_in_persian(client, manager, model):
    if model in DOCUMENTS:
        obj = make(model)
    else:
        make_item_unit(make_receipt().lines.get().item)
        obj = model.objects.first() or make_document(TYPES[4]).org_unit

    for url in (address(model), address(model, "add"), address(model, "change", obj.pk)):
        response = client.get(url)
        assert response.status_code == 200
        assert str(model._meta.verbose_name) in response.content.decode()


@pytest.mark.parametrize("model", (*DOCUMENTS, Item))
def test_a_list_asks_as_much_for_three_rows_as_for_one(
    client, manager, model, django_assert_max_num_queries
):
    def rows():
        return make_item() if model is Item else make(model)

    rows()
    client.get(address(model))
    with django_assert_max_num_queries(12) as first:
        client.get(address(model))
    rows(), rows()
    with django_assert_max_num_queries(len(first)):
        page = client.get(address(model))
    assert len(page.context["cl"].result_list) >= 3


def test_a_new_document_is_written_with_its_lines(client, keeper):
    item, _year = make_item(), make_fiscal_year()
    fields = form_of(client, ReceiptPermanent) | {
        "document_date": "۱۴۰۵/۰۷/۱۵",
        "warehouse": make_warehouse().pk,
        "description": "خريد",
        "lines-0-item": item.pk,
        "lines-0-unit": item.base_unit_id,
        "lines-0-entered_quantity": "۱۲",
        "lines-2-item": item.pk,
        "lines-2-unit": item.base_unit_id,
        "lines-2-entered_quantity": "3",
    }

    response = client.post(address(ReceiptPermanent, "add"), fields)

    assert response.status_code == 302
    document = ReceiptPermanent.objects.get()
    assert (document.draft_number, document.status) == (fields["draft_number"], "draft")
    assert (document.created_by, document.fiscal_year.code) == (keeper, "1405")
    assert list(document.lines.values_list("row_no", "quantity")) == [(1, 12), (2, 3)]


def test_a_new_line_is_numbered_after_the_last_one(client, keeper):
    document = make_receipt(lines=2)
    item = make_item()
    fields = form_of(client, ReceiptPermanent, document.pk) | {
        "lines-TOTAL_FORMS": "3",
        "lines-1-DELETE": "on",
        "lines-2-item": item.pk,
        "lines-2-unit": item.base_unit_id,
        "lines-2-entered_quantity": "5",
    }

    client.post(address(ReceiptPermanent, "change", document.pk), fields)

    assert list(document.lines.values_list("row_no", "quantity")) == [(1, 10), (3, 5)]


def test_a_wrong_line_keeps_the_whole_document_from_being_written(client, keeper):
    document = make_receipt(lines=2)
    before = list(document.lines.values())
    fields = form_of(client, ReceiptPermanent, document.pk)
    fields |= {"lines-0-entered_quantity": "7", "lines-1-entered_quantity": "1.5"}

    response = client.post(address(ReceiptPermanent, "change", document.pk), fields)

    assert response.status_code == 200
    assert "اعشار نمی‌پذیرد" in response.content.decode()
    assert list(document.lines.values()) == before


def test_more_approved_than_came_in_is_told_at_its_line(client, keeper):
    document = make_document(ReceiptTemporary)
    fields = form_of(client, ReceiptTemporary, document.pk) | {"lines-0-approved_quantity": "11"}

    response = client.post(address(ReceiptTemporary, "change", document.pk), fields)

    assert "بیشتر از مقدار رسیده" in response.content.decode()
    assert document.lines.get().approved_quantity is None


def test_a_temporary_number_that_is_taken_is_refused_in_words(client, keeper):
    make_receipt(draft_number="R-1")
    fields = form_of(client, ReceiptPermanent) | {
        "draft_number": "R-1",
        "document_date": "1405/07/15",
        "warehouse": make_warehouse().pk,
    }

    response = client.post(address(ReceiptPermanent, "add"), fields)

    assert response.status_code == 200
    assert response.context["errors"]
    assert ReceiptPermanent.objects.count() == 1


def test_a_temporary_receipt_is_not_converted_twice(client, keeper):
    temporary = make_document(ReceiptTemporary)
    make_receipt(temporary_receipt=temporary)
    document = make_receipt()
    fields = form_of(client, ReceiptPermanent, document.pk) | {"temporary_receipt": temporary.pk}

    response = client.post(address(ReceiptPermanent, "change", document.pk), fields)

    document.refresh_from_db()
    assert "تبدیل شده است" in response.content.decode()
    assert document.temporary_receipt is None


def test_what_a_type_can_not_do_without_is_asked_for(client, keeper):
    make_fiscal_year()
    fields = form_of(client, ReceiptConsignment)
    fields |= {"document_date": "1405/07/15", "warehouse": make_warehouse().pk}

    response = client.post(address(ReceiptConsignment, "add"), fields)

    assert response.context["adminform"].form.errors.keys() == {"owner"}
    assert not ReceiptConsignment.objects.exists()


def test_the_lines_belong_to_the_owner_that_was_chosen(client, keeper):
    document = make_document(ReceiptConsignment)
    other = make_party("P8", "مالک دیگر")
    fields = form_of(client, ReceiptConsignment, document.pk) | {"owner": other.pk}

    client.post(address(ReceiptConsignment, "change", document.pk), fields)

    assert document.lines.get().owner == other


def test_a_count_is_written_with_its_variance(client, keeper):
    record = make_stocktaking()
    fields = form_of(client, StocktakingRecord, record.pk) | {"lines-0-count_1": "۷"}

    client.post(address(StocktakingRecord, "change", record.pk), fields)

    line = record.lines.get()
    assert (line.final_count, line.variance) == (7, -3)


def test_a_count_of_pieces_takes_no_decimals_and_a_book_stock_no_debt(client, keeper):
    record = make_stocktaking()
    before = list(record.lines.values())
    for name, value in (("count_1", "7.5"), ("book_quantity", "-1")):
        fields = form_of(client, StocktakingRecord, record.pk) | {f"lines-0-{name}": value}

        response = client.post(address(StocktakingRecord, "change", record.pk), fields)

        [formset] = response.context["inline_admin_formsets"]
        assert [list(form.errors) for form in formset.formset] == [[name]]
        assert list(record.lines.values()) == before


def test_a_barcode_that_is_taken_is_refused_in_words(client, manager):
    make_item(barcode="626")
    other = make_item()
    fields = form_of(client, Item, other.pk) | {"barcode": "626"}

    response = client.post(address(Item, "change", other.pk), fields)

    other.refresh_from_db()
    assert "کالای دیگری همین بارکد" in response.content.decode()
    assert other.barcode == ""


def test_the_units_to_choose_from_are_asked_for_once_a_page(client, keeper):
    asked = []
    for lines in (1, 3):
        document = make_receipt(lines=lines)
        with CaptureQueriesContext(connection) as queries:
            page = client.get(address(ReceiptPermanent, "change", document.pk))
        asked.append(sum('FROM "inventory_unit"' in query["sql"] for query in queries))

    assert asked[0] == asked[1]
    assert page.content.decode().count(">عدد</option>") == 4  # and the empty form for more


def test_status_and_number_are_not_written_by_hand(client, manager):
    document = make_receipt()
    fields = form_of(client, ReceiptPermanent, document.pk)
    fields |= {"status": "posted", "document_number": "5", "draft_number": "X"}

    client.post(address(ReceiptPermanent, "change", document.pk), fields)

    number = document.draft_number
    document.refresh_from_db()
    assert (document.status, document.document_number) == ("draft", None)
    assert document.draft_number == number


def test_a_posted_document_is_for_reading(client, manager):
    document = make_receipt()
    fields = form_of(client, ReceiptPermanent, document.pk)
    post(document, manager)

    page = client.get(address(ReceiptPermanent, "change", document.pk))
    change = client.post(address(ReceiptPermanent, "change", document.pk), fields)
    delete = client.post(address(ReceiptPermanent, "delete", document.pk), {"post": "yes"})

    assert b'name="_save"' not in page.content
    assert (change.status_code, delete.status_code) == (403, 403)
    assert ReceiptPermanent.objects.get().description == document.description


def test_a_save_over_a_document_posted_meanwhile_is_refused_with_its_input(client, manager):
    document = make_receipt()
    fields = form_of(client, ReceiptPermanent, document.pk) | {"description": "نوشتهٔ من"}
    post(document, manager, version=2)

    response = client.post(address(ReceiptPermanent, "change", document.pk), fields)

    assert response.status_code == 409
    assert "نوشتهٔ من" in response.content.decode()
    assert ReceiptPermanent.objects.get().description == "برای آزمایش"


@pytest.mark.parametrize("term", ["خرید يدكي", "کد۱۲", "R-7", "R-۷", "آریا", "آريا"])
def test_a_document_is_found_however_it_is_typed(client, keeper, term):
    document = make_receipt(
        draft_number="R-7", description="خريد یدکی", reference="کد12", supplier=make_party()
    )
    make_receipt(draft_number="R-8")

    assert shown(client, ReceiptPermanent, f"?q={term}") == [document]


@pytest.mark.parametrize("term", ["كليد", "el-۱", "نگه داری", "نگهداری"])
def test_an_item_is_found_however_it_is_typed(client, keeper, term):
    item = make_item(code="EL-1", name="کلید نگه‌داری نگه داری")
    make_item(code="ZZ-2", name="لامپ")

    assert shown(client, Item, f"?q={term}") == [item]


def test_a_list_is_narrowed_to_status_warehouse_and_locks(client, keeper):
    free, other = make_receipt(), make_receipt(warehouse=make_warehouse("WH2", "دوم"))
    locks.acquire(ReceiptPermanent, other.pk, by=keeper, version=1)

    assert shown(client, ReceiptPermanent, f"?warehouse__id__exact={free.warehouse_id}") == [free]
    assert shown(client, ReceiptPermanent, "?status__exact=posted") == []
    assert shown(client, ReceiptPermanent, "?editing=live") == [other]


def test_every_kind_of_document_is_a_kind_of_claim_with_its_lists(client, keeper):
    names = {f"edit:inventory.{model.__name__}" for model in DOCUMENTS}

    assert names == {name for name in claims.KINDS if name.startswith("edit:inventory.")}
    for name in names:
        kind = claims.KINDS[name]
        assert (kind.live().count(), kind.stale().count()) == (0, 0)
        for url in (kind.live_url, kind.stale_url):
            assert client.get(reverse("admin:index") + url).status_code == 200


def test_no_list_of_documents_is_edited_in_place():
    assert [model for model in DOCUMENTS if site._registry[model].list_editable] == []


def test_the_table_of_all_types_has_no_page_of_its_own():
    assert WarehouseDocument not in site._registry


def test_ourselves_can_not_be_deleted(client, manager):
    response = client.post(address(Party, "delete", OURSELVES), {"post": "yes"})

    assert response.status_code == 403
    assert Party.objects.filter(pk=OURSELVES).exists()


@pytest.mark.parametrize("model", DOCUMENTS)
def test_somebody_without_the_right_gets_in_nowhere(client, make_user, model):
    client.force_login(make_user("stranger"))
    document = make(model)

    for page, args in (
        ("changelist", []),
        ("add", []),
        ("change", [document.pk]),
        ("delete", [document.pk]),
        ("history", [document.pk]),
        ("import", []),
        ("export", []),
    ):
        assert client.get(address(model, page, *args)).status_code == 403, page


def test_the_right_to_one_type_opens_no_other(client, make_user):
    rights = [f"inventory.{a}_receipttemporary" for a in ("view", "change", "import", "export")]
    client.force_login(make_user("clerk", *rights))
    temporary, permanent = make_document(ReceiptTemporary), make_receipt()

    assert client.get(address(ReceiptTemporary, "change", temporary.pk)).status_code == 200
    assert client.get(address(ReceiptPermanent, "change", permanent.pk)).status_code == 403
    assert client.get(address(ReceiptPermanent, "export")).status_code == 403
    # The row is there, but it is none of this type.
    assert client.get(address(ReceiptTemporary, "change", permanent.pk)).status_code == 302


def test_a_storekeeper_deletes_no_document_and_changes_no_item(client, keeper):
    document = make_receipt()
    item = document.lines.get().item

    delete = client.post(address(ReceiptPermanent, "delete", document.pk), {"post": "yes"})
    change = client.post(address(Item, "change", item.pk), {"name": "دیگر"})

    assert (delete.status_code, change.status_code) == (403, 403)
    assert DocumentLine.objects.filter(document=document, item__name=item.name).exists()


def test_a_file_goes_in_by_the_import_page_once_it_is_confirmed(client, keeper):
    source = make_document(StocktakingDeficit)
    content = export(RESOURCES[StocktakingDeficit], StocktakingDeficit.objects.all())
    source.delete()
    upload = {"import_file": SimpleUploadedFile("deficit.xlsx", content), "resource": "0"}

    page = client.post(address(StocktakingDeficit, "import"), upload)
    assert not StocktakingDeficit.objects.exists()
    confirmed = client.post(
        address(StocktakingDeficit, "process_import"), page.context["confirm_form"].initial
    )

    assert confirmed.status_code == 302
    document = StocktakingDeficit.objects.get()
    assert (document.draft_number, document.created_by) == (source.draft_number, keeper)
    history = client.get(address(StocktakingDeficit, "history", document.pk))
    assert "deficit.xlsx" in history.content.decode()
