"""The report's charts as SVG that follows the page: its font, its light and dark colours, the same bytes every time."""

import math
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from costlab.render import figures
from costlab.render.context import AheadDay, DailyChart, DayBar, MonthChart, Part
from costlab.render.drawing import Plot, Point, length


@dataclass(frozen=True, slots=True)
class Size:
    """How large a chart is drawn, in points: texts of the page are as large in it as beside it."""

    name: str
    width: float
    height: float


_BAR = 0.74  # of a slot
_AXIS = 45.0  # points that the amounts at the left take, or a little more
_PARTIAL = "partial"
_GAP = 6.0  # between a bar and what is said of it
_WORD = 9.5  # size of what stands upright above a bar
_BELOW_A_WORD, _BELOW_ITS_LABEL = 0.72, 0.59  # of the height
FEWEST_SLOTS = 10  # a young lake's bars stand at the right, no wider than usual
WIDE = Size("wide", 547, 216)
NARROW = Size("narrow", 274, 187)
_MONTH_WIDE = Size("wide", 288, 216)
_MONTH_NARROW = Size("narrow", 274, 173)
_NEAR_THE_END = 0.7  # of the month: from there on the labels at its end would meet
_HATCH = (
    '<pattern id="{id}" patternUnits="userSpaceOnUse" width="4" height="4"><rect width="4" height="4"'
    ' fill="var(--paper)"/><path d="M-1 1L1 -1M0 4L4 0M3 5L5 3" stroke="var(--unobserved)" stroke-width="1.4"/></pattern>'
)


def daily(chart: DailyChart) -> tuple[str, str]:
    """The stacked bars, for a wide page and for a phone."""
    return _draw_daily(chart, WIDE), _draw_daily(chart, NARROW)


def month(chart: MonthChart) -> tuple[str, str]:
    """The running total of the month, for a wide page and for a phone."""
    return _draw_month(chart, _MONTH_WIDE), _draw_month(chart, _MONTH_NARROW)


def _draw_daily(chart: DailyChart, size: Size) -> str:
    bars = chart.bars
    top = max([0.0, *map(_peak, bars), *(bar.usual or 0.0 for bar in bars)]) or 1.0
    across = (min(0, len(bars) - FEWEST_SLOTS) - 0.7, len(bars) - 0.3)
    # Above a bar that is partial the word stands upright, and above that of the last ones the last one's label.
    slot = (size.width - _AXIS) / (across[1] - across[0])
    below = bars[-math.ceil(length(chart.last_label) / slot) or -1 :]
    rooms = [(bar, _BELOW_A_WORD) for bar in bars] + [(bar, _BELOW_ITS_LABEL) for bar in below]
    top = max([1.12 * top, *(_peak(bar) / room for bar, room in rooms if not bar.complete)])
    amount = partial(figures.axis_money, currency=chart.currency)
    plot = Plot(size.width, size.height, across, top, amount)
    hatch = f"daily-{size.name}-hatch"
    _stack(plot, bars, chart.parts, hatch)
    plot.levels(
        ((i - 0.5, i + 0.5, bar.usual) for i, bar in enumerate(bars) if bar.usual is not None), "text", 1.4
    )
    _exceptions(plot, bars)
    _name_last(plot, bars, below, chart.last_label)
    # The weekday of the report's day is labelled: those are the bars it is compared with.
    places = range(len(bars) - 1, -1, -14 if size is NARROW else -7)
    plot.days((i, figures.short_date(bars[i].date)) for i in places)
    return plot.svg(size.name, f"{chart.title}. {chart.summary}", _HATCH.format(id=hatch))


def _peak(bar: DayBar) -> float:
    """How high the bar's parts reach: above their sum where one of them is negative."""
    return max(accumulate((bar.amounts or {}).values(), initial=0.0))


def _name_last(plot: Plot, bars: tuple[DayBar, ...], below: tuple[DayBar, ...], text: str) -> None:
    """The last bar's label: above it, above what is usual, and above the word of each that is partial below it."""
    last, peak = bars[-1], _peak(bars[-1])
    if last.amounts:
        word = length(_PARTIAL, _WORD) + _GAP
        words = [
            plot.y(peak) - plot.y(_peak(bar)) + word for bar in below if bar.amounts and not bar.complete
        ]
        above = max([plot.y(peak) - plot.y(max(peak, last.usual or 0.0)), *words])
        plot.label(text, (len(bars) - 0.6, peak), (0, above + _GAP), anchor="end", bold=True)


