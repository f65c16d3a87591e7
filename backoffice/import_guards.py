"""What is refused of a brought file before anything is built from it.

A file is hostile until shown otherwise: a few kilobytes may unpack to gigabytes, and a few
megabytes of XML become gigabytes of objects. So everything is counted first, in little memory.
"""

import io
import zipfile
from xml.parsers import expat

from django.conf import settings
from django.utils.translation import gettext as _t

from backoffice import persian

OLD_EXCEL = b"\xd0\xcf\x11\xe0"  # .xls, and every workbook with a password
ZIP = b"PK\x03\x04"
CHUNK = 65536
UNPACKED = 5  # times the size that a file itself may have: what its parts may weigh unpacked
ELEMENTS = 500  # of XML, for each row that is accepted
REPEATED = ("row", "si")  # a sheet is read one row at a time, and the strings one by one
ROW_ELEMENTS = 20_000  # of each of these
TREE_ELEMENTS = 100_000  # of a part that its reader builds whole
STREAMED = ("xl/worksheets/", "xl/sharedStrings")
LONGEST_TOKEN = 1_000_000  # a tag with its attributes, in bytes


class Unreadable(ValueError):
    """A file was refused; the text says why and what to do."""


def check_size(file):
    """Refuse an uploaded file that is larger than the office reads."""
    if file.size > settings.IMPORT_MAXIMUM_BYTES:
        raise Unreadable(
            _t("The file is too large: at most %(limit)s megabytes are accepted.")
            % {"limit": persian.digits_shown(f"{settings.IMPORT_MAXIMUM_BYTES / 1e6:g}")}
        )


def check_upload(file):
    """Return the kind of an uploaded file, xlsx or csv; refuse it by size, name and first bytes."""
    check_size(file)
    start = file.read(8)
    file.seek(0)
    if not start:
        raise Unreadable(_t("The file is empty."))
    if start.startswith(OLD_EXCEL):
        raise Unreadable(
            _t(
                "This is a file of an old Excel, or one with a password. "
                "Save it as .xlsx without a password and bring that."
            )
        )
    extension = file.name.rpartition(".")[2].lower()
    if extension == ("xlsx" if start.startswith(ZIP) else "csv"):
        return extension
    raise Unreadable(_t("This is no readable Excel (.xlsx) or CSV (.csv) file."))


def check_unpacked(data):
    """Unpack a workbook part by part into nothing; raise ``Unreadable`` where it is too much.

    First what its directory declares, then what really comes out, then the XML that it holds.
    """
    limit = UNPACKED * settings.IMPORT_MAXIMUM_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > limit:
                raise _too_much()
            counter = Counter(limit)
            for part in parts:
                with archive.open(part) as content:
                    counter.count(part.filename, content)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise Unreadable(_t("The Excel file is damaged.")) from error


class Counter:
    """Counts the bytes of an archive's parts, and the elements of those that are XML."""

    def __init__(self, limit):
        self.bytes_left = limit
        self.elements_left = ELEMENTS * settings.IMPORT_MAXIMUM_ROWS

    def count(self, name, content):
        """Read a part to its end; raise ``Unreadable`` where it is too much."""
        parser, read = self._parser(whole=not name.startswith(STREAMED)), 0
        while chunk := content.read(CHUNK):
            read += len(chunk)
            self.bytes_left -= len(chunk)
            if self.bytes_left < 0:
                raise _too_much()
            if parser and not self._goes_on(parser, chunk):
                parser = None  # no XML from here on, for whoever reads it later neither
            if parser and read - parser.CurrentByteIndex > LONGEST_TOKEN:
                raise _too_much()

    @staticmethod
    def _goes_on(parser, chunk):
        try:
            parser.Parse(chunk)
        except expat.ExpatError:
            return False
        return True

    def _parser(self, whole):
        elements = in_row = 0
        most = TREE_ELEMENTS if whole else ROW_ELEMENTS

        def start(name, attributes):
            nonlocal elements, in_row
            elements += 1
            in_row = 0 if name.rpartition(":")[2] in REPEATED else in_row + 1
            self.elements_left -= 1
            if self.elements_left < 0 or (elements if whole else in_row) > most:
                raise _too_much()

        def refuse(*_declaration):
            raise Unreadable(_t("The Excel file is damaged."))  # no workbook declares entities

        parser = expat.ParserCreate()
        parser.StartElementHandler = start
        parser.StartDoctypeDeclHandler = refuse
        return parser


def _too_much():
    return Unreadable(
        _t("Unpacked, this Excel file is too large. Remove other sheets and pictures.")
    )
