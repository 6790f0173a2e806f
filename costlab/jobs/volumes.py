"""Persistent volumes: what claims of a day had one, and for how long. docs/methods.md, "Beside nodes"."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from costlab.config.settings import Settings
from costlab.core.arrays import Ints
from costlab.core.shares import even_shares
from costlab.domain.signals import Labels, Signal
from costlab.domain.time import HOUR_MS, Day, Window
from costlab.jobs.heard import Hearing, presences, spans, told_times
from costlab.jobs.levels import edges_of, runs_by, value_at
from costlab.jobs.lives import Life, PodId, pod_id
from costlab.jobs.reading import Reading
from costlab.jobs.storage import ClaimKey, priced_volumes
from costlab.store.schema import conform, empty


@dataclass(frozen=True, slots=True)
class Volume:
    """A claim while it is bound to a volume and asks for the same size; None where the source does not say."""

    namespace: str
    claim: str
    volume: str
    storage_class: str | None
    start_ms: int
    end_ms: int
    requested_bytes: float | None
    used_bytes: float

    @property
    def key(self) -> ClaimKey:
        """What pods call it by."""
        return self.namespace, self.claim


def volumes_of(signals: Reading, window: Window, heard: Hearing, max_gap_ms: int) -> list[Volume]:
    """The volumes that were there on the day, cut to it, ordered by name and time.

    A volume is there while its claim is bound: by its phase, and where that is not told, while it names a volume.
    """
    classes = {
        _volume(labels): labels.get("storageclass")
        for _, series in signals.blocks(Signal.CLAIM_INFO)
        for labels in series.labels
    }
    bound = _bound(signals, max_gap_ms)
    told = told_times(signals, Signal.CLAIM_INFO, _volume)
    sizes = runs_by(signals, Signal.CLAIM_REQUEST, _claim, max_gap_ms)
    named = {key[:2] for key in told if key[2]}
    begins: dict[ClaimKey, list[int]] = defaultdict(list)
    for namespace, claim, volume in told:
        begins[namespace, claim].append(int(told[namespace, claim, volume][0]))
    found: list[Volume] = []
    for namespace, claim, volume in sorted(told):
        if not volume and (namespace, claim) in named:
            continue  # it waits for its volume, whatever another kube-state-metrics says already
        at_ms = bound(told[namespace, claim, volume], (namespace, claim), volume)
        for low, high in presences(at_ms, heard, max_gap_ms) if len(at_ms) else ():
            # Made anew under its name, it is another volume: the old one ends where the new one begins.
            after = [first_ms for first_ms in begins[namespace, claim] if first_ms > at_ms[high - 1]]
            start_ms = max(int(at_ms[low]), window.start_ms)
            end_ms = min(int(at_ms[high - 1]) + heard.step_ms, window.end_ms, *after)
            runs = sizes.get((namespace, claim), [])
            for from_ms, to_ms in edges_of([runs], start_ms, end_ms) if start_ms < end_ms else ():
                found.append(
                    Volume(
                        namespace, claim, volume, classes[namespace, claim, volume], from_ms, to_ms,
                        value_at(runs, from_ms), np.nan,
                    )
                )  # fmt: skip
    return _filled(found, signals)


def claims_mounted(signals: Reading) -> dict[PodId, set[str]]:
    """The claims that each pod mounts; a pod's volumes never change."""
    found: dict[PodId, set[str]] = defaultdict(set)
    for labels, _, _ in spans(signals[Signal.POD_CLAIMS]):
        found[pod_id(labels)].add(labels.get("persistentvolumeclaim", ""))
    return found


def claims_lost(signals: Reading, window: Window) -> list[ClaimKey]:
    """Claims whose volume was gone at some time of the day, ordered."""
    lost = set()
    for _, phase in signals.blocks(Signal.CLAIM_PHASE):
        for labels, low, high in zip(phase.labels, phase.offsets[:-1], phase.offsets[1:], strict=True):
            at_ms, values = phase.at_ms[low:high], phase.values[low:high]
            within = (at_ms >= window.start_ms) & (at_ms < window.end_ms)
            if labels.get("phase") == "Lost" and np.any(values[within] == 1.0):
                lost.add(_claim(labels))
    return sorted(lost)


