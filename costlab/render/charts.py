"""The report's charts as SVG that follows the page: its font, its light and dark colours, the same bytes every time."""

import io
import math
import re
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Affine2D

from costlab.render import figures
from costlab.render.context import AheadDay, DailyChart, DayBar, MonthChart, Part

# Drawn in these and replaced by CSS variables afterwards: one drawing serves light and dark.
_INK = {
    "#010101": "--used",
    "#020202": "--unused",
    "#030303": "--unobserved",
    "#040404": "--idle",
    "#050505": "--system",
    "#060606": "--text",
    "#070707": "--muted",
    "#080808": "--rule",
    "#090909": "--paper",
    "#0a0a0a": "--beside",
}
COLOUR = {name.removeprefix("--"): sentinel for sentinel, name in _INK.items()}

# `svg.hashsalt` makes ids stable, `fonttype none` keeps text as text, and names with a $ are no formulas.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "costlab",
    "text.parse_math": False,
    "font.size": 11,
    "hatch.linewidth": 1.4,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.edgecolor": COLOUR["rule"],
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": COLOUR["rule"],
    "grid.linewidth": 0.8,
    "text.color": COLOUR["text"],
    "xtick.color": COLOUR["muted"],
    "ytick.color": COLOUR["muted"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
}

# Attributes that SVG takes as attributes: the page's policy allows no inline style.
_DECLARATION = re.compile(r"\s*([a-z-]+)\s*:\s*([^;]+)")
_STYLED = re.compile(r' style="([^"]*)"')
_FONT = re.compile(r"(?:(\d+) )?([\d.]+)px .*")
_FROM_THE_PAGE = {"font", "font-family"}


@dataclass(frozen=True, slots=True)
class Size:
    """How large a chart is drawn, in hundredths of an inch."""

    name: str
    width: int
    height: int


_BAR = 0.74  # of a slot
FEWEST_SLOTS = 10  # a young lake's bars stand at the right, no wider than usual
WIDE = Size("wide", 760, 300)
NARROW = Size("narrow", 380, 260)
_MONTH_WIDE = Size("wide", 400, 300)
_MONTH_NARROW = Size("narrow", 380, 240)


def daily(chart: DailyChart) -> tuple[str, str]:
    """The stacked bars, for a wide page and for a phone."""
    return _draw_daily(chart, WIDE), _draw_daily(chart, NARROW)


def month(chart: MonthChart) -> tuple[str, str]:
    """The running total of the month, for a wide page and for a phone."""
    return _draw_month(chart, _MONTH_WIDE), _draw_month(chart, _MONTH_NARROW)


def _draw_daily(chart: DailyChart, size: Size) -> str:
    bars = chart.bars
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(size)
        _stack(axes, bars, chart.parts)
        _usual(axes, bars)
        _exceptions(axes, bars)
        top = max(
            [sum(bar.amounts.values()) for bar in bars if bar.amounts] + [b.usual or 0 for b in bars] + [1e-9]
        )
        room = 1.12 if all(bar.complete or not bar.amounts for bar in bars) else 1.25
        axes.set_ylim(0, top * room)
        axes.set_xlim(min(0, len(bars) - FEWEST_SLOTS) - 0.7, len(bars) - 0.3)
        last = bars[-1]
        if last.amounts:
            height = max(sum(last.amounts.values()), last.usual or 0)
            axes.annotate(
                chart.last_label,
                (len(bars) - 0.6, height),
                xytext=(0, 6),
                textcoords="offset points",
                ha="right",
                fontweight="bold",
            )
        # The weekday of the report's day is labelled: those are the bars it is compared with.
        places = range(len(bars) - 1, -1, -14 if size is NARROW else -7)
        axes.set_xticks(places, [figures.short_date(bars[i].date) for i in places])
        _money_axis(axes, chart.currency)
        return _svg(figure, f"daily-{size.name}", f"{chart.title}. {chart.summary}")


def _stack(axes: Axes, bars: tuple[DayBar, ...], parts: tuple[Part, ...]) -> None:
    base = [0.0] * len(bars)
    for part in parts:
        heights = [bar.amounts[part] if bar.amounts else 0.0 for bar in bars]
        hatched = part is Part.UNOBSERVED
        # One shape a part, not one a bar: it is drawn faster, and the page is a third smaller (224 to 148 kB on the demo).
        shape = PathPatch(
            Path.make_compound_path(*(
                Path.unit_rectangle().transformed(Affine2D().scale(_BAR, height).translate(i - _BAR / 2, low))
                for i, (low, height) in enumerate(zip(base, heights, strict=True))
                if height
            )),
            facecolor=COLOUR["paper" if hatched else part],
            # Parts are told apart by a gap between them as well as by colour.
            edgecolor=COLOUR["unobserved" if hatched else "paper"],
            linewidth=0 if hatched else 0.6,
            hatch="////" if hatched else None,
        )  # fmt: skip
        if any(heights):
            axes.add_patch(shape)
        base = [low + height for low, height in zip(base, heights, strict=True)]


def _usual(axes: Axes, bars: tuple[DayBar, ...]) -> None:
    known = [(i, bar.usual) for i, bar in enumerate(bars) if bar.usual is not None]
    axes.hlines(
        [usual for _, usual in known],
        [i - 0.5 for i, _ in known],
        [i + 0.5 for i, _ in known],
        colors=COLOUR["text"],
        linewidth=1.4,
    )


