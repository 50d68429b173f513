"""Charts by numbers: where points lie, how paths are written, what is read where."""

from __future__ import annotations

import re

from clir_lightning.evaluation.report.svg import Frame, kept, lines


def test_points_lie_between_the_margins_and_paths_are_written_short() -> None:
    frame = Frame((0, 10), (0, 1))  # 360 × 210: x from 58 to 344, y from 172 up to 10
    assert frame.place(0, 0) == (58.0, 172.0)
    assert frame.place(10, 1) == (344.0, 10.0)
    assert frame.place(5, 0.5) == (201.0, 91.0)
    assert frame.path([(0, 0), (0, 1), (5, 1), (10, 0.5)]) == "M58.0 172.0V10.0H201.0L344.0 91.0"


def test_a_single_point_is_a_dot_and_an_area_goes_down_to_0() -> None:
    frame = Frame((0, 10), (-1, 1))
    assert 'cx="201.0" cy="91.0"' in frame.line([(5, 0)], "red")
    assert 'd="M58.0 91.0V10.0H344.0V91.0Z"' in frame.area([(0, 1), (10, 1)], "red")


def strips(html: str) -> list[tuple[str, str, str]]:
    """Each strip's class, width and text."""
    found = re.findall(r'<i( class=r)?( style="flex-grow:([^"]*)")? data-said="([^"]*)"></i>', html)
    return [(side.strip(), wide or "1", said) for side, _, wide, said in found]


def test_a_reading_is_shown_halfway_to_its_neighbours_and_in_the_right_half_to_the_left() -> None:
    frame = Frame((0, 10), (0, 1))
    html = frame.strips(("step", "loss"), [(2, ("2", "0.5")), (4, ("4", "0.3")), (10, ("10", "<b>"))])
    # Edges 0, 3, 7, 10; the usual width is 3, the middle strip's 4 / 3 of it, and it is read at 5 or before.
    assert strips(html) == [("", "1", "2\n0.5"), ("", "1.33", "4\n0.3"), ("class=r", "1", "10\n&lt;b&gt;")]
    assert 'style="inset:4.76% 4.44% 18.10% 16.11%"' in html  # 10 / 210, 16 / 360, 38 / 210, 58 / 360


def test_several_lines_are_read_by_name_wherever_one_has_a_point() -> None:
    frame = Frame((1, 3), (0, 1))
    series = [("a & b", "red", [(1.0, 0.25), (2.0, 1 / 3)]), ("c", "blue", [(3.0, 1.0)])]
    html = lines(frame, ("rank", "recall"), "x", series)
    said = [said.replace("\n", "; ") for _, _, said in strips(html)]
    assert said == ["rank 1; a &amp; b 0.25", "rank 2; a &amp; b 0.3333", "rank 3; c 1"]
    assert "<th class=text>rank<th>a &amp; b<th>c" in html
    assert "<tr><td class=text>2<td>0.3333<td><tr><td class=text>3<td><td>1</table>" in html


def test_a_long_line_is_drawn_whole_and_read_at_places_that_reach_its_end() -> None:
    points = [(float(x), x / 1000) for x in range(1, 1001)]
    html = lines(Frame((1, 1000), (0, 1)), ("rank", "recall"), "x", [("a", "red", points)] * 6)
    assert html.count("<i") == 100  # 600 values of 6 lines
    assert [said.split("\n")[0] for _, _, said in strips(html)][:2] == ["rank 10", "rank 20"]
    assert strips(html)[-1][2].startswith("rank 1000\n")
    many = lines(Frame((1, 1000), (0, 1)), ("rank", "recall"), "x", [("a", "red", points)] * 90)
    assert many.count("<i") == 10
    assert kept(0) == []
    assert kept(5, 2) == [1, 4]
