"""The days that were and those ahead, with the band that holds them: a panel for each of the dearest."""

import io
import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from costlab.render import figures
from costlab.render.names import named

MOST_PANELS = 6
_PAST_SHOWN = 60  # days: older ones would make those ahead too small to read
_LONGEST_NAME = 40  # characters that a panel's width holds
_INK, _MUTED, _RULE, _PAST, _AHEAD = "#1f2933", "#5f6b7a", "#d5dbe3", "#5f6b7a", "#0b62a4"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "costlab",
    "text.parse_math": False,
    "font.size": 11,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.edgecolor": _RULE,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": _RULE,
    "grid.linewidth": 0.8,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Panel:
    """One line: the cost of each day up to `last_day`, and of those ahead with its bounds; NaN = not known."""

    name: str
    last_day: date
    past: Floats
    level: Floats
    lower: Floats
    upper: Floats


def outlook_chart(panels: list[Panel], title: str, currency: str, form: str) -> bytes:
    """The picture as `svg` or `png`; of more than six panels the first six."""
    shown = panels[:MOST_PANELS]
    columns = 1 if len(shown) == 1 else 2
    rows = max(1, math.ceil(len(shown) / columns))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 1.2 + (3.2 if columns == 1 else 2.4) * rows), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=_INK)
        places = figure.subplots(rows, columns, squeeze=False).flat
        for axes, panel in zip(places, shown, strict=False):
            _draw(axes, panel, currency)
        for axes in list(places):  # the iterator goes on where the panels ended
            axes.set_visible(False)
        file = io.BytesIO()
        figure.savefig(file, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
        return file.getvalue()


def _draw(axes: Axes, panel: Panel, currency: str) -> None:
    past = panel.past[-_PAST_SHOWN:]
    days, ahead = np.arange(1 - len(past), 1), np.arange(1, len(panel.level) + 1)
    axes.plot(days, past, color=_PAST, linewidth=1.4, marker=".", markersize=3)
    if np.isfinite(panel.upper).all():
        axes.fill_between(ahead, panel.lower, panel.upper, color=_AHEAD, alpha=0.18, linewidth=0)
    axes.plot(ahead, panel.level, color=_AHEAD, linewidth=2)
    if np.isnan(panel.level).all():
        axes.annotate(
            "too little known", (ahead[0], 0), xytext=(0, 6), textcoords="offset points", color=_MUTED
        )
    axes.axvline(0.5, color=_MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    # Days ahead have their room where nothing is known of them too.
    axes.set_xlim(days[0] - 0.5 if len(days) else 0.5, ahead[-1] + 0.5)
    drawn = np.concatenate([past, panel.level, panel.upper])
    axes.set_ylim(0, float(np.max(drawn, where=np.isfinite(drawn), initial=0.0)) * 1.06 or 1.0)
    axes.set_title(named(panel.name, _LONGEST_NAME), loc="left", fontsize=11, color=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda day, _: figures.short_date(panel.last_day + timedelta(days=round(day))))
    )
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda amount, _: figures.axis_money(amount, currency)))
