"""Files as staff bring them, read as the import page reads them."""

import io

import openpyxl

from backoffice.import_files import CSV, XLSX
from inventory.document_resources import RESOURCES
from inventory.models import ReceiptPermanent

HEADINGS = (
    "شماره موقت",
    "تاریخ سند",
    "انبار",
    "تأمین‌کننده",
    "شرح",
    "ردیف",
    "کد کالا",
    "واحد",
    "مقدار واردشده",
)


def workbook(headings, *rows):
    """Return the bytes of an Excel file."""
    book = openpyxl.Workbook()
    for row in (headings, *rows):
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def receipt_row(**cells):
    """Return a row of a file of permanent receipts, by default complete and right."""
    row = {
        "شماره موقت": "R-1",
        "تاریخ سند": "1405/07/15",
        "انبار": "WH1",
        "تأمین‌کننده": None,
        "شرح": "خرید داخلی",
        "ردیف": 1,
        "کد کالا": "ITEM-A",
        "واحد": "PCS",
        "مقدار واردشده": 10,
    } | cells
    return [row[heading] for heading in HEADINGS]


def bring(resource_class, content, *, csv=False, user=None, **kwargs):
    """Import a file; return the result and the sentences of what was refused."""
    dataset = (CSV() if csv else XLSX()).create_dataset(content)
    resource = resource_class()
    result = resource.import_data(dataset, user=user, **kwargs)
    refused = [text for row in result.invalid_rows for text in row.error.messages]
    refused += [text for error in result.base_errors for text in error.error.messages]
    return result, refused


def bring_receipts(*rows, headings=HEADINGS, **kwargs):
    return bring(RESOURCES[ReceiptPermanent], workbook(headings, *rows), **kwargs)


def export(resource_class, queryset=None):
    """Return the bytes of an Excel export."""
    return XLSX().export_data(resource_class().export(queryset))
