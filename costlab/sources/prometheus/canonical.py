"""From exporters' series to signals: canonical labels, units, one truth a series, whatever the order."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from costlab.core.kernels.samples import late
from costlab.domain.signals import SIGNALS, Kind, Labels, Series, Signal, no_series
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
    signal: Signal, carriers: Iterable[Metric], raw: Sequence[RawSeries], replica_labels: Iterable[str]
) -> Series:
    """The signal that these series carry, sorted by label values; the same for any order of `raw`."""
    raw = [series for series in raw if len(series.at_ms)]
    shape = Canonical(signal, carriers, [series.labels for series in raw], lengths_of(raw), replica_labels)
    return shape.whole(raw)


def lengths_of(raw: Sequence[RawSeries]) -> Ints:
    """How many samples each has, int64."""
    return np.array([len(series.at_ms) for series in raw], np.int64)


class Canonical:
    """The signal that series of exporters carry, sorted by label values; the same for any order of them.

    Series that differ in replica labels, or in labels that the signal does not have, become one: the union of
    their samples, the largest of those at the same instant, and of a counter those that came in order. The
    `__name__` of each must be one of the `carriers` (KeyError).

    lengths: int64, how many samples each has, none 0. The other fields are those of `sources.Shape`.
    unsound: metrics of which samples that do not count were seen. apart: labels, and their values, that alone told
    series of one object apart at the same time and are no replica label.
    """

    def __init__(
        self,
        signal: Signal,
        carriers: Iterable[Metric],
        labels: Sequence[Labels],
        lengths: Ints,
        replica_labels: Iterable[str],
    ) -> None:
        metrics = {metric.name: metric for metric in carriers}
        counted = [place for place, one in enumerate(labels) if metrics[one["__name__"]].counts(one)]
        self._signal = signal
        self._replicas = frozenset(replica_labels)
        naming = Naming(signal, metrics, (labels[place] for place in counted), self._replicas)
        keys = [naming.key(labels[place]) for place in counted]
        distinct = sorted(set(keys))
        number = {key: place for place, key in enumerate(distinct)}
        groups = np.fromiter((number[key] for key in keys), np.int64, len(keys))
        told = [labels[place] for place in counted]
        tellers = _tellers(told, groups) if SIGNALS[signal].kind is Kind.COUNTER else None
        order = np.argsort(groups, kind="stable") if tellers is None else np.lexsort((tellers, groups))
        self.members: Ints = np.array(counted, np.int64)[order]
        self._labels = [naming.labels(key) for key in distinct]
        self._metrics = [told[place]["__name__"] for place in order.tolist()]
        self._units = {name: metric.unit or _OWN for name, metric in metrics.items()}
        self._tellers = None if tellers is None else tellers[order]
        self._lengths = lengths[self.members]
        self._begins = np.searchsorted(groups[order], np.arange(len(distinct) + 1))
        self.sizes: Ints = np.bincount(groups[order], self._lengths, len(distinct)).astype(np.int64)
        several = np.repeat(np.diff(self._begins) > 1, np.diff(self._begins))
        # Of objects that several series tell of; of the others labels would only take up memory.
        self._told = {place: told[order[place]] for place in np.flatnonzero(several).tolist()}
        self.unsound: set[str] = set()
        self.apart: dict[str, set[str]] = {}

    def series(self, which: Ints, at_ms: Ints, values: Floats) -> tuple[Ints, Series]:
        """Those of `which` that have samples that count, and the series; `values` is changed."""
        counts = np.diff(self._begins)[which]
        offsets = _offsets(counts)
        members = np.repeat(self._begins[which] - offsets[:-1], counts) + np.arange(offsets[-1])
        lengths = self._lengths[members]
        self._note(members, np.repeat(which, counts), _offsets(lengths), at_ms, values)
        units = [self._units[self._metrics[place]] for place in members.tolist()]
        sizes, at_ms, values = _in_order(
            *_united(
                *_sound(
                    self.sizes[which],
                    at_ms,
                    values,
                    _each([unit.factor for unit in units], lengths),
                    _each([unit.divisor for unit in units], lengths),
                    None if self._tellers is None else np.repeat(self._tellers[members], lengths),
                )
            )
        )
        seen = np.flatnonzero(sizes)
        labels = tuple(self._labels[place] for place in which[seen].tolist())
        return which[seen], Series(self._signal, labels, _offsets(sizes[seen]), at_ms, values)

    def whole(self, raw: Sequence[RawSeries]) -> Series:
        """All series, out of those of the exporters whose labels were given."""
        members = [raw[place] for place in self.members.tolist()]
        if not members:
            return no_series(self._signal)
        at_ms, values = (
            np.concatenate(side) for side in zip(*((m.at_ms, m.values) for m in members), strict=True)
        )
        return self.series(np.arange(len(self.sizes)), at_ms, values)[1]

    def _note(self, members: Ints, groups: Ints, offsets: Ints, at_ms: Ints, values: Floats) -> None:
        """Keep in mind what is odd about these members, whose samples begin at `offsets`."""
        sound = usable(values)
        if not sound.all():
            bad = np.searchsorted(offsets, np.flatnonzero(~sound), "right") - 1
            self.unsound |= {self._metrics[place] for place in members[np.unique(bad)].tolist()}
        if len(members) == len(np.unique(groups)):
            return
        spans = zip(at_ms[offsets[:-1]].tolist(), at_ms[offsets[1:] - 1].tolist(), strict=True)
        told = [
            (self.members[place], group, self._told[place], first_ms, last_ms)
            for place, group, (first_ms, last_ms) in zip(
                members.tolist(), groups.tolist(), spans, strict=True
            )
            if place in self._told
        ]
        told.sort(key=lambda one: one[0])
        _note_apart(self.apart, [one[1:] for one in told], self._replicas)


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


def left_out(metric: str) -> str:
    """The remark on a metric some samples of which do not count."""
    return f"{metric}: samples that are not finite, negative or blank were left out"


def _each(sides: list[float], lengths: Ints) -> Floats:
    """One number a sample; a single one where all are the same, as they nearly always are."""
    return np.array(sides[:1]) if len(set(sides)) == 1 else np.repeat(sides, lengths)


def _note_apart(
    apart: dict[str, set[str]], told: Sequence[tuple[int, Labels, int, int]], replicas: frozenset[str]
) -> None:
    """Adds each label in which alone a series differs from its group's first while both were told of.

    told: group, labels, first and last instant of each series.
    """
    firsts: dict[int, tuple[Labels, int, int]] = {}
    for group, labels, first_ms, last_ms in told:
        other, other_first_ms, other_last_ms = firsts.setdefault(group, (labels, first_ms, last_ms))
        if other == labels or first_ms > other_last_ms or other_first_ms > last_ms:
            continue  # a piece of the same series, or what one was before
        names = {name for name, _ in other.items() ^ labels.items()} - replicas - {"__name__"}
        if len(names) == 1:
            (name,) = names
            apart.setdefault(name, set()).update(side[name] for side in (other, labels) if name in side)


def _tellers(told: Sequence[Labels], groups: Ints) -> Ints | None:
    """Who tells each series, a number for each set of exporter's labels; None where no group has more than one."""
    first: dict[int, Labels] = {}
    alone = all(first.setdefault(group, one) == one for group, one in zip(groups.tolist(), told, strict=True))
    if alone:
        return None
    names = [tuple(sorted(one.items())) for one in told]
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
