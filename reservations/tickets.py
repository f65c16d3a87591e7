"""The ticket of a reservation: a PDF with a page a seat, for the customer's hand and the door.

Every text is drawn into the room it has: it shrinks, then wraps, and at last is cut short.
"""

import unicodedata
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path

import segno
import uharfbuzz
from django.conf import settings
from django.utils import formats, translation
from django.utils.dates import WEEKDAYS
from django.utils.timezone import localtime
from django.utils.translation import gettext as _t
from django.utils.translation import pgettext
from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.fonts import HarfBuzzFont, TTFFont

import backoffice
from backoffice.persian import digits_shown, jalali_words
from reservations.models import Reservation

FONTS = Path(backoffice.__file__).parent / "static" / "backoffice" / "fonts"
WIDTH, HEIGHT = 210, 99  # millimetres: three on a sheet of A4
STUB = 58  # what is torn off at the door, on the left
EDGE = 8
NAVY, GOLD, PALE, GREY, WHITE = (
    (20, 33, 61),
    (252, 176, 42),
    (226, 232, 242),
    (97, 106, 124),
    (255, 255, 255),
)
ELLIPSIS = "…"
SMALLEST = 7  # points
LINE = 1.3  # of the font's size


def pdf_of(reservation, seats):
    """Return the tickets of a reservation as the bytes of a PDF, a page a seat."""
    with translation.override(settings.LANGUAGE_CODE):  # the customer reads it, whoever prints it
        ticket = Ticket()
        ticket.set_title(reservation.reference)
        for seat in seats:
            ticket.draw(reservation, seat)
        return bytes(ticket.output())


@cache
def unpacked_font(weight):
    """Return the office's own font as the bytes that shaping needs; unpacking it takes its time."""
    font, unpacked = TTFont(FONTS / f"Vazirmatn-{weight}.woff2"), BytesIO()
    font.flavor = None
    font.save(unpacked)
    return unpacked.getvalue()


class FontInMemory(TTFFont):
    """A font of the library that was never a file of its own."""

    @cached_property
    def hbfont(self):
        return HarfBuzzFont(uharfbuzz.Face(self.ttffile.getvalue()))


