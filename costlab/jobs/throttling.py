"""How often CPU limits throttled containers: cAdvisor's counts of their periods."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats
from costlab.core.observe import Stretches, clipped, combine, rates, side_by_side
from costlab.domain.identity import container_key
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import MINUTE_MS, Window
from costlab.jobs.claims import Claim
from costlab.jobs.lives import Life
from costlab.jobs.reading import Reading
from costlab.jobs.residents import Residents, cut
from costlab.jobs.usage import HOLDER, Cgroup, began_at, by_cgroup, cgroup_of, outermost

_COUNTED = (Signal.CPU_PERIODS, Signal.CPU_THROTTLED_PERIODS)


@dataclass(frozen=True, slots=True)
class Throttling:
    """Of each claim the periods of its CPU limit in which it ran, and those in which it was throttled.

    NaN: not observed; None: it has no CPU limit.
    """

    periods: tuple[float | None, ...]
    throttled: tuple[float | None, ...]


def throttling_of(
    signals: Reading, lives: list[Life], claims: Sequence[Claim], window: Window, max_gap_ms: int
) -> Throttling:
    """What both counts rose by while both were observed; some containers at a time."""
    residents, began = Residents(lives, window), began_at(signals[Signal.CONTAINER_START_TIME])
    places: dict[int, list[int]] = defaultdict(list)
    for place, claim in enumerate(claims):
        if claim.container:
            places[container_key(claim.life.key, claim.container)].append(place)
    counted = np.full((len(_COUNTED), len(claims)), np.nan)
    for some in signals.together(_COUNTED, _holder, signals.block_samples):
        keys, sides = _rising(signals, some, residents, began, max_gap_ms)
        mine = [(n, place) for n, key in enumerate(keys) for place in places.get(key, ())]
        _count(sides, mine, claims, counted)
    limited = np.array([claim.cpu_limit is not None for claim in claims], np.bool_)
    told = limited | ~np.isnan(counted[0])
    periods, throttled = (
        tuple(value if known else None for value, known in zip(row.tolist(), told.tolist(), strict=True))
        for row in counted
    )
    return Throttling(periods, throttled)


def _holder(labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in HOLDER)


def _rising(
    signals: Reading,
    some: Mapping[Signal, Series],
    residents: Residents,
    began: Mapping[tuple[str, ...], int],
    max_gap_ms: int,
) -> tuple[list[int], tuple[Stretches, ...]]:
    """Both counts' rise a second by container, and the containers' keys: as CPU time is, of cgroups and of runs."""
    keys: dict[int, int] = {}
    sides: list[tuple[Stretches, list[tuple[int, Cgroup]]]] = []
    for signal, series in some.items():
        step_ms = signals.intervals_ms.get(signal, MINUTE_MS)
        since = np.array([began.get(cgroup_of(labels), -1) for labels in series.labels], np.int64)
        rising = rates(series.at_ms, series.values, series.offsets, since, max_gap_ms, step_ms)
        parts = [part for part in residents.parts(series) if part.life is not None]
        whole = outermost(dict(enumerate(series.labels)))
        owners = [
            (
                keys.setdefault(
                    container_key(part.life.key, series.labels[part.series].get("container", "")), len(keys)
                ),
                whole[part.series],
            )
            for part in parts
            if part.life is not None
        ]
        sides.append(by_cgroup(cut(rising, np.arange(len(series)), parts), owners))
    added = (combine(once, np.array([n for n, _ in of], np.int64), len(keys), add=True) for once, of in sides)
    return list(keys), tuple(added)


def _count(
    sides: tuple[Stretches, ...], mine: list[tuple[int, int]], claims: Sequence[Claim], counted: Floats
) -> None:
    """Put what was counted within each claim into its column. mine: the group of its container, and the claim's place."""
    if not mine:
        return
    which, to = np.array(mine, np.int64).T
    bounds = np.array([(claims[place].start_ms, claims[place].end_ms) for _, place in mine], np.int64)
    start_ms, end_ms, columns, offsets = side_by_side(sides)
    both = ~np.isnan(np.sum(columns, axis=0))
    for row, column in enumerate(columns):
        seen = Stretches(start_ms, end_ms, column, offsets).keep(both)
        inside = clipped(seen, which, bounds[:, 0], bounds[:, 1])
        rise = inside.values * (inside.end_ms - inside.start_ms) / 1000
        total = np.bincount(inside.group, rise, len(mine))
        counted[row, to] = np.where(np.diff(inside.offsets) > 0, total, np.nan)
