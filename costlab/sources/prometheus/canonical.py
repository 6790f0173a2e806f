"""From exporters' series to signals: canonical labels, units, one truth a series, whatever the order."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from costlab.core.kernels import late
from costlab.domain.signals import SIGNALS, Kind, Series, Signal, no_series
from costlab.domain.units import Unit
from costlab.sources import RawSeries
from costlab.sources.prometheus.catalogue import Metric
from costlab.sources.prometheus.naming import Naming

STALE_BITS = 0x7FF0_0000_0000_0002  # Prometheus's marker of a series' end: a NaN of its own
_OWN = Unit("")  # of a metric that is in the signal's own unit
BLANK = 2.0**62  # DCGM's "no value" sentinels for 64-bit fields lie between this and 2^63

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def canonical_series(
    signal: Signal,
    carriers: Iterable[Metric],
    raw: Sequence[RawSeries],
    replica_labels: Iterable[str],
    apart: dict[str, set[str]] | None = None,
) -> Series:
    """The signal that these series carry, sorted by label values; the same for any order of `raw`.

    Series that differ in replica labels, or in labels that the signal does not have, become one: the union of
    their samples, the largest of those at the same instant, and of a counter those that came in order. The
    `__name__` of each must be one of the `carriers` (KeyError).

    apart: takes up the labels, and their values, that alone told series of one object apart at the same time and are no
        replica label.
    """
    metrics = {metric.name: metric for metric in carriers}
    counted = [
        series
        for series in raw
        if len(series.at_ms) and metrics[series.labels["__name__"]].counts(series.labels)
    ]
    if not counted:
        return no_series(signal)
    replicas = frozenset(replica_labels)
    naming = Naming(signal, metrics, counted, replicas)
    keys = [naming.key(series.labels) for series in counted]
    distinct = sorted(set(keys))
    number = {key: place for place, key in enumerate(distinct)}
    groups = np.fromiter((number[key] for key in keys), np.int64, len(keys))
    if apart is not None:
        _note_apart(apart, counted, groups, replicas)
    tellers = _tellers(counted, groups) if SIGNALS[signal].kind is Kind.COUNTER else None
    order = np.argsort(groups, kind="stable") if tellers is None else np.lexsort((tellers, groups))
    ordered, groups = [counted[place] for place in order.tolist()], groups[order]
    lengths = [len(series.at_ms) for series in ordered]
    units = [metrics[series.labels["__name__"]].unit or _OWN for series in ordered]
    told_by = None if tellers is None else np.repeat(tellers[order], lengths)
    sizes, at_ms, values = _in_order(
        *_united(
            *_sound(
                np.bincount(groups, lengths).astype(np.int64),
                np.concatenate([series.at_ms for series in ordered]),
                np.concatenate([series.values for series in ordered]),
                _each([unit.factor for unit in units], lengths),
                _each([unit.divisor for unit in units], lengths),
                told_by,
            )
        )
    )
    seen = np.flatnonzero(sizes)
    labels = tuple(naming.labels(distinct[place]) for place in seen.tolist())
    return Series(signal, labels, _offsets(sizes[seen]), at_ms, values)


def usable(values: Floats) -> NDArray[np.bool_]:
    """Which samples count, bool (n,): finite, not negative, not blank; and the markers of a series' end."""
    with np.errstate(invalid="ignore"):  # a stale marker is a signalling NaN
        sound: NDArray[np.bool_] = (values >= 0) & (values < BLANK)
    return sound | _ended(values)


def blank(values: Floats) -> NDArray[np.bool_]:
    """Which samples stand for no value, bool (n,): large beyond any measurement, though not infinite."""
    with np.errstate(invalid="ignore"):  # a stale marker is a signalling NaN
        found: NDArray[np.bool_] = (values >= BLANK) & (values < np.inf)
    return found


def note_left_out(warnings: list[str], raw: Sequence[RawSeries]) -> None:
    """Adds a remark, once a metric, when samples of it have no usable value."""
    unsound = {series.labels["__name__"] for series in raw if not usable(series.values).all()}
    for metric in sorted(unsound):
        remark = f"{metric}: samples that are not finite, negative or blank were left out"
        if remark not in warnings:
            warnings.append(remark)


def _each(sides: list[float], lengths: list[int]) -> Floats:
    """One number a sample; a single one where all are the same, as they nearly always are."""
    return np.array(sides[:1]) if len(set(sides)) == 1 else np.repeat(sides, lengths)


