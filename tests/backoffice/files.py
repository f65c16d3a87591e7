"""Real files, as people bring them."""

import csv
import io
import zipfile

import openpyxl
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

SHEET = "xl/worksheets/sheet1.xml"


def make_xlsx(*rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def make_csv(*rows, encoding="utf-8", delimiter=","):
    content = io.StringIO()
    csv.writer(content, delimiter=delimiter).writerows(rows)
    return content.getvalue().encode(encoding)


def with_part(workbook, name, content):
    """Return the workbook with one of its parts replaced."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook)) as old,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
        if name not in old.namelist():
            new.writestr(name, content)
    return packed.getvalue()


def upload(client, data, name="units.csv", model="inventory_unit"):
    """Bring a file to the import page of a model; return the page that comes back."""
    file = SimpleUploadedFile(name, data)
    return client.post(reverse(f"admin:{model}_import"), {"resource": "0", "import_file": file})


def confirm(client, preview, model="inventory_unit"):
    """Confirm a preview; return the page that it leads to."""
    form = preview.context["confirm_form"]
    return client.post(reverse(f"admin:{model}_process_import"), form.initial, follow=True)


def told(response):
    """Return everything that a page says was wrong with a file."""
    result = response.context["result"]
    return [
        *(message for problem in result.base_errors for message in problem.error.messages),
        *(message for row in result.invalid_rows for message in row.error.messages),
    ]