class Ticket(FPDF):
    def __init__(self):
        super().__init__(unit="mm", format=(WIDTH, HEIGHT))
        self.set_auto_page_break(False)
        self.set_margin(0)
        self.c_margin = 0
        self.set_lang("fa")
        for style, weight in (("", "Regular"), ("B", "Bold")):
            key = f"vazirmatn{style}"
            self.fonts[key] = FontInMemory(self, BytesIO(unpacked_font(weight)), key, style)

    def draw(self, reservation, seat):
        """Add the page of one seat."""
        self.add_page()
        self._draw_event(reservation.event)
        self._draw_facts(reservation, seat)
        self._draw_place(seat)
        self._draw_foot(reservation)
        self._draw_stub(reservation, seat)

    # What is on it

    def _draw_event(self, event):
        self._box(STUB, 0, WIDTH - STUB, 38, NAVY)
        self._box(WIDTH - 4, 0, 4, HEIGHT, GOLD)
        left, width = STUB + EDGE, WIDTH - STUB - 2 * EDGE - 4
        venue = 9 if event.venue else 0
        self._write(event.name, left, 4, width, 30 - venue, size=26, lines=3, bold=True, ink=WHITE)
        self._write(event.venue, left, 26, width, venue, size=13, ink=GOLD)

    def _draw_facts(self, reservation, seat):
        starts_at = localtime(reservation.event.starts_at)
        day = f"{WEEKDAYS[starts_at.weekday()]} {jalali_words(starts_at.date())}"
        facts = (
            (_t("Date"), day, 138, 60),
            (_t("Hour"), digits_shown(f"{starts_at:%H:%M}"), 106, 28),
            (pgettext("seat", "price").capitalize(), price_of(reservation, seat), 66, 36),
        )
        for label, text, left, width in facts:
            self._write(label, left, 41, width, 4.5, size=8.5, ink=GREY)
            self._write(text, left, 45.5, width, 9, size=17, bold=True)

    def _draw_place(self, seat):
        places = [
            (_t("section"), seat.section, 2, PALE, GREY),
            (_t("row"), seat.row, 1, PALE, GREY),
            (_t("seat"), seat.seat_number, 1.3, GOLD, NAVY),
        ]
        places = [place for place in places if place[1]]
        room, gap = WIDTH - STUB - 2 * EDGE - 4, 3
        unit = (room - gap * (len(places) - 1)) / sum(place[2] for place in places)
        right = WIDTH - EDGE - 4
        for label, text, share, colour, ink in places:
            width = unit * share
            self._box(right - width, 58, width, 26, colour, corner=2.5)
            self._write(label, right - width + 3, 60, width - 6, 4.5, size=9, ink=ink)
            area = (right - width + 3, 65, width - 6, 17)
            self._write(text, *area, size=38, lines=2, bold=True, align="C")
            right -= width + gap

    def _draw_foot(self, reservation):
        left, width = STUB + EDGE, WIDTH - STUB - 2 * EDGE - 4
        if reservation.customer:
            label = _t("customer")
            area = (left + 64, 86.5, width - 64, 8)
            self._write(f"{label}: {reservation.customer}", *area, size=12, lines=2, bold=True)
        small = {"size": 8, "align": "L", "ink": GREY}
        cashier, printed = _t("cashier"), _t("printed at")
        self._write(f"{cashier}: {reservation.cashier_name}", left, 86.5, 60, 4, **small)
        self._write(f"{printed}: {in_figures(localtime())}", left, 90.7, 60, 4, **small)

    def _draw_stub(self, reservation, seat):
        self.set_draw_color(*GREY)
        self.set_line_width(0.35)
        self.set_dash_pattern(dash=1.6, gap=1.4)
        self.line(STUB, 0, STUB, HEIGHT)
        self.set_dash_pattern()
        left, width = EDGE, STUB - 2 * EDGE
        self._draw_qr_code(reservation.reference, left + 3, 6, width - 6)
        code = {"align": "C", "bold": True}
        self._write(reservation.reference, left, 43, width, 9, size=19, **code)
        self._write(reservation.event.name, left, 54, width, 11, size=11, lines=2, align="C")
        day = in_figures(localtime(reservation.event.starts_at))
        self._write(day, left, 65.5, width, 5, size=10, **code)
        self._box(left, 73, width, 20, NAVY, corner=2.5)
        place = " · ".join(filter(None, (seat.section, seat.row)))
        self._write(place, left + 2, 74.5, width - 4, 5, size=9, align="C", ink=WHITE)
        number = (left + 2, 79.5, width - 4, 12) if place else (left + 2, 75, width - 4, 16)
        self._write(seat.seat_number, *number, size=26, ink=GOLD, **code)

    def _draw_qr_code(self, text, left, top, size):
        """Draw dark squares, joined along each row: viewers leave hairlines between neighbours."""
        rows = segno.make_qr(text, error="q", boost_error=False).matrix
        step = size / len(rows)
        self.set_fill_color(*NAVY)
        for y, row in enumerate(rows):
            x = 0
            while x < len(row):
                run = next((n for n, dark in enumerate(row[x:]) if not dark), len(row) - x)
                if run:
                    self.rect(left + x * step, top + y * step, run * step, step * 1.02, "F")
                x += run or 1

    # How it is drawn

    def _box(self, left, top, width, height, colour, corner=0):
        self.set_fill_color(*colour)
        corners = {"round_corners": True, "corner_radius": corner} if corner else {}
        self.rect(left, top, width, height, "F", **corners)

    def _write(
        self, text, left, top, width, height, *, size, lines=1, bold=False, ink=NAVY, align="R"
    ):
        """Write a text into a box, in at most that many lines and at most that size."""
        text = " ".join(text.split())
        if not text:
            return
        self.set_text_color(*ink)
        self.set_font("vazirmatn", "B" if bold else "")
        self.set_text_shaping(True, direction=direction_of(text), script="Arab", language="fa")
        found = self._fit(text, width, height, size, lines)
        step = self.font_size * LINE
        top += (height - step * len(found)) / 2
        for line in found:
            self.set_xy(left, top)
            self.cell(width, step, line, align=align)
            top += step

    def _fit(self, text, width, height, size, lines):
        """Return the lines of a text, and leave the font at the size at which they fit."""
        while True:
            self.set_font_size(size)
            found = self._wrapped(text, width)
            high = self.font_size * LINE * len(found) > height or len(found) > lines
            if not high and all(self.get_string_width(line) <= width for line in found):
                return found
            if size <= SMALLEST:
                break
            size = max(size * 0.9, SMALLEST)
        kept = max(min(lines, int(height / (self.font_size * LINE))), 1)
        found = [*found[: kept - 1], " ".join(found[kept - 1 :])]
        return [self._cut_short(line, width) for line in found]

    def _wrapped(self, text, width):
        lines, line = [], ""
        for word in text.split(" "):
            longer = f"{line} {word}" if line else word
            if line and self.get_string_width(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        return [*lines, line]

    def _cut_short(self, line, width):
        if self.get_string_width(line) <= width:
            return line
        while line and self.get_string_width(line + ELLIPSIS) > width:
            line = line[:-1]
        return line + ELLIPSIS


def in_figures(instant):
    """Return an instant as tables show it, without the signs that keep it apart from words."""
    return formats.date_format(instant, "DATETIME_FORMAT").strip("\u2066\u2069")


def price_of(reservation, seat):
    """Return what the ticket of a seat says of its price."""
    if reservation.payment_method == Reservation.PaymentMethod.FREE:
        return reservation.get_payment_method_display()
    return formats.number_format(seat.price)


def direction_of(text):
    """Return which way a text runs: a code or a foreign name from the left."""
    persian = any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text)
    return "rtl" if persian else "ltr"