def _stack(plot: Plot, bars: tuple[DayBar, ...], parts: tuple[Part, ...], hatch: str) -> None:
    base = [0.0] * len(bars)
    for part in parts:
        tops = [
            low + (bar.amounts[part] if bar.amounts else 0.0) for low, bar in zip(base, bars, strict=True)
        ]
        # Parts are told apart by a gap between them as well as by colour.
        paint = f'fill="var(--{part})" stroke="var(--paper)" stroke-width="0.6"'
        if part is Part.UNOBSERVED:
            paint = f'fill="url(#{hatch})"'
        plot.bars(
            (
                (i - _BAR / 2, i + _BAR / 2, low, high)
                for i, (low, high) in enumerate(zip(base, tops, strict=True))
                if high != low
            ),
            paint,
        )
        base = tops


def _exceptions(plot: Plot, bars: tuple[DayBar, ...]) -> None:
    for i, bar in enumerate(bars):
        word = "missing" if bar.amounts is None else "" if bar.complete else _PARTIAL
        if word:
            plot.label(word, (i, _peak(bar)), (3.5, _GAP), colour="muted", upright=True, size=_WORD)


def _draw_month(chart: MonthChart, size: Size) -> str:
    now, before = _known(chart.now.points), _known(chart.before.points) if chart.before else []
    most = max([0.0, *(amount for _, amount in (*now, *before)), *_heights(chart.ahead)]) or 1.0
    budget = chart.budget
    if budget is not None and budget >= 2 * most:  # a far one would press the rest down
        budget = None
    amount = partial(figures.axis_money, currency=chart.currency)
    across = (0.5, chart.days_in_month + 0.5)
    plot = Plot(size.width, size.height, across, max(most, budget or 0.0) * 1.15, amount)
    if chart.before:
        _before(plot, chart, [point for point in before if point[0] <= chart.days_in_month], now)
    plot.area(now, [(day, 0.0) for day, _ in now], "used", 0.12)
    plot.line(now, "used", 2.4)
    if now:
        _ahead(plot, chart, now[-1])
        plot.dot(now[-1], "used")
        left = now[-1][0] < chart.days_in_month * 0.4
        offset, anchor = ((8.0, -4.0), "start") if left else ((-9.0, 2.0), "end")
        plot.label(chart.last_label, now[-1], offset, anchor=anchor, bold=True)
    if budget is not None:
        plot.levels([(*across, budget)], "text", 1.2)
        plot.label("budget", (1, budget), (0, 4), colour="muted")
    plot.days((day, str(day)) for day in (1, 8, 15, 22, max(28, chart.days_in_month)))
    return plot.svg(size.name, chart.summary)


def _before(plot: Plot, chart: MonthChart, points: list[Point], now: list[Point]) -> None:
    """The month before, named at its end; or, where the month itself ends there, on the way, on the side that is free."""
    if not chart.before or not points:
        return
    plot.line(points, "muted", 1.3, "5.2 3.9")
    title = chart.before.title
    last = now[-1][0] if now else 0.0
    if not chart.ahead and last < chart.days_in_month * _NEAR_THE_END:
        plot.label(title, points[-1], (0, 7), colour="muted", anchor="end")
        return
    # Far from the amount at the last known day.
    named = points[len(points) * (1 if last > chart.days_in_month * 0.6 else 2) // 3]
    month = [*now, *((float(each.day), each.expected) for each in chart.ahead)]
    beside = next((amount for day, amount in month if day >= named[0]), 0.0)
    if named[1] >= beside:
        plot.label(title, named, (-5, 4), colour="muted", anchor="end")
    else:
        plot.label(title, named, (5, -13), colour="muted")


def _ahead(plot: Plot, chart: MonthChart, last: Point) -> None:
    """What is expected from the last known day on, within its band."""
    if not chart.ahead:
        return
    bounded = [each for each in chart.ahead if math.isfinite(each.lower) and math.isfinite(each.upper)]
    upper, lower = (
        [(each.day, each.upper) for each in bounded],
        [(each.day, each.lower) for each in bounded],
    )
    plot.area([last, *upper], [last, *lower], "used", 0.22)
    plot.line([last, *((each.day, each.expected) for each in chart.ahead)], "used", 1.6, "3.2 2.4")
    plot.label(chart.end_label, (chart.ahead[-1].day, _heights(chart.ahead)[-1]), (0, 5), anchor="end")


def _heights(ahead: tuple[AheadDay, ...]) -> list[float]:
    """How high the band is at each day: its upper bound, where there is one."""
    return [each.upper if math.isfinite(each.upper) else each.expected for each in ahead]


def _known(points: tuple[tuple[int, float | None], ...]) -> list[Point]:
    """Known points only: the line spans missing days without adding to them."""
    return [(day, amount) for day, amount in points if amount is not None]
