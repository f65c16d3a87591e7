"""Charts of time as shapes with their places, for a template to draw as SVG.

Places are hundredths of the drawing, so that it fits any width while letters and signs keep their
size. Time runs from left to right, as it does in charts everywhere. A chart is read without
colours: each line has a pattern and a sign of its own; and without eyes, by its words. Where
nothing happened a line has a gap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

TOP, BOTTOM = 6.0, 84.0  # between them are the values; below stands the time


@dataclass(frozen=True)
class Series:
    """The values of a line, with what is said of each; None where there is none."""

    label: str
    values: Sequence[float | None]
    words: Sequence[str]


class Mark(NamedTuple):
    """A value or a time at an edge of the chart."""

    place: str
    label: str


class Point(NamedTuple):
    x: str
    y: str
    words: str


class Segment(NamedTuple):
    x1: str
    y1: str
    x2: str
    y2: str


@dataclass(frozen=True)
class Line:
    label: str
    points: list[Point]
    segments: list[Segment]


@dataclass(frozen=True)
class Chart:
    """What a template draws; ``words`` tell all of it."""

    key: str
    title: str
    words: str
    levels: list[Mark]
    times: list[Mark]
    lines: list[Line]


def line_chart(
    key: str,
    title: str,
    series: Sequence[Series],
    *,
    levels: Sequence[tuple[float, str]],
    times: Sequence[tuple[int, str]],
) -> Chart | None:
    """Return a chart of one or two lines; None where they have no value.

    ``levels`` are values with their labels, from zero to the highest; ``times`` are labels of the
    beginnings of places.
    """
    if all(value is None for line in series for value in line.values):
        return None
    top, count = levels[-1][0], len(series[0].values)
    words = [
        f"{line.label}: {'، '.join(_told(line))}"
        for line in series
        if any(value is not None for value in line.values)
    ]
    return Chart(
        key=key,
        title=title,
        words="؛ ".join(words),
        levels=[Mark(_height(value, top), label) for value, label in levels],
        times=[Mark(_percent(place / count * 100), label) for place, label in times],
        lines=[_line(line, top) for line in series],
    )


def nice_top(highest: float) -> float:
    """Return the round number, 1, 2 or 5 with noughts, that is not below a positive one."""
    size = 10.0 ** math.floor(math.log10(highest))
    return next(step * size for step in (1, 2, 5, 10) if step * size >= highest * 0.999999)


def _told(line: Series) -> list[str]:
    pairs = zip(line.values, line.words, strict=True)
    return [words for value, words in pairs if value is not None]


def _line(line: Series, top: float) -> Line:
    points: list[Point] = []
    segments: list[Segment] = []
    before: Point | None = None
    for place, (value, words) in enumerate(zip(line.values, line.words, strict=True)):
        if value is None:
            before = None
            continue
        x = _percent((place + 0.5) / len(line.values) * 100)
        point = Point(x, _height(min(value, top), top), words)
        if before:
            segments.append(Segment(before.x, before.y, point.x, point.y))
        points.append(point)
        before = point
    return Line(line.label, points, segments)


def _height(value: float, top: float) -> str:
    return _percent(BOTTOM - (BOTTOM - TOP) * value / top)


def _percent(number: float) -> str:
    return f"{number:.2f}%"