def observed_volumes(
    volumes: list[Volume], lives: list[Life], mounted: Mapping[PodId, set[str]], team_of: Callable[[str], str],
    settings: Settings, cluster: str, day: Day,
) -> pa.Table:  # fmt: skip
    """Rows of `volumes`; team_of: the owner of a namespace."""
    if not volumes:
        return empty("volumes")
    by_claim: dict[ClaimKey, list[Life]] = defaultdict(list)
    for life in lives:
        for claim in mounted.get(life.pod_id, ()):
            by_claim[life.key.namespace, claim].append(life)
    columns = {
        "cluster": cluster, "date": day.date,
        "namespace": [v.namespace for v in volumes], "claim": [v.claim for v in volumes],
        "volume": [v.volume for v in volumes],
        "start": np.array([v.start_ms for v in volumes], np.int64),
        "end": np.array([v.end_ms for v in volumes], np.int64),
        "class": pa.array([v.storage_class for v in volumes], pa.string()),
        "team": [team_of(v.namespace) for v in volumes],
        "requested_bytes": pa.array([v.requested_bytes for v in volumes], pa.float64()),
        "used_bytes": np.array([v.used_bytes for v in volumes], np.float64),
        "mounted_hours": [_mounted_hours(v, by_claim[v.key]) for v in volumes],
        "price": pa.nulls(len(volumes), pa.float64()), "cost": pa.nulls(len(volumes), pa.int64()),
    }  # fmt: skip
    return priced_volumes(conform("volumes", columns), settings)


def _bound(signals: Reading, max_gap_ms: int) -> Callable[[Ints, ClaimKey, str], Ints]:
    """Picks the instants at which a claim was bound."""
    phases = runs_by(
        signals,
        Signal.CLAIM_PHASE,
        lambda labels: (*_claim(labels), labels.get("phase", "")),
        max_gap_ms,
    )

    def pick(at_ms: Ints, claim: ClaimKey, volume: str) -> Ints:
        bound = np.full(len(at_ms), bool(volume))
        for run in phases.get((*claim, "Bound"), []):
            bound[slice(*np.searchsorted(at_ms, [run.start_ms, run.end_ms]))] = run.value == 1.0
        held: Ints = at_ms[bound]
        return held

    return pick


def _filled(volumes: list[Volume], signals: Reading) -> list[Volume]:
    """The volumes with the most that was seen in each while it was there."""
    by_claim: dict[ClaimKey, list[int]] = defaultdict(list)
    for i, volume in enumerate(volumes):
        by_claim[volume.key].append(i)
    most = [np.nan] * len(volumes)
    for _, used in signals.blocks(Signal.VOLUME_USED):
        for labels, low, high in zip(used.labels, used.offsets[:-1], used.offsets[1:], strict=True):
            at_ms, values = used.at_ms[low:high], used.values[low:high]
            for i in by_claim.get(_claim(labels), ()):
                there = slice(*np.searchsorted(at_ms, [volumes[i].start_ms, volumes[i].end_ms]))
                most[i] = float(np.fmax.reduce(values[there], initial=most[i]))
    return [replace(volume, used_bytes=size) for volume, size in zip(volumes, most, strict=True)]


def _mounted_hours(volume: Volume, lives: list[Life]) -> float:
    _, alone_ms = even_shares(
        volume.start_ms, volume.end_ms,
        np.array([life.start_ms for life in lives], np.int64), np.array([life.end_ms for life in lives], np.int64),
    )  # fmt: skip
    return (volume.end_ms - volume.start_ms - alone_ms) / HOUR_MS


def _claim(labels: Labels) -> ClaimKey:
    return labels.get("namespace", ""), labels.get("persistentvolumeclaim", "")


def _volume(labels: Labels) -> tuple[str, str, str]:
    return (*_claim(labels), labels.get("volumename", ""))
