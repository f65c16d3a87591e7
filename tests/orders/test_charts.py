"""Charts as shapes: where each thing is, and where nothing is."""

from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string

from orders.charts import Series, line_chart, nice_top

LEVELS = [(0, "zero"), (50, "fifty"), (100, "hundred")]


def draw(*lines, key="load", times=()):
    series = [
        Series(f"line {number}", values, [f"v{value}" for value in values])
        for number, values in enumerate(lines)
    ]
    return line_chart(key, "Load", series, levels=LEVELS, times=times)


def svg_of(chart):
    text = render_to_string("admin/orders/chart.html", {"chart": chart})
    return ElementTree.fromstring(text.split("</svg>")[0][text.index("<svg") :] + "</svg>")


def test_values_stand_between_the_lowest_level_and_the_highest():
    chart = draw([0, 50, 100])
    assert [mark.place for mark in chart.levels] == ["84.00%", "45.00%", "6.00%"]
    assert [point.y for point in chart.lines[0].points] == ["84.00%", "45.00%", "6.00%"]
    assert [point.x for point in chart.lines[0].points] == ["16.67%", "50.00%", "83.33%"]


def test_time_runs_from_left_to_right():
    chart = draw([1, 2, 3, 4], times=[(0, "first"), (2, "third")])
    assert chart.times == [("0.00%", "first"), ("50.00%", "third")]


def test_where_nothing_was_a_line_has_a_gap():
    line = draw([10, 20, None, 30, None, 40, 50]).lines[0]
    ends = [(part.x1, part.x2) for part in line.segments]
    assert ends == [("7.14%", "21.43%"), ("78.57%", "92.86%")]
    assert len(line.points) == 5  # what stands alone is seen as well


@pytest.mark.parametrize("lines", [[[]], [[None, None]], [[None], [None]]])
def test_of_nothing_there_is_no_chart(lines):
    assert draw(*lines) is None


def test_what_is_above_the_highest_level_stays_in_the_chart():
    assert draw([200]).lines[0].points[0].y == "6.00%"


def test_the_words_tell_every_value_and_no_gap():
    assert draw([1, None], [None, 2], [None, None]).words == "line 0: v1؛ line 1: v2"


@pytest.mark.parametrize(
    ("highest", "top"), [(1, 1), (1.2, 2), (3, 5), (5, 5), (6, 10), (990, 1000), (0.04, 0.05)]
)
def test_the_top_is_a_round_number(highest, top):
    assert nice_top(highest) == pytest.approx(top)


def test_the_drawing_is_read_without_eyes_and_without_colours():
    svg = svg_of(draw([10, 20], [30, 40]))
    title, words = svg.find("title"), svg.find("desc")
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby").split() == [title.get("id"), words.get("id")]
    assert (title.text, words.text) == ("Load", "line 0: v10، v20؛ line 1: v30، v40")
    signs = [group.get("class") for group in svg.findall("g")]
    assert signs == ["chart-line chart-line-0", "chart-line chart-line-1"]
    assert "style=" not in ElementTree.tostring(svg).decode()


def test_what_others_wrote_is_no_markup():
    series = [Series("<b>", [1], ['"><script>alert(1)</script>'])]
    chart = line_chart("x", "<i>", series, levels=LEVELS, times=[(0, "<u>")])
    svg = svg_of(chart)
    assert svg.find("title").text == "<i>"
    assert svg.find("g/circle/title").text.endswith('"><script>alert(1)</script>')
    assert not list(svg.iter("script"))