def _exceptions(axes: Axes, bars: tuple[DayBar, ...]) -> None:
    for i, bar in enumerate(bars):
        word = "missing" if bar.amounts is None else "" if bar.complete else "partial"
        if word:
            axes.annotate(
                word,
                (i, 0 if bar.amounts is None else sum(bar.amounts.values())),
                xytext=(0, 6),
                textcoords="offset points",
                rotation=90,
                ha="center",
                va="bottom",
                fontsize=9.5,
                color=COLOUR["muted"],
            )


def _draw_month(chart: MonthChart, size: Size) -> str:
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(size)
        if chart.before:
            days, amounts = _steps(chart.before.points[: chart.days_in_month])
            axes.plot(days, amounts, color=COLOUR["muted"], linewidth=1.3, linestyle=(0, (4, 3)))
            # At its end, or, where what is ahead ends there, below the line in its first half.
            place, offset = (len(days) // 3, (5, -13)) if chart.ahead else (-1, (0, 7))
            axes.annotate(
                chart.before.title,
                (days[place], amounts[place]),
                xytext=offset,
                textcoords="offset points",
                ha="left" if chart.ahead else "right",
                color=COLOUR["muted"],
            )
        days, amounts = _steps(chart.now.points)
        axes.plot(days, amounts, color=COLOUR["used"], linewidth=2.4, solid_capstyle="round")
        axes.fill_between(days, amounts, color=COLOUR["used"], alpha=0.12, linewidth=0)
        if days:
            axes.plot(days[-1:], amounts[-1:], marker="o", markersize=6, color=COLOUR["used"])
            left = days[-1] < chart.days_in_month * 0.4
            axes.annotate(
                chart.last_label,
                (days[-1], amounts[-1]),
                xytext=(8, -4) if left else (-9, 2),
                textcoords="offset points",
                ha="left" if left else "right",
                fontweight="bold",
            )
        if days:
            _ahead(axes, chart, days[-1], amounts[-1])
        axes.set_xlim(0.5, chart.days_in_month + 0.5)
        before = _steps(chart.before.points)[1] if chart.before else []
        most = max([*amounts, *before, *_heights(chart.ahead), 1e-9])
        if chart.budget is not None and chart.budget < 2 * most:  # a far one would press the rest down
            _budget(axes, chart.budget)
            most = max(most, chart.budget)
        axes.set_ylim(0, most * 1.15)
        axes.set_xticks([1, 8, 15, 22, max(28, chart.days_in_month)])
        _money_axis(axes, chart.currency)
        return _svg(figure, f"month-{size.name}", chart.summary)


def _ahead(axes: Axes, chart: MonthChart, day: int, amount: float) -> None:
    """What is expected from the last known day on, within its band."""
    if not chart.ahead:
        return
    days = [day, *(each.day for each in chart.ahead)]
    expected = [amount, *(each.expected for each in chart.ahead)]
    lower = [amount, *(each.lower for each in chart.ahead)]
    upper = [amount, *(each.upper for each in chart.ahead)]
    axes.fill_between(days, lower, upper, color=COLOUR["used"], alpha=0.22, linewidth=0)
    axes.plot(days, expected, color=COLOUR["used"], linewidth=1.6, linestyle=(0, (2, 1.5)))
    axes.annotate(
        chart.end_label,
        (days[-1], _heights(chart.ahead)[-1]),
        xytext=(0, 5),
        textcoords="offset points",
        ha="right",
    )


def _heights(ahead: tuple[AheadDay, ...]) -> list[float]:
    """How high the band is at each day: its upper bound, where there is one."""
    return [each.upper if math.isfinite(each.upper) else each.expected for each in ahead]


def _budget(axes: Axes, budget: float) -> None:
    axes.axhline(budget, color=COLOUR["text"], linewidth=1.2)
    axes.annotate("budget", (1, budget), xytext=(0, 4), textcoords="offset points", color=COLOUR["muted"])


def _steps(points: tuple[tuple[int, float | None], ...]) -> tuple[list[int], list[float]]:
    """Known points only: the line spans missing days without adding to them."""
    known = [(day, amount) for day, amount in points if amount is not None]
    return [day for day, _ in known], [amount for _, amount in known]


def _canvas(size: Size) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(size.width / 100, size.height / 100), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    return figure, axes


def _money_axis(axes: Axes, currency: str) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda amount, _: figures.axis_money(amount, currency)))


def _svg(figure: Figure, prefix: str, label: str) -> str:
    """The figure as an `<svg>` element for the middle of a page: no prologue, no style, ids of its own."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(
        r"<metadata>.*?</metadata>\s*|<style[^>]*>.*?</style>\s*|<!--.*?-->\s*", "", text, flags=re.DOTALL
    )
    text = _STYLED.sub(lambda match: _attributes(match[1]), text)
    for sentinel, name in _INK.items():
        text = text.replace(sentinel, f"var({name})")
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", text)
    view = re.search(r'viewBox="([^"]+)"', text)
    if view is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    head = f'<svg class="chart {prefix.partition("-")[2]}" viewBox="{view[1]}" role="img" aria-label="{escape(label)}"'
    head += ' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    head += ' stroke-linejoin="round" stroke-linecap="butt">'
    text = re.sub(r"<svg[^>]*>", lambda _: head, text, count=1, flags=re.DOTALL)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def _attributes(style: str) -> str:
    """`fill: #010101; stroke-width: 0.8` as attributes; fonts keep size and weight, the page gives the family."""
    attributes: dict[str, str] = {}
    for name, value in _DECLARATION.findall(style):
        font = _FONT.fullmatch(value.strip()) if name == "font" else None
        if font:
            attributes["font-size"] = font[2]
            if font[1]:
                attributes["font-weight"] = font[1]
        elif name not in _FROM_THE_PAGE:
            attributes[name] = value.strip()
    return "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