def _note_apart(
    apart: dict[str, set[str]], series: Sequence[RawSeries], groups: Ints, replicas: frozenset[str]
) -> None:
    """Adds each label in which alone a series differs from its group's first while both were told of."""
    first: dict[int, RawSeries] = {}
    for group, one in zip(groups.tolist(), series, strict=True):
        other = first.setdefault(group, one)
        if other.labels == one.labels or one.at_ms[0] > other.at_ms[-1] or other.at_ms[0] > one.at_ms[-1]:
            continue  # a piece of the same series, or what one was before
        pairs = other.labels.items() ^ one.labels.items()
        names = {name for name, _ in pairs} - replicas - {"__name__"}
        if len(names) == 1:
            (name,) = names
            apart.setdefault(name, set()).update(
                side.labels[name] for side in (other, one) if name in side.labels
            )


def _tellers(series: Sequence[RawSeries], groups: Ints) -> Ints | None:
    """Who tells each series, a number for each set of exporter's labels; None where no group has more than one."""
    first: dict[int, RawSeries] = {}
    alone = all(
        first.setdefault(group, one).labels == one.labels
        for group, one in zip(groups.tolist(), series, strict=True)
    )
    if alone:
        return None
    names = [tuple(sorted(one.labels.items())) for one in series]
    number = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.fromiter((number[name] for name in names), np.int64, len(names))


def _sound(
    sizes: Ints, at_ms: Ints, values: Floats, factor: Floats, divisor: Floats, told_by: Ints | None
) -> tuple[Ints, Ints, Floats, Ints | None]:
    """The samples that count, in the signal's unit; a group that only ends, and was never seen, is left out.

    sizes: int64 (groups,), how many samples each group has; they stand one group after the other. values: is changed.
    told_by: int64 (n,), who tells each sample, where that matters.
    """
    sound, ended = usable(values), _ended(values)
    with np.errstate(invalid="ignore", over="ignore"):  # what does not count may be anything
        values *= factor
        values /= divisor
    values[ended] = np.nan
    begins = _offsets(sizes)[:-1]
    seen = _counted(begins, ~sound | ended) < sizes
    if not seen.all():
        sound &= np.repeat(seen, sizes)
    if sound.all():  # nearly always: then nothing is copied
        return sizes, at_ms, values, told_by
    kept = None if told_by is None else told_by[sound]
    return sizes - _counted(begins, ~sound), at_ms[sound], values[sound], kept


def _counted(begins: Ints, mask: NDArray[np.bool_]) -> Ints:
    """How many samples of each group are in the mask, int64 (groups,); quick where few are."""
    return np.bincount(np.searchsorted(begins, np.flatnonzero(mask), "right") - 1, minlength=len(begins))


def _ended(values: Floats) -> NDArray[np.bool_]:
    ended: NDArray[np.bool_] = values.view(np.int64) == STALE_BITS
    return ended


def _united(
    sizes: Ints, at_ms: Ints, values: Floats, told_by: Ints | None
) -> tuple[Ints, Ints, Floats, Ints | None]:
    """Samples ordered by group and instant, each instant once with its largest value; a marker yields."""
    begins = _offsets(sizes)[1:-1]
    rising = at_ms[1:] > at_ms[:-1]
    rising[begins[(begins > 0) & (begins < len(at_ms))] - 1] = True
    if rising.all():
        return sizes, at_ms, values, told_by
    group = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((np.where(np.isnan(values), -1.0, values), at_ms, group))
    group, at_ms = group[order], at_ms[order]
    largest = np.ones(len(group), np.bool_)
    largest[:-1] = (group[1:] != group[:-1]) | (at_ms[1:] != at_ms[:-1])
    chosen = order[largest]
    counts = np.bincount(group[largest], minlength=len(sizes))
    return counts, at_ms[largest], values[chosen], None if told_by is None else told_by[chosen]


def _in_order(sizes: Ints, at_ms: Ints, values: Floats, told_by: Ints | None) -> tuple[Ints, Ints, Floats]:
    """The samples without those that came late by another's clock; they matter in counters that several tell."""
    if told_by is None:
        return sizes, at_ms, values
    offsets = _offsets(sizes)
    behind = late(values, told_by, offsets)
    return sizes - _counted(offsets[:-1], behind), at_ms[~behind], values[~behind]


def _offsets(sizes: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
