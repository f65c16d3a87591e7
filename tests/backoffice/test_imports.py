"""What every imported row obeys, on the units and items of the warehouse."""

import io

import openpyxl
import pytest
import tablib
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import override
from import_export.fields import Field

from backoffice.import_files import CSV, XLSX
from backoffice.import_rows import KeyedInstanceLoader
from backoffice.imports import LockAwareResource
from inventory.models import Item, ReceiptPermanent, Unit
from inventory.resources import ItemResource, UnitResource
from tests.backoffice.files import make_csv
from tests.inventory.factories import make_category, make_item, make_unit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_persian():
    with override("fa"):
        yield


def headings(resource=UnitResource):
    return [str(field.column_name) for field in resource().get_import_fields()]


def bring(*rows, columns=None, resource=UnitResource, **kwargs):
    data = make_csv(columns or headings(resource), *rows)
    return resource().import_data(CSV().create_dataset(data), **kwargs)


def refused(result):
    return [
        *(message for problem in result.base_errors for message in problem.error.messages),
        *(message for row in result.invalid_rows for message in row.error.messages),
    ]


def stored():
    return list(Unit.objects.order_by("code").values_list("code", "name", "decimal_places"))


def test_rows_are_added_changed_and_left_by_their_code():
    make_unit("A", "old")
    make_unit("B", "same")
    result = bring(["A", "new", "۰"], ["B", "same", "0"], ["C", "كيلو", "۳"])
    assert refused(result) == []
    assert (result.totals["new"], result.totals["update"], result.totals["skip"]) == (1, 1, 1)
    assert stored() == [("A", "new", 0), ("B", "same", 0), ("C", "کیلو", 3)]


def test_a_preview_stores_nothing():
    result = bring(["A", "name", "0"], dry_run=True)
    assert (result.totals["new"], stored()) == (1, [])


def test_one_wrong_row_keeps_all_others_out():
    result = bring(["A", "right", "0"], ["B", "wrong", "x"])
    assert len(refused(result)) == 1
    assert stored() == []


def test_all_errors_are_told_at_once_with_row_column_value_and_what_is_allowed():
    unit_columns = headings()
    messages = refused(bring(["A", "", "x"], ["ب", "name", "7"]))
    assert len(messages) == 4
    assert "۲" in messages[0]
    for message, (row, column, value) in zip(
        messages,
        [("۲", 1, ""), ("۲", 2, "x"), ("۳", 0, "ب"), ("۳", 2, "7")],
        strict=True,
    ):
        assert row in message
        assert unit_columns[column] in message
        assert value in message
    assert stored() == []


def test_what_may_be_chosen_or_named_is_said():
    make_category("CAT")
    make_unit("PCS")
    row = dict.fromkeys(headings(ItemResource), "")
    row |= dict(zip(row, ["1", "name", "CAT", "metre"], strict=False))
    [message] = refused(bring(list(row.values()), resource=ItemResource))
    assert "metre" in message
    assert str(Unit._meta.verbose_name_plural) in message
    assert not Item.objects.exists()


def test_missing_and_unknown_headings_are_named():
    code, _name, places = headings()
    messages = refused(bring(["A", "x", "0"], columns=[code, "رنگ", places]))
    assert len(messages) == 2
    assert "رنگ" in messages[0]
    assert headings()[1] in messages[1]
    assert stored() == []


def test_a_heading_is_known_in_each_language_and_by_its_field():
    with override("en"):
        english = headings()
    bring(["A", "a", "0"], columns=english)
    bring(["B", "b", "0"], columns=["code", " NAME ", "decimal_places"])
    assert [code for code, *_rest in stored()] == ["A", "B"]


def test_a_column_that_has_a_default_may_be_left_out():
    make_unit("A", "old", decimal_places=3)
    bring(["A", "new"], ["B", "b"], columns=headings()[:2])
    assert stored() == [("A", "new", 3), ("B", "b", 0)]


def test_a_row_that_repeats_another_is_refused():
    [message] = refused(bring(["A", "a", "0"], ["B", "b", "0"], ["a".upper(), "c", "0"]))
    assert "۴" in message
    assert "۲" in message
    assert stored() == []


def test_rows_are_looked_for_in_one_query_however_many(django_assert_num_queries):
    make_unit("U1", "same")
    dataset = tablib.Dataset(headers=["کد"])
    for number in range(20):
        dataset.append([f"U{number}"])
    resource = UnitResource()
    with django_assert_num_queries(1):
        loader = KeyedInstanceLoader(resource, dataset)
        found = [loader.get_instance(row) for row in dataset.dict]
    assert [unit.code for unit in found if unit] == ["U1"]


