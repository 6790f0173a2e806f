"""The figure of a recommendation: usage day by day against request, limit and proposal; an image of its own."""

import io
import math
from collections.abc import Sequence
from datetime import date, datetime

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from costlab.domain.units import GIB, Resource
from costlab.render import advice_words, figures
from costlab.render.explanation import Explanation
from costlab.render.names import named
from costlab.render.paper import LIGHT, ON_PAPER

_VIOLATION = "#b3261e"
_WIDTH, _HEIGHT = 8.4, 3.1  # inches, of one container's resource
_BROKEN_DAYS = 1.5 / 24  # hours that are further apart are not joined
_LONGEST_TITLE = 85  # characters that a line of it holds
_GAP = 0.055  # of the height, between labels at the right edge


def drawn(explanations: Sequence[Explanation], form: str) -> bytes:
    """The figure as svg or png, a panel for each container and resource; the same bytes every time."""
    with mpl.rc_context(ON_PAPER):
        figure = Figure(figsize=(_WIDTH, _HEIGHT * len(explanations)), layout="constrained")
        panels = figure.subplots(len(explanations), squeeze=False)[:, 0]
        for axes, explained in zip(panels, explanations, strict=True):
            _panel(axes, explained)
        out = io.BytesIO()
        metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, dpi=150, metadata=metadata, facecolor=LIGHT["paper"])
    return out.getvalue()


def _panel(axes: Axes, explained: Explanation) -> None:
    row, scale = explained.row, GIB if explained.row["resource"] == Resource.MEMORY else 1
    unit = "GiB" if scale == GIB else "cores"
    subject, title = (named(text, _LONGEST_TITLE) for text in (explained.subject, explained.title))
    axes.set_title(f"{subject}\n{title}, {unit}", loc="left", fontsize=11)
    _usage(axes, explained, scale)
    lines = _lines(explained, scale)
    seen = [day.max / scale for day in explained.days if day.max == day.max]
    # A limit far above all else is named at the edge: it would press the usage flat.
    wanted = [value for name, value, _ in lines if name != "limit"] + seen
    top = max([*wanted, 0.0]) * 1.15 or 1.0
    axes.set_ylim(0, top)
    _label(axes, lines, top, explained.row["resource"], scale)
    if not explained.days:
        axes.text(
            0.5, 0.5, "no usage was observed", transform=axes.transAxes, ha="center", color=LIGHT["muted"]
        )
        axes.set_xticks([])
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if row["proposed_request"] is not None and explained.violations:
        points = explained.violations
        axes.plot(
            [day.date.toordinal() for day in points], [explained.decisive(day) / scale for day in points],
            linestyle="none", marker="v", markersize=7, color=_VIOLATION, zorder=5,
            label="violation",
        )  # fmt: skip
    if explained.days:
        axes.legend(
            loc="upper left", ncols=4, frameon=False, fontsize=9, bbox_to_anchor=(0, -0.1), borderaxespad=0
        )


def _usage(axes: Axes, explained: Explanation, scale: int) -> None:
    """From median to p95 a dark band, to the maximum a light one; a day without usage is a gap."""
    for name, low, high, colour, alpha in (
        ("p95 to maximum", "p95", "max", "idle", 0.6),
        ("median to p95", "p50", "p95", "used", 0.55),
    ):
        days = [day for day in explained.days if day.max == day.max]
        bottoms = [getattr(day, low) / scale for day in days]
        heights = [max(0.0, (getattr(day, high) - getattr(day, low)) / scale) for day in days]
        axes.bar(
            [day.date.toordinal() for day in days], heights, bottom=bottoms, width=0.8,
            color=LIGHT[colour], alpha=alpha, linewidth=0, label=name,
        )  # fmt: skip
    if explained.peaks:
        at, heights = _line(explained.peaks)
        axes.plot(
            at, [height / scale for height in heights],
            color=LIGHT["text"], linewidth=0.8, marker=".", markersize=1.5, label="hourly maximum",
        )  # fmt: skip
    if explained.days:
        first, last = explained.days[0].date.toordinal(), explained.days[-1].date.toordinal()
        axes.set_xlim(first - 0.6, last + 0.6)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda at, _: figures.short_date(date.fromordinal(round(at))))
        )


def _line(peaks: Sequence[tuple[datetime, float]]) -> tuple[list[float], list[float]]:
    """Where the hours stand, and how high; broken where an hour was not observed, for nothing is known of it."""
    at: list[float] = []
    heights: list[float] = []
    for when, value in peaks:
        # A day stands at its noon, an hour at its half.
        here = when.toordinal() + (when.hour + 0.5) / 24 - 0.5
        if at and here - at[-1] > _BROKEN_DAYS:
            at.append(here)
            heights.append(math.nan)
        at.append(here)
        heights.append(value)
    return at, heights


def _lines(explained: Explanation, scale: int) -> list[tuple[str, float, str]]:
    row = explained.row
    found = (
        ("limit", row["current_limit"], "muted"),
        ("request", row["current_request"], "text"),
        ("proposal", row["proposed_request"], "unused"),
    )
    return [(name, value / scale, colour) for name, value, colour in found if value is not None]


def _label(axes: Axes, lines: list[tuple[str, float, str]], top: float, resource: str, scale: int) -> None:
    """The lines, each named at the right edge; names that would overlap move up, one above the other."""
    free = 0.0
    for name, value, colour in sorted(lines, key=lambda line: line[1]):
        if value <= top:
            style = (0, (5, 3)) if name == "limit" else "solid"
            axes.axhline(
                value, color=LIGHT[colour], linewidth=2 if name == "proposal" else 1.4, linestyle=style
            )
        place = max(min(value, top) / top, free)
        free = place + _GAP * 1.5
        words = advice_words.amount(value * scale, resource)
        axes.text(
            1.01, place, f"{name} {words}{'' if value <= top else ' ↑'}", transform=axes.transAxes, va="center",
            fontsize=9.5, color=LIGHT[colour], fontweight="bold" if name == "proposal" else "normal",
        )  # fmt: skip
