"""Figures for notebooks: each draws on matplotlib axes and returns them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import matplotlib as mpl
import matplotlib.dates
import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes as Axes  # noqa: PLC0414 - handed on: the lab returns them
from matplotlib.legend import Legend
from matplotlib.ticker import FuncFormatter, MaxNLocator

from costlab.render import figures
from costlab.render.names import named
from costlab.render.paper import LIGHT, ON_PAPER

mdates: Any = matplotlib.dates  # ships no types

# Told apart by lightness as well as by hue, so that they stay apart in grey; the last is for all others.
_GROUPS = ("#1f3b57", "#e08a1e", "#4f8a5b", "#8fb8de", "#7a5195", "#c9b458", "#a63d40")
_OTHERS = "#dfe4ea"
# What nobody owns, as the report shows it.
_NOBODY = {"(idle)": LIGHT["idle"], "(system)": "#8494a6", "(fee)": "#7a5c99"}
_PARTS = {"used": LIGHT["used"], "unused": LIGHT["unused"], "unobserved": "#d8c3a5"}
ALL_OTHERS = "all others"
_GAP = 0.82  # of a day's or a row's place that its bar takes
_LONGEST_NAME = 60  # characters: longer ones leave their figure no room


@dataclass(frozen=True, slots=True)
class Band:
    """What one container of a workload used, hour by hour; NaN: not observed. request, limit: NaN where none is set."""

    name: str
    hours: Sequence[datetime]
    mean: npt.NDArray[np.float64]
    highest: npt.NDArray[np.float64]
    request: npt.NDArray[np.float64]
    limit: npt.NDArray[np.float64]


def daily_costs(
    days: Sequence[date], groups: Mapping[str, npt.NDArray[np.float64]], currency: str, ax: Axes | None = None
) -> Axes:
    """A bar a day, a part a group in the order given; a day that is NaN in every group is a gap."""
    axes = _axes(ax, 9, 4)
    base = np.zeros(len(days))
    owned = iter([*_GROUPS, *[_OTHERS] * len(groups)])
    for name, amounts in groups.items():
        colour = _NOBODY.get(name) or (_OTHERS if name == ALL_OTHERS else next(owned))
        shown = np.nan_to_num(amounts)
        axes.bar(
            _at(days), shown, _GAP, bottom=base, color=colour, label=named(name, _LONGEST_NAME), linewidth=0
        )
        base += shown
    missing = [i for i in range(len(days)) if all(np.isnan(amounts[i]) for amounts in groups.values())]
    for i in missing:
        axes.annotate(
            "missing", (_at(days)[i], 0), xytext=(0, 6), textcoords="offset points", rotation=90, ha="center",
            color=LIGHT["muted"], fontsize=9,
        )  # fmt: skip
    axes.set_ylim(0, max([*base, 0.0]) * 1.05 or 1.0)
    _day_axis(axes)
    _money_axis(axes.yaxis, currency)
    axes.set_title("Cost a day", loc="left", fontsize=12)
    handles, labels = axes.get_legend_handles_labels()
    # The legend reads from the top down, as the bars do.
    _as_text(
        axes.legend(
            handles[::-1],
            labels[::-1],
            loc="upper left",
            bbox_to_anchor=(1.01, 1),
            frameon=False,
            borderaxespad=0,
        )
    )
    return axes


def waste(
    names: Sequence[str], parts: Mapping[str, Sequence[float]], currency: str, ax: Axes | None = None
) -> Axes:
    """A bar a name, from the top down: what was used, and what was paid for and was not, with its amount."""
    axes = _axes(ax, 9, 1.2 + 0.36 * max(3, len(names)))
    places = np.arange(len(names))
    base = np.zeros(len(names))
    for part, amounts in parts.items():
        axes.barh(places, amounts, _GAP, left=base, color=_PARTS[part], label=part, linewidth=0)
        base += np.asarray(amounts)
    for place, whole, lost in zip(places, base, parts["unused"], strict=True):
        axes.annotate(
            f"{figures.money(Decimal(str(lost)), currency)} unused", (whole, place), xytext=(5, 0),
            textcoords="offset points", va="center", fontsize=9.5, color=LIGHT["muted"],
        )  # fmt: skip
    axes.set_yticks(places, [named(name, _LONGEST_NAME) for name in names], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, max([*base, 0.0]) * 1.18 or 1.0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    _money_axis(axes.xaxis, currency)
    axes.set_title("Paid for, and what became of it", loc="left", fontsize=12)
    axes.legend(loc="lower right", frameon=False)
    return axes


def gpu_heat(
    names: Sequence[str], hours: Sequence[datetime], busy: npt.NDArray[np.float64], ax: Axes | None = None
) -> Axes:
    """A row a GPU, a column an hour. busy: float64[GPUs, hours] as ratios; NaN, not observed, stays hatched."""
    axes = _axes(ax, 10, 1.4 + 0.24 * max(4, len(names)))
    axes.set_facecolor("#f3f4f6")
    axes.patch.set_hatch("////")
    axes.patch.set_edgecolor("#d0d5db")
    left = mdates.date2num(hours[0])
    right = mdates.date2num(hours[-1] + timedelta(hours=1))
    image = axes.imshow(
        np.ma.masked_invalid(busy), aspect="auto", interpolation="none", cmap="cividis", vmin=0, vmax=1,
        extent=(left, right, len(names) - 0.5, -0.5),
    )  # fmt: skip
    shown = [named(name, _LONGEST_NAME) for name in names]
    axes.set_yticks(np.arange(len(names)), shown, fontsize=9, parse_math=False)
    axes.grid(visible=False)
    _time_axis(axes, hours)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.015, fraction=0.04, format=FuncFormatter(_percent))
    bar.set_label("busy", color=LIGHT["muted"])
    bar.outline.set_visible(False)
    axes.set_title("GPUs, hour by hour", loc="left", fontsize=12)
    return axes


def usage(bands: Sequence[Band], subject: str, unit: str, ax: Axes | None = None) -> Axes:
    """What the containers of a workload used, against what each requested: mean, highest replica, request, limit."""
    axes = _axes(ax, 9, 4)
    told = np.concatenate([[0.0], *(each for band in bands for each in (band.highest, band.request))])
    top = float(np.nanmax(told))
    for band, colour in zip(bands, [*_GROUPS, *[_OTHERS] * len(bands)], strict=False):
        hours = mdates.date2num(list(band.hours)) + 0.5 / 24  # an hour stands at its half
        name = named(band.name, _LONGEST_NAME)
        axes.fill_between(
            hours, band.mean, band.highest, color=colour, alpha=0.25, linewidth=0, step="mid",
            label=f"{name}: mean to highest",
        )  # fmt: skip
        axes.plot(hours, band.mean, color=colour, linewidth=1.4, drawstyle="steps-mid")
        _level(axes, hours, band.request, colour, f"{name}: request", (0, (5, 2)))
        # A limit far above all else would press the usage flat.
        if not np.array_equal(band.limit, band.request) and np.nanmax([*band.limit, 0.0]) <= 2 * top:
            _level(axes, hours, band.limit, colour, f"{name}: limit", (0, (1, 1.5)))
            top = max([top, *band.limit[~np.isnan(band.limit)]])
    axes.set_ylim(0, top * 1.08 or 1.0)
    if bands:
        _time_axis(axes, bands[0].hours)
    else:
        axes.text(
            0.5, 0.5, "no usage was observed", transform=axes.transAxes, ha="center", color=LIGHT["muted"]
        )
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    title = f"{named(subject, _LONGEST_NAME)}, {unit} of one replica"
    axes.set_title(title, loc="left", fontsize=12, parse_math=False)
    _as_text(
        axes.legend(
            loc="upper left", bbox_to_anchor=(0, -0.1), ncols=3, frameon=False, fontsize=9.5, borderaxespad=0
        )
    )
    return axes


def _as_text(legend: Legend) -> None:
    """A name with two $ is a name: what is made outside of `_axes` would be read as a formula, and may be none."""
    for text in legend.get_texts():
        text.set_parse_math(False)


def _level(
    axes: Axes, hours: Any, values: npt.NDArray[np.float64], colour: str, label: str, dashes: Any
) -> None:
    """What was set, where anything was."""
    if not np.isnan(values).all():
        axes.plot(
            hours, values, color=colour, linewidth=1.5, linestyle=dashes, drawstyle="steps-mid", label=label
        )


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes given, or those of a new figure, which a notebook then shows."""
    if ax is not None:
        return ax
    # A figure before the block: with the first one a notebook's backend sets what the block's end would take back.
    figure = plt.figure(figsize=(width, height), layout="constrained")
    with mpl.rc_context(ON_PAPER):
        return figure.subplots()


def _at(days: Sequence[date]) -> npt.NDArray[np.float64]:
    return np.asarray(mdates.date2num(list(days)), np.float64)


def _day_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda at, _: figures.short_date(mdates.num2date(at).date()))
    )


def _time_axis(axes: Axes, hours: Sequence[datetime]) -> None:
    """Days where the hours span several, else hours of the day."""
    if hours[-1] - hours[0] > timedelta(days=2):
        axes.xaxis.set_major_locator(mdates.DayLocator(interval=max(1, (hours[-1] - hours[0]).days // 8)))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda at, _: figures.short_date(mdates.num2date(at).date()))
        )
    else:
        axes.xaxis.set_major_locator(mdates.HourLocator(byhour=range(0, 24, 6)))
        axes.xaxis.set_major_formatter(FuncFormatter(_clock))


def _money_axis(axis: Any, currency: str) -> None:
    axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda amount, _: figures.axis_money(amount, currency)))


def _clock(at: float, _place: int | None = None) -> str:
    """06:00; at midnight the day that begins."""
    when = mdates.num2date(at)
    return f"{when:%H:%M}" if when.hour else figures.short_date(when.date())


def _percent(value: float, _place: int | None = None) -> str:
    return f"{value:.0%}"