def test_an_exported_file_changes_nothing_when_it_comes_back():
    make_item(name="=کلید", minimum_stock="1.5")
    make_item(name="کلید")
    exported = ItemResource().export()
    for kind in (CSV, XLSX):
        dataset = kind().create_dataset(kind().export_data(exported))
        result = ItemResource().import_data(dataset)
        assert (refused(result), result.totals["skip"]) == ([], 2)


def test_an_export_asks_for_all_related_rows_at_once(django_assert_num_queries):
    for _number in range(3):
        make_item()
    with django_assert_num_queries(1):
        assert len(ItemResource().export(Item.objects.all())) == 3


def test_the_preview_shows_the_old_value_and_the_new():
    make_unit("A", "<old>")
    [row] = bring(["A", "new", "3"], dry_run=True).rows
    assert row.diff == [
        "<bdi>A</bdi>",
        "<del><bdi>&lt;old&gt;</bdi></del> <ins><bdi>new</bdi></ins>",
        "<del><bdi>۰</bdi></del> <ins><bdi>۳</bdi></ins>",
    ]


def test_a_fault_of_ours_is_recorded_and_told_without_its_words(caplog):
    class Broken(UnitResource):
        def before_save_instance(self, instance, row, **kwargs):
            raise RuntimeError("secret of the database")

        class Meta:
            model = Unit
            import_id_fields = ("code",)
            fields = ("code", "name", "decimal_places")

    [message] = refused(bring(["A", "a", "0"], resource=Broken))
    assert "secret" not in message
    assert "secret of the database" in caplog.text
    assert stored() == []


@pytest.mark.parametrize("column", ["id", "editing_session_key", "version"])
def test_a_resource_with_ids_or_locks_fails_when_it_is_made(column):
    class Careless(LockAwareResource):
        stolen = Field(column, column)

        class Meta:
            model = ReceiptPermanent
            import_id_fields = ("draft_number",)
            fields = ("draft_number", "stolen")

    with pytest.raises(ImproperlyConfigured):
        Careless()


def test_no_column_of_a_lock_is_in_a_resource_by_default():
    class Whole(LockAwareResource):
        class Meta:
            model = ReceiptPermanent
            import_id_fields = ("draft_number",)

    assert not [name for name in Whole.fields if name.startswith("editing_")]


def test_an_empty_sheet_to_fill_in_explains_its_columns():
    book = openpyxl.load_workbook(io.BytesIO(UnitResource().template()))
    sheet, guide = book.worksheets
    assert list(sheet.values) == [tuple(headings())]
    assert [row[0] for row in guide.values][1:] == headings()
    assert all(allowed for *_rest, allowed in guide.values)


def test_a_dataset_that_was_made_by_hand_counts_its_heading_as_a_row():
    dataset = tablib.Dataset(headers=["code", "name", "decimal_places"])
    dataset.append(["A", "a", "x"])
    [message] = refused(UnitResource().import_data(dataset))
    assert "۲" in message


def bring_item(**cells):
    columns = ["code", "name", "category", "base_unit", *cells]
    row = ["1", "name", "CAT", "PCS", *cells.values()]
    make_category("CAT")
    make_unit("PCS")
    return bring(row, columns=columns, resource=ItemResource)


def test_what_only_the_database_refuses_is_told_in_words():
    [message] = refused(bring_item(minimum_stock="5", maximum_stock="3"))
    constraint = next(c for c in Item._meta.constraints if c.name == "item_maximum_from_minimum")
    assert str(constraint.violation_error_message) in message
    assert not Item.objects.exists()


def test_a_value_that_another_row_has_is_refused():
    make_item(code="0", barcode="111")
    assert len(refused(bring_item(barcode="111"))) == 1
    assert Item.objects.count() == 1


def test_constraints_are_told_with_the_other_errors_of_a_row():
    messages = refused(bring_item(minimum_stock="5", maximum_stock="3", is_active="x"))
    assert len(messages) == 2


def test_a_good_row_costs_few_queries(django_assert_num_queries):
    make_category("CAT")
    make_unit("PCS")
    columns = ["code", "name", "category", "base_unit"]
    rows = [[number, "name", "CAT", "PCS"] for number in range(10)]
    dataset = CSV().create_dataset(make_csv(columns, *rows))
    around, row = 9, 5  # savepoints and look-ups; two savepoints and the INSERT
    with django_assert_num_queries(around + row * len(rows)):
        ItemResource().import_data(dataset)
