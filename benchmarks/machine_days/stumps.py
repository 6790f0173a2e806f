"""Boosted stumps: a sum of many small steps, each of which looks at one figure of a row."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_BINS, _FEWEST_ROWS, _PULL = 32, 60, 20.0
Slopes = Callable[[Floats], tuple[Floats, Floats]]
"""Of what is to be small, by row: its slope at these values, and how fast that grows at least."""


@dataclass(frozen=True, slots=True)
class Step:
    """Rows whose figure is at or below the edge get one value, all others the other."""

    figure: int
    edge: float
    below: float
    above: float


def boosted(figures: Floats, slopes: Slopes, *, rounds: int, rate: float) -> tuple[Step, ...]:
    """The steps that make it small. figures: (rows, figures); NaN counts as above every edge."""
    edges = np.nanquantile(figures, np.linspace(0, 1, _BINS + 1)[1:-1], axis=0).T
    columns = range(figures.shape[1])
    codes = np.column_stack([np.searchsorted(edges[column], figures[:, column]) for column in columns])
    places = codes + _BINS * np.arange(figures.shape[1])
    value = np.zeros(len(figures))
    steps: list[Step] = []
    for _ in range(rounds):
        step = _best(places, edges, *slopes(value), rate)
        value += value_of(step, figures)
        steps.append(step)
    return tuple(steps)


def values_of(steps: tuple[Step, ...], figures: Floats) -> Floats:
    """What the steps add up to: (rows,)."""
    return np.asarray(sum((value_of(step, figures) for step in steps), np.zeros(len(figures))))


def value_of(step: Step, figures: Floats) -> Floats:
    """What one step gives each row."""
    return np.where(figures[:, step.figure] <= step.edge, step.below, step.above)


def _best(places: NDArray[np.int64], edges: Floats, slope: Floats, growth: Floats, rate: float) -> Step:
    """The step that by slope and growth lessens most."""
    figures = places.shape[1]

    def upto(weight: Floats) -> Floats:
        spread = np.repeat(weight, figures)
        sums = np.bincount(places.ravel(), spread, figures * _BINS).reshape(figures, _BINS)
        return np.asarray(sums.cumsum(axis=1))

    slopes, growths, rows = upto(slope), upto(growth), upto(np.ones(len(slope)))
    whole, grown = slopes[:, -1:], growths[:, -1:] + _PULL
    gain = slopes**2 / (growths + _PULL) + (whole - slopes) ** 2 / (grown - growths)
    gain[(rows < _FEWEST_ROWS) | (rows > len(slope) - _FEWEST_ROWS)] = -1
    figure, place = np.unravel_index(np.argmax(gain[:, :-1]), (figures, _BINS - 1))
    low, growth_low = slopes[figure, place], growths[figure, place]
    return Step(
        figure=int(figure),
        edge=float(edges[figure, place]),
        below=float(-rate * low / (growth_low + _PULL)),
        above=float(-rate * (whole[figure, 0] - low) / (grown[figure, 0] - growth_low)),
    )
