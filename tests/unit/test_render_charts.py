import hashlib
import math
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from matplotlib.figure import Figure

from costlab.render import charts, marks, team_chart
from costlab.render.context import (
    AheadDay,
    DailyChart,
    DayBar,
    MonthChart,
    MonthLine,
    Part,
    Spark,
    Split,
    Table,
)

NO_TABLE = Table("", (), ())
FIRST = date(2026, 10, 24)
SVG = "{http://www.w3.org/2000/svg}"


def bar(ago: int, scale: float = 1000.0) -> DayBar:
    if ago == 3:
        return DayBar(FIRST + timedelta(days=ago), None, None, complete=False)
    amounts = {part: scale * (i + 1) for i, part in enumerate(Part)}
    return DayBar(FIRST + timedelta(days=ago), amounts, scale * 14, complete=ago != 5)


def daily(bars: int = 30, scale: float = 1000.0, label: str = "$15,000") -> DailyChart:
    return DailyChart(
        "Days",
        'A "summary" <b>',
        tuple(Part),
        tuple(bar(i, scale) for i in range(bars)),
        "USD",
        label,
        NO_TABLE,
    )


def month(points: int = 22, *, before: bool = True) -> MonthChart:
    now = MonthLine("November", tuple((i + 1, None if i == 3 else 100.0 * i) for i in range(points)))
    old = MonthLine("October", tuple((i + 1, 90.0 * i) for i in range(31)))
    return MonthChart("November", "Running", now, old if before else None, 30, "USD", "$2,100", NO_TABLE)


def with_days_ahead(upper: float) -> MonthChart:
    rest = tuple(AheadDay(day, 100.0 * day, 90.0 * day, upper * day) for day in range(23, 31))
    return replace(month(), ahead=rest, end_label="$3,000", budget=2500.0)


DRAWN = [
    *charts.daily(daily()),
    *charts.month(month()),
    *charts.daily(daily(1)),
    *charts.daily(daily(scale=0.0)),
    *charts.daily(daily(1, scale=-1.0)),
    *charts.month(month(1, before=False)),
    *charts.month(MonthChart("", "", MonthLine("", ((1, None),)), None, 30, "", "", NO_TABLE)),
    *charts.daily(
        DailyChart("", "", tuple(Part), (DayBar(FIRST, None, None, complete=False),), "", "", NO_TABLE)
    ),
    *charts.daily(daily(label=r"$\frac{1}{2}$ <b>")),
    *charts.month(with_days_ahead(110.0)),
    *charts.month(with_days_ahead(math.nan)),
]


@pytest.mark.parametrize("svg", DRAWN)
def test_a_chart_follows_the_page(svg: str) -> None:
    root = ET.fromstring(svg)  # noqa: S314 - drawn here a moment ago
    assert root.get("role") == "img"
    assert "style" not in {name for element in root.iter() for name in element.attrib}, (
        "the policy forbids it"
    )
    assert not root.findall(f".//{SVG}style")
    assert not re.search(r"#0[1-9a]0[1-9a]0[1-9a]|font-family|DejaVu|<metadata|<!--", svg)
    assert "var(--" in svg
    ids = Counter(element.get("id") for element in root.iter() if element.get("id"))
    assert not [name for name, times in ids.items() if times > 1]
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
    assert used <= set(ids)


