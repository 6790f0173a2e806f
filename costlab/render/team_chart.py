"""What a team's days cost, as a picture for a mail: the page's colours by day on white paper, the same bytes every time."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from costlab.render import figures
from costlab.render.charts import FEWEST_SLOTS
from costlab.render.paper import LIGHT, ON_PAPER

_WIDTH, _HEIGHT = 5.9, 2.1  # inches; shown at 590 pixels, and sharp on screens of twice as many
_DOTS = 200
_BAR = 0.74  # of a slot
# Of the height: a bar, one with a word upright above it, and one with its amount above that.
_BELOW_A_LABEL, _BELOW_A_WORD, _BELOW_BOTH = 0.83, 0.62, 0.5


@dataclass(frozen=True, slots=True)
class TeamDay:
    """A day's cost, and what of it was reserved and not used; None where the day is missing."""

    date: date
    cost: float | None
    unused: float | None
    complete: bool = True


def team_png(days: Sequence[TeamDay], currency: str, label: str) -> bytes:
    """The days as bars, the unused part above the rest; the last one has the label."""
    with mpl.rc_context(ON_PAPER):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        axes = figure.subplots()
        _bars(axes, days)
        axes.set_ylim(0, _top(days))
        axes.set_xlim(min(0, len(days) - FEWEST_SLOTS) - 0.7, len(days) - 0.3)
        if days[-1].cost is not None:
            axes.annotate(
                label, (len(days) - 0.6, days[-1].cost), xytext=(0, 5 if days[-1].complete else 36), textcoords="offset points",
                ha="right", fontweight="bold", fontsize=10,
                path_effects=[withStroke(linewidth=3, foreground=LIGHT["paper"])],
            )  # fmt: skip
        places = range(len(days) - 1, -1, -7)
        axes.set_xticks(places, [figures.short_date(days[i].date) for i in places], fontsize=9)
        axes.tick_params("y", labelsize=9)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda amount, _: figures.axis_money(amount, currency)))
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=_DOTS, metadata={"Software": None}, facecolor=LIGHT["paper"])
    return out.getvalue()


def _top(days: Sequence[TeamDay]) -> float:
    """The amount at the upper edge: what stands above the bars has its room."""
    last = _BELOW_A_LABEL if days[-1].complete else _BELOW_BOTH
    rooms = [*(_BELOW_A_LABEL if day.complete else _BELOW_A_WORD for day in days[:-1]), last]
    return max((day.cost or 0.0) / room for day, room in zip(days, rooms, strict=True)) or 1.0


def _bars(axes: Axes, days: Sequence[TeamDay]) -> None:
    places = [i for i, day in enumerate(days) if day.cost is not None]
    unused = [days[i].unused or 0.0 for i in places]
    rest = [max(0.0, (days[i].cost or 0.0) - above) for i, above in zip(places, unused, strict=True)]
    axes.bar(places, rest, width=_BAR, color=LIGHT["used"], label="cost")
    axes.bar(
        places, unused, bottom=rest, width=_BAR, color=LIGHT["unused"], label="of it reserved and not used"
    )
    for place, day in enumerate(days):
        word = "missing" if day.cost is None else "" if day.complete else "partial"
        if word:
            axes.annotate(
                word, (place, day.cost or 0.0), xytext=(0, 4), textcoords="offset points", rotation=90,
                ha="center", va="bottom", fontsize=8, color=LIGHT["muted"],
            )  # fmt: skip
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, fontsize=9, borderaxespad=0,
        handlelength=1.0, handleheight=1.0,
    )  # fmt: skip
