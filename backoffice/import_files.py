"""The two formats of brought and taken files, Excel and CSV, each with a limit on every count."""

import csv
import io
import re
from decimal import Decimal

import openpyxl
import tablib
from django.conf import settings
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from import_export.formats import base_formats
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from backoffice import persian
from backoffice.import_guards import ZIP, Unreadable, check_unpacked

COLUMNS = 200
EMPTY_ROWS = 10  # times the rows that are accepted, counting empty ones
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
FORMULA = re.compile(r"[=+\-@\t\r\n]")
NO_TITLE = re.compile(r"[\\*?:/\[\]]")
WIDEST = 60


def make_dataset(rows):
    """Return the rows of a sheet as a dataset, each with its number in the file.

    The first row that holds anything is the heading. Empty rows are left out; more rows or
    columns than are accepted, cells without a heading and headings twice are refused.
    """
    dataset = tablib.Dataset()
    dataset.row_numbers, dataset.read_as = [], None
    headings = None
    for number, cells in enumerate(rows, 1):
        if number > EMPTY_ROWS * settings.IMPORT_MAXIMUM_ROWS:
            raise _too_many_rows()
        cells = list(cells)
        while cells and cells[-1] in (None, ""):
            cells.pop()
        if not any(cell not in (None, "") for cell in cells):
            continue
        if headings is None:
            dataset.headers = headings = _checked_headings(cells)
            continue
        _check_row(number, cells, headings, len(dataset.row_numbers))
        dataset.append(cells + [None] * (len(headings) - len(cells)))
        dataset.row_numbers.append(number)
    if headings is None:
        raise Unreadable(_t("The file is empty."))
    if not dataset.row_numbers:
        raise Unreadable(_t("The file has headings but no rows."))
    return dataset


def _checked_headings(cells):
    if len(cells) > COLUMNS:
        raise Unreadable(_t("The file has too many columns."))
    headings = [" ".join(str("" if cell is None else cell).split()) for cell in cells]
    for position, heading in enumerate(headings):
        if heading and heading in headings[:position]:
            raise Unreadable(
                _t("The heading “%(heading)s” occurs twice.") % {"heading": heading[:WIDEST]}
            )
    return headings


def _check_row(number, cells, headings, count):
    if count >= settings.IMPORT_MAXIMUM_ROWS:
        raise _too_many_rows()
    for position, cell in enumerate(cells):
        if cell not in (None, "") and (position >= len(headings) or not headings[position]):
            raise Unreadable(
                _t("Row %(row)s has a value in column %(column)s, which has no heading.")
                % {
                    "row": persian.digits_shown(str(number)),
                    "column": get_column_letter(position + 1),
                }
            )


def _too_many_rows():
    return Unreadable(
        _t("The file has too many rows: at most %(limit)s rows are imported at once.")
        % {"limit": persian.digits_shown(str(settings.IMPORT_MAXIMUM_ROWS))}
    )


def harmless(cell):
    """Return a cell that no spreadsheet takes for a formula; ``original`` undoes it."""
    if not isinstance(cell, str):
        return cell
    cell = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", cell)
    return f"'{cell}" if FORMULA.match(cell) else cell


def original(cell):
    """Return a cell without the sign that ``harmless`` put in front of it."""
    if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell[1:2]):
        return cell[1:]
    return cell


class XLSX(base_formats.XLSX):
    def get_title(self):
        return _("Excel (.xlsx)")

    def create_dataset(self, in_stream):
        check_unpacked(in_stream)
        try:
            book = openpyxl.load_workbook(
                io.BytesIO(in_stream), read_only=True, data_only=True, keep_links=False
            )
            sheet = book.worksheets[0]
            # A sheet declares its own size, which may be wrong: rows are counted as they come.
            sheet.reset_dimensions()
            last = EMPTY_ROWS * settings.IMPORT_MAXIMUM_ROWS + 1
            rows = sheet.iter_rows(values_only=True, max_row=last)
            return make_dataset([original(cell) for cell in row] for row in rows)
        except Unreadable:
            raise
        except Exception as error:  # whatever a damaged workbook makes of its reader
            raise Unreadable(_t("The Excel file is damaged.")) from error

    def export_data(self, *datasets, **kwargs):
        """Return a workbook with a sheet for each dataset."""
        book = openpyxl.Workbook(write_only=True)
        for dataset in datasets:
            _write_sheet(book, dataset)
        content = io.BytesIO()
        book.save(content)
        return content.getvalue()


def _write_sheet(book, dataset):
    sheet = book.create_sheet(NO_TITLE.sub(" ", dataset.title or "-")[:31])
    sheet.sheet_view.rightToLeft = persian.is_persian()
    sheet.freeze_panes = "A2"
    for position, heading in enumerate(dataset.headers):
        cells = [str(row[position] or "") for row in dataset[:100]]
        longest = max(map(len, [*cells, heading]))
        width = min(longest + 4, WIDEST)
        sheet.column_dimensions[get_column_letter(position + 1)].width = width
    sheet.append([_cell(sheet, heading, bold=True) for heading in dataset.headers])
    for row in dataset:
        sheet.append([_cell(sheet, value) for value in row])


def _cell(sheet, value, bold=False):
    cell = WriteOnlyCell(sheet, value=harmless(value))
    if isinstance(value, str):
        cell.data_type = "s"
    if bold:
        cell.font = Font(bold=True)
    return cell


class CSV(base_formats.CSV):
    def get_title(self):
        return _("CSV (.csv)")

    def is_binary(self):
        return True  # bytes in and out: the encoding is told apart, and written, here

    def get_read_mode(self):
        return "rb"

    def get_content_type(self):
        return "text/csv; charset=utf-8"

    def create_dataset(self, in_stream):
        text, read_as = decoded(in_stream)
        heading = text.lstrip().partition("\n")[0]
        delimiter = max(",;\t", key=heading.count)
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            dataset = make_dataset([original(cell) for cell in row] for row in rows)
        except csv.Error as error:
            raise Unreadable(_t("The CSV file is damaged.")) from error
        dataset.read_as = read_as
        return dataset

    def export_data(self, dataset, **kwargs):
        content = io.StringIO()
        writer = csv.writer(content)
        for row in [dataset.headers, *dataset]:
            writer.writerow([_written(cell) for cell in row])
        return content.getvalue().encode("utf-8-sig")


def decoded(data):
    """Return the text of a CSV file, and ``cp1256`` where old Windows wrote it, else None."""
    try:
        text, read_as = data.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        text, read_as = data.decode("cp1256"), "cp1256"
    if CONTROL.search(text):
        raise Unreadable(_t("This is no readable Excel (.xlsx) or CSV (.csv) file."))
    return text, read_as


def _written(cell):
    return format(cell, "f") if isinstance(cell, Decimal) else harmless(cell)


FORMATS = [XLSX, CSV]


def format_of(data):
    """Return the format class of a file that was let in before."""
    return XLSX if data.startswith(ZIP) else CSV
