"""What is in a brought file, and what goes into a taken one."""

import io
from decimal import Decimal

import openpyxl
import pytest
import tablib
from django.utils.translation import override

from backoffice.import_files import CSV, XLSX
from backoffice.import_guards import Unreadable
from tests.backoffice.files import make_csv, make_xlsx

FORMULAE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1"]


def make_dataset(*rows, headers=("a", "b")):
    dataset = tablib.Dataset(headers=list(headers))
    dataset.title = "کالاها"
    for row in rows:
        dataset.append(row)
    return dataset


def cells_of(workbook):
    return list(openpyxl.load_workbook(io.BytesIO(workbook)).active.values)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_is_read_with_and_without_its_mark(encoding):
    dataset = CSV().create_dataset(make_csv(["کد", "نام"], ["1", "کیلو"], encoding=encoding))
    assert dataset.dict == [{"کد": "1", "نام": "کیلو"}]
    assert dataset.read_as is None


def test_a_csv_of_old_windows_is_told_apart():
    dataset = CSV().create_dataset(make_csv(["كد"], ["كيلو"], encoding="cp1256"))
    assert dataset.dict == [{"كد": "كيلو"}]
    assert dataset.read_as == "cp1256"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_with_the_separators_of_excel(delimiter):
    dataset = CSV().create_dataset(make_csv(["a", "b"], ["1", "2"], delimiter=delimiter))
    assert dataset.dict == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("data", [b"\x00\x01\x02" * 50, b'a\n"b', "a".encode("utf-16")])
def test_garbage_is_no_csv(data):
    with pytest.raises(Unreadable):
        CSV().create_dataset(data)


def test_rows_keep_their_number_in_the_file():
    dataset = XLSX().create_dataset(make_xlsx([], ["a"], [None], ["1"], [], ["2"]))
    assert (dataset.dict, dataset.row_numbers) == ([{"a": "1"}, {"a": "2"}], [4, 6])


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [["a", "b"]],
        [["a", "a"], ["1", "2"]],
        [["a"], ["1", "2"]],
        [["a", None, "b"], ["1", "2", "3"]],
        [[f"h{number}" for number in range(201)], ["1"]],
    ],
)
@pytest.mark.parametrize(("kind", "make"), [(CSV, make_csv), (XLSX, make_xlsx)])
def test_a_table_that_is_none_is_refused(kind, make, rows):
    with pytest.raises(Unreadable):
        kind().create_dataset(make(*rows))


def test_more_rows_than_accepted_are_refused(settings):
    settings.IMPORT_MAXIMUM_ROWS = 3
    assert len(CSV().create_dataset(make_csv(["a"], ["1"], ["2"], ["3"]))) == 3
    with override("fa"), pytest.raises(Unreadable, match="۳"):
        CSV().create_dataset(make_csv(["a"], ["1"], ["2"], ["3"], ["4"]))


def test_the_first_sheet_is_read_whichever_is_open():
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append(["1"])
    book.active = book.create_sheet("other")
    content = io.BytesIO()
    book.save(content)
    assert XLSX().create_dataset(content.getvalue()).dict == [{"a": "1"}]


@pytest.mark.parametrize("text", FORMULAE)
@pytest.mark.parametrize("kind", [CSV, XLSX])
def test_a_text_that_looks_like_a_formula_leaves_harmless_and_comes_back_whole(kind, text):
    taken = kind().export_data(make_dataset([text, 1]))
    brought = kind().create_dataset(taken)
    assert brought["a"] == [text]
    sheet = taken.decode("utf-8-sig") if kind is CSV else str(cells_of(taken)[1][0])
    assert f"'{text[0]}" in sheet


def test_no_cell_of_a_workbook_is_a_formula():
    taken = XLSX().export_data(make_dataset(*([text, 1] for text in FORMULAE)))
    sheet = openpyxl.load_workbook(io.BytesIO(taken)).active
    assert {cell.data_type for row in sheet.iter_rows(min_row=2, max_col=1) for cell in row} == {
        "s"
    }


def test_numbers_stay_numbers():
    taken = XLSX().export_data(make_dataset([-5, Decimal("0.25")]))
    assert cells_of(taken) == [("a", "b"), (-5, 0.25)]
    assert CSV().export_data(make_dataset([-5, Decimal("1E-7")])).endswith(b"-5,0.0000001\r\n")


def test_a_csv_leaves_with_the_mark_that_excel_needs():
    assert CSV().export_data(make_dataset(["کد", 1])).startswith(b"\xef\xbb\xbfa,b\r\n")


def test_a_workbook_reads_from_right_to_left_in_persian_only():
    def direction():
        book = openpyxl.load_workbook(io.BytesIO(XLSX().export_data(make_dataset(["1", "2"]))))
        return book.active.sheet_view.rightToLeft

    with override("fa"):
        assert direction() is True
    with override("en"):
        assert not direction()


def test_signs_that_no_workbook_may_hold_do_not_stop_an_export():
    assert cells_of(XLSX().export_data(make_dataset(["a\x08b", 1])))[1] == ("a\ufffdb", 1)