def test_charts_on_one_page_share_no_ids() -> None:
    ids = [name for svg in DRAWN[:4] for name in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(set(ids)) == len(ids)


def test_a_missing_day_has_no_bar_and_says_so() -> None:
    texts = [t.text for t in ET.fromstring(DRAWN[0]).iter(f"{SVG}text")]  # noqa: S314 - drawn here
    assert texts.count("missing") == 1
    assert texts.count("partial") == 1
    assert "$15,000" in texts


def test_what_is_ahead_ends_in_its_label_and_a_budget_is_named() -> None:
    for svg in DRAWN[-4:]:
        texts = [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 - drawn here
        assert {"$3,000", "budget", "October"} <= set(texts)


def texts_of(svg: str) -> dict[str, ET.Element]:
    return {t.text or "": t for t in ET.fromstring(svg).iter(f"{SVG}text")}  # noqa: S314 - drawn here


def test_the_last_label_stands_clear_of_bars_and_of_the_word_above_a_partial_one() -> None:
    days = daily()
    whole = [replace(bar, complete=True) for bar in days.bars]
    for ago in (1, 3):
        bars = (*whole[:-ago], replace(whole[-ago], complete=False), *whole[len(whole) - ago + 1 :])
        word_and_label_are_apart(replace(days, bars=bars))


def word_and_label_are_apart(days: DailyChart) -> None:
    for svg in charts.daily(days):
        word, label = (texts_of(svg)[text] for text in ("partial", "$15,000"))
        assert label.get("paint-order") == "stroke", "it is read above the bars beside it"
        assert 11 < float(label.get("y", "")) < float(word.get("y", "")) - len("partial") * 9.5 * 0.6


@pytest.mark.parametrize("beside", [0.6, 0.97, 1.0, 1.03, 1.5])
@pytest.mark.parametrize("day", [12, 22, 30])
def test_the_month_before_is_named_apart_from_the_amounts(day: int, beside: float) -> None:
    now = MonthLine("November", tuple((i, 100.0 * i) for i in range(1, day + 1)))
    old = MonthLine("September", tuple((i, 100.0 * beside * i) for i in range(1, 31)))
    rest = tuple(AheadDay(i, 100.0 * i, 96.0 * i, 104.0 * i) for i in range(day + 1, 31))
    for svg in charts.month(
        MonthChart("", "", now, old, 30, "USD", "$2,100", NO_TABLE, rest, "$3,000" if rest else "")
    ):
        boxes = {}
        for text in ("September", "$2,100", *(["$3,000"] if rest else [])):
            label = texts_of(svg)[text]
            x, y = float(label.get("x", "")), float(label.get("y", ""))
            wide = len(text) * 6.4
            left = x - wide if label.get("text-anchor") == "end" else x
            boxes[text] = (left, left + wide, y - 8, y)
        name = boxes.pop("September")
        for box in boxes.values():
            assert name[0] > box[1] or name[1] < box[0] or name[2] > box[3] or name[3] < box[2]


def test_what_one_part_takes_back_of_another_stays_within_the_picture() -> None:
    day = DayBar(
        FIRST, {**dict.fromkeys(Part, 0.0), Part.IDLE: 20.0, Part.SYSTEM: -10.0}, None, complete=True
    )
    for svg in charts.daily(replace(daily(), bars=(day,))):
        assert min(float(y) for y in re.findall(r"V(-?[0-9.]+)", svg)) > 0


def test_a_mails_picture_has_room_for_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: made.append(figure))
    for costs, partial in (([100.0, 150.0, 150.0, 150.0], {1, 3}), ([0.0] * 4, set())):
        team_chart.team_png(
            [
                team_chart.TeamDay(FIRST + timedelta(days=i), cost, 0.2 * cost, i not in partial)
                for i, cost in enumerate(costs)
            ],
            "USD",
            "$150",
        )
        figure = made.pop()
        figure.draw_without_rendering()
        [axes] = figure.axes
        legend = axes.get_legend().get_window_extent()
        boxes = [text.get_window_extent() for text in axes.texts]
        assert not [box for box in boxes if box.overlaps(legend)]
        assert not [
            (first, later) for i, first in enumerate(boxes) for later in boxes[:i] if first.overlaps(later)
        ]
        assert len(boxes) == len(partial) + 1
        assert axes.get_ylim()[1] >= 1


def test_charts_are_the_same_bytes_in_every_process() -> None:
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import test_render_charts as t; "
        "print(hashlib.sha256(''.join(t.DRAWN).encode()).hexdigest())"
    )
    env = {
        **os.environ,
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    folder = os.path.dirname(__file__)  # noqa: PTH120 - an argument for sys.path
    other = subprocess.run(
        [sys.executable, "-c", program, folder], env=env, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == hashlib.sha256("".join(DRAWN).encode()).hexdigest()


def test_marks_are_drawn_to_scale() -> None:
    root = ET.fromstring(marks.draw(Split(((Part.USED, 0.25), (Part.UNUSED, 0.5), (Part.IDLE, 0.0)))))  # noqa: S314
    boxes = {box.get("class"): box for box in root.iter("rect")}
    assert set(boxes) == {"track", "used", "unused"}
    assert boxes["used"].get("width") == "24.0"
    assert (boxes["unused"].get("x"), boxes["unused"].get("width")) == ("24.0", "48.0")


def test_a_spark_breaks_at_a_missing_day() -> None:
    drawn = marks.draw(Spark((1.0, 2.0, None, 3.0, 0.0), 'of "<x>"'))
    root = ET.fromstring(drawn)  # noqa: S314 - drawn here
    zero, path = root.findall("path")
    assert zero.get("class") == "zero"
    assert len(re.findall("M", path.get("d", ""))) == 2
    assert root.get("aria-label") == 'of "<x>"'
    assert marks.draw(Spark((None, None))) == ""
