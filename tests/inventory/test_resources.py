"""Files of the master data."""

import pytest

from inventory import resources
from inventory.models import FiscalYear, Item, ItemUnit, Party, Unit, Warehouse
from tests.inventory.factories import (
    make_category,
    make_document,
    make_item,
    make_item_unit,
    make_unit,
)
from tests.inventory.files import bring, export, workbook

ITEM = ("کد", "نام", "گروه کالا", "واحد اصلی", "حداقل موجودی")
ALL = (
    resources.UnitResource,
    resources.ItemCategoryResource,
    resources.ItemResource,
    resources.ItemUnitResource,
    resources.WarehouseResource,
    resources.OrgUnitResource,
    resources.PartyResource,
    resources.FiscalYearResource,
)


@pytest.fixture(autouse=True)
def units(db):
    make_unit(), make_category()


def test_items_come_in_by_the_codes_of_their_groups_and_units():
    content = workbook(ITEM, ("EL-1", "كليد", "CAT", "PCS", "۱۲٫۵"), ("EL-2", "لامپ", "CAT", "PCS"))

    _result, refused = bring(resources.ItemResource, content)

    assert refused == []
    item = Item.objects.get(code="EL-1")
    assert (item.name, item.base_unit.code, item.minimum_stock) == ("کلید", "PCS", 12.5)
    assert (item.search_text, Item.objects.count()) == ("el-1 کلید", 2)


def test_a_known_code_is_changed_and_not_doubled():
    make_item(code="EL-1", name="کلید")

    result, _refused = bring(
        resources.ItemResource, workbook(ITEM, ("EL-1", "کلید تازه", "CAT", "PCS"))
    )

    assert result.totals["update"] == 1
    assert Item.objects.get().name == "کلید تازه"


def test_one_wrong_row_keeps_all_rows_out():
    rows = [(f"EL-{number}", "کالا", "CAT", "PCS") for number in range(5)]

    _result, refused = bring(
        resources.ItemResource, workbook(ITEM, *rows, ("EL-9", "کالا", "CAT", "XX"))
    )

    assert len(refused) == 1
    assert all(word in refused[0] for word in ("۷", "واحد اصلی", "XX", "واحدهای سنجش"))
    assert not Item.objects.exists()


def test_a_csv_of_old_excel_is_read():
    text = "کد,نام,رقم‌های اعشار\r\nM,متر,2\r\n".replace("ی", "ي").replace("ک", "ك")

    _result, refused = bring(resources.UnitResource, text.encode("cp1256"), csv=True)

    assert refused == []
    assert Unit.objects.get(code="M").decimal_places == 2


def test_second_units_are_known_by_item_and_unit():
    make_item(code="EL-1"), make_unit("CTN", "کارتن")
    headings = ("کد کالا", "واحد فرعی", "ضریب تبدیل")
    bring(resources.ItemUnitResource, workbook(headings, ("EL-1", "CTN", 24)))

    result, refused = bring(resources.ItemUnitResource, workbook(headings, ("EL-1", "CTN", 12)))

    assert (refused, result.totals["update"]) == ([], 1)
    assert ItemUnit.objects.get().factor == 12


def test_a_storekeeper_is_named_by_the_name_to_log_in_with(make_user):
    keeper = make_user("maryam")
    headings = ("کد", "نام", "انباردار")

    _result, refused = bring(
        resources.WarehouseResource, workbook(headings, ("W1", "مرکزی", "maryam"))
    )

    assert refused == []
    assert Warehouse.objects.get().keeper == keeper


def test_fiscal_years_of_a_file_do_not_overlap():
    headings = ("کد", "تاریخ شروع", "تاریخ پایان")
    rows = ("1405", "1405/01/01", "1405/12/29"), ("1406", "1405/12/29", "1406/12/29")

    _result, refused = bring(resources.FiscalYearResource, workbook(headings, *rows))

    assert len(refused) == 1
    assert not FiscalYear.objects.exists()


@pytest.mark.parametrize("resource_class", ALL)
def test_an_export_comes_in_again_without_a_change(resource_class):
    from inventory.models import IssueConsumption

    make_document(IssueConsumption)
    make_item_unit(make_item(minimum_stock="1.5"))
    before = list(resource_class._meta.model.objects.values())

    result, refused = bring(resource_class, export(resource_class))

    assert (refused, result.totals["new"], result.totals["update"]) == ([], 0, 0)
    assert result.totals["skip"] == len(before) > 0
    assert list(resource_class._meta.model.objects.values()) == before


def test_ids_and_search_words_leave_in_no_file():
    headings = {heading for resource in ALL for heading in resource().get_export_headers()}

    assert not headings & {"id", "ID", "search_text"}


def test_a_party_keeps_its_phone_as_it_was_written():
    headings = ("کد", "نام", "تلفن")

    bring(resources.PartyResource, workbook(headings, ("S1", "آریا", "۰۲۱-۵۵۳۰۱۲۰۰")))

    assert Party.objects.get(code="S1").phone == "021-55301200"
