"""Hostile files: refused in words, in little memory, before anything is built from them."""

import io
import struct
import tracemalloc

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from backoffice.import_files import XLSX
from backoffice.import_guards import Unreadable, check_unpacked, check_upload
from tests.backoffice.files import SHEET, make_csv, make_xlsx, with_part

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
MEGABYTE = 1_000_000


def make_sheet(rows):
    xml = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    return with_part(make_xlsx(["a"]), SHEET, xml.encode())


def attributes(count):
    return " ".join(f'a{number}="1"' for number in range(count))


HOSTILE = {
    "a part of zeros": lambda: with_part(make_xlsx(["a"]), SHEET, b"0" * 100 * MEGABYTE),
    "a row of millions of cells": lambda: make_sheet(f"<row>{'<c/>' * 3 * MEGABYTE}</row>"),
    "millions of rows": lambda: make_sheet("<row/>" * 2 * MEGABYTE),
    "a tag of a million attributes": lambda: make_sheet(f"<row {attributes(200_000)}/>"),
    "millions of styles": lambda: with_part(
        make_xlsx(["a"]), "xl/styles.xml", b"<styleSheet>" + b"<font/>" * MEGABYTE
    ),
    "a part of another name": lambda: with_part(
        make_xlsx(["a"]), "xl/styles.bin", b"<styleSheet>" + b"<font/>" * MEGABYTE
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bomb_is_refused_before_it_is_built(kind):
    with pytest.raises(Unreadable):
        check_unpacked(HOSTILE[kind]())


def test_a_bomb_is_refused_in_little_memory():
    bomb = make_sheet(f"<row>{'<c/>' * 60_000}</row>")

    def unguarded():
        list(openpyxl.load_workbook(io.BytesIO(bomb), read_only=True).active.rows)

    def guarded():
        with pytest.raises(Unreadable):
            XLSX().create_dataset(bomb)

    assert megabytes_of(guarded) < 3
    assert megabytes_of(unguarded) > 9


def megabytes_of(function):
    """Return the most memory that a call held at once."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / MEGABYTE


def test_a_directory_that_lies_about_sizes_is_refused():
    workbook = bytearray(with_part(make_xlsx(["a"]), SHEET, b"0" * 100 * MEGABYTE))
    real, lie = struct.pack("<L", 100 * MEGABYTE), struct.pack("<L", 10)
    with pytest.raises(Unreadable):
        check_unpacked(bytes(workbook.replace(real, lie)))


def test_entities_are_refused():
    laughs = b'<!DOCTYPE a [<!ENTITY a "ha">]><worksheet>&a;</worksheet>'
    with pytest.raises(Unreadable):
        check_unpacked(with_part(make_xlsx(["a"]), SHEET, laughs))


def test_a_full_file_of_the_accepted_size_is_read(settings):
    rows = [[f"{row}-{column}" for column in range(25)] for row in range(2000)]
    dataset = XLSX().create_dataset(make_xlsx([f"h{column}" for column in range(25)], *rows))
    assert len(dataset) == settings.IMPORT_MAXIMUM_ROWS


def test_macros_and_links_to_other_files_are_passed_over():
    workbook = with_part(make_xlsx(["a"], ["1"]), "xl/vbaProject.bin", b"\xd0\xcf\x11\xe0macro")
    workbook = with_part(workbook, "xl/externalLinks/externalLink1.xml", b"<externalLink/>")
    assert XLSX().create_dataset(workbook).dict == [{"a": "1"}]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("units.pdf", b"%PDF-1.7"),
        ("units.xlsm", make_xlsx(["a"])),
        ("units.xlsx", make_csv(["a"])),
        ("units.csv", make_xlsx(["a"])),
        ("units", make_csv(["a"])),
        ("units.xls", b"\xd0\xcf\x11\xe0" + b"0" * 100),
        ("units.xlsx", b"\xd0\xcf\x11\xe0 encrypted"),
        ("units.csv", b""),
    ],
)
def test_a_file_of_another_kind_is_refused(name, data):
    with pytest.raises(Unreadable):
        check_upload(SimpleUploadedFile(name, data))


def test_a_file_that_is_too_large_is_refused_unread(settings):
    class Huge:
        name, size = "units.csv", settings.IMPORT_MAXIMUM_BYTES + 1

    with pytest.raises(Unreadable):
        check_upload(Huge())


@pytest.mark.parametrize(("name", "data"), [("a.XLSX", make_xlsx(["a"])), ("b.csv", b"a\n1")])
def test_both_kinds_are_let_in(name, data):
    assert check_upload(SimpleUploadedFile(name, data)) == name[2:].lower()
