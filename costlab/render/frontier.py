"""The frontier of rules: what each would cost, against how often memory would have been above it."""

import io
import math
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

_INK, _MUTED, _RULE, _POINT, _OURS = "#1f2933", "#5f6b7a", "#d5dbe3", "#5f6b7a", "#0b62a4"
_LEAST = 2e-4  # share of container-days: what has fewer violations is drawn there
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "costlab",
    "text.parse_math": False,
    "font.size": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.edgecolor": _RULE,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.8,
    "text.color": _INK,
    "axes.labelcolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
}


@dataclass(frozen=True, slots=True)
class Point:
    """A rule: its cost as a part of what is requested now, the share of container-days with a violation of memory.

    low, high: the 95 % interval of the share. own: costlab's own rule.
    """

    name: str
    cost: float
    share: float
    low: float
    high: float
    own: bool = False


def frontier(points: list[Point], title: str, form: str) -> bytes:
    """The picture as `svg` or `png`; the better a rule, the further down and to the left."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        for point in points:
            colour = _OURS if point.own else _POINT
            share, low, high = (max(value, _LEAST) for value in (point.share, point.low, point.high))
            axes.plot([point.cost] * 2, [low, high], color=colour, linewidth=1.2, alpha=0.45)
            axes.plot(point.cost, share, "D" if point.own else "o", color=colour, markersize=7)
        _name(axes, points)
        axes.set_yscale("log")
        axes.set_ylim(_LEAST / 1.3, max(0.1, *(3 * point.high for point in points)))
        axes.set_xlim(0, max(1.08, *(1.25 * point.cost for point in points)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
        axes.set_yticks([_LEAST, 0.001, 0.01, 0.1, 1.0], minor=False)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(_share))
        axes.set_xlabel("cost, of what is requested now")
        axes.set_ylabel("container-days with memory above the request")
        axes.set_title(title, loc="left", fontsize=12, color=_INK)
        file = io.BytesIO()
        figure.savefig(file, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
        return file.getvalue()


def _name(axes: Axes, points: list[Point]) -> None:
    """A name above each point; those of near neighbours stand one over the other, each with a line to its point."""
    placed: list[tuple[float, float, int]] = []
    for point in sorted(points, key=lambda one: (one.share, -one.cost)):
        share, rise = max(point.share, _LEAST), 0
        while any(
            abs(point.cost - x) < 0.3 and abs(math.log10(share / y)) < 0.3 and rise == r for x, y, r in placed
        ):
            rise += 1
        placed.append((point.cost, share, rise))
        axes.annotate(
            point.name, (point.cost, share), xytext=(7, 8 + 15 * rise), textcoords="offset points", fontsize=10,
            color=_OURS if point.own else _INK, fontweight="bold" if point.own else "normal",
            arrowprops={"arrowstyle": "-", "color": _POINT, "linewidth": 0.6, "relpos": (0, 0), "shrinkB": 4} if rise else None,
        )  # fmt: skip


def _share(value: float, _place: int | None = None) -> str:
    if value <= _LEAST:
        return "none"
    return f"{value:.2%}" if value < 0.001 else f"{value:.1%}" if value < 0.01 else f"{value:.0%}"
