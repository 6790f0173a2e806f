"""A day as it was observed, before any price: what extraction leaves in the lake."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from costlab.config.device_resource import charged
from costlab.config.settings import Settings
from costlab.domain.errors import NoDay
from costlab.domain.findings import Finding
from costlab.domain.identity import PodKey, container_key
from costlab.domain.signals import SIGNALS, Signal
from costlab.domain.time import Day, Window
from costlab.jobs import devices, usage
from costlab.jobs.autoscalers import autoscalers_table
from costlab.jobs.claims import Claim, claims_of
from costlab.jobs.classes import class_of
from costlab.jobs.coverage import coverage_of
from costlab.jobs.energy import energy_of
from costlab.jobs.energy_table import energy_table
from costlab.jobs.gpu_profiles import profile_gpus
from costlab.jobs.heard import Hearing, hearing
from costlab.jobs.lives import Life, pod_lives
from costlab.jobs.machines import Machine, machines_of
from costlab.jobs.network import networks, traffic_of
from costlab.jobs.owners import Ownership, Registry, registry_of
from costlab.jobs.pipelines import pipeline_run
from costlab.jobs.pods import pods_table
from costlab.jobs.pricing import nodes_table
from costlab.jobs.reading import BLOCK_SAMPLES, Reading
from costlab.jobs.remarks import asked_in_parts, findings_beside, findings_of, offered_unheard_of
from costlab.jobs.resource_quotas import quotas_table
from costlab.jobs.restarts import Restarts, restarts_of
from costlab.jobs.scrapes import too_seldom
from costlab.jobs.sharing import Sharing, sharing_of
from costlab.jobs.stays import stays_of
from costlab.jobs.throttling import Throttling, throttling_of
from costlab.jobs.volumes import claims_mounted, observed_volumes, volumes_of
from costlab.sources import Source
from costlab.store.rows import DayRows, InMemory, RowRoom
from costlab.store.schema import conform, empty, ordered

OBSERVED = (
    "containers",
    "pods",
    "nodes",
    "container_usage",
    "gpu_usage",
    "gpus",
    "gpu_profiles",
    "energy",
    "volumes",
    "autoscalers",
    "quotas",
)
BULKY = ("container_usage", "gpu_usage")
_Some = TypeVar("_Some")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was observed on a day: tables by name, findings, and what `runs` tells of the reading.

    coverage: observed / occupied time over all signals; signal_coverage: by signal; samples: read, by signal.
    scrape_interval_s: between two samples of a series, by signal. unrecorded: as in `runs`, of these tables.
    """

    tables: Mapping[str, DayRows]
    findings: tuple[Finding, ...]
    coverage: float
    signal_coverage: Mapping[str, float]
    samples: Mapping[str, int]
    scrape_interval_s: Mapping[str, float]
    source: str
    engine: str
    limits: Mapping[str, str]
    warnings: tuple[str, ...]
    unrecorded: Mapping[str, str] = field(default_factory=dict)


def observe_day(
    source: Source,
    settings: Settings,
    cluster: str,
    day: Day,
    step: Callable[[str], None] = lambda _: None,
    *,
    room_of: Callable[[str], RowRoom] = InMemory,
    block_samples: int = BLOCK_SAMPLES,
) -> Facts:
    """Read a day out of the source and turn its samples into facts; the rows of usage go into the room of their table.

    Raises SourceError when the source fails, or gives nothing of a signal that a day cannot do without.
    """
    window, gap_ms, unread = day.window, settings.billing.max_gap_ms, unpriced_signals(settings)
    signals = Reading(source, observed_span(day, settings), step, gap_ms, block_samples, unread=unread)
    heard = hearing(signals)
    _demand_needed(signals, day)
    _demand_ratios(signals, day)
    step("observe")
    there = _there(signals, heard, settings, cluster, day)
    used, gpus, tables = _used(signals, there, room_of, gap_ms, cluster, day)
    volumes, mounted = volumes_of(signals, window, heard, gap_ms), claims_mounted(signals)
    traffic = None if unread else traffic_of(signals, there.lives, window, gap_ms)
    owned = _owned(signals, there, settings, window)
    tables |= _inventory(signals, there, owned, gpus, settings, cluster, day)
    tables |= {
        "pods": pods_table(
            there.lives, _columns(owned.whose, there.lives), mounted, networks(signals), traffic, cluster, day
        ),
        "quotas": quotas_table(signals, cluster, day, gap_ms),
        "volumes": observed_volumes(volumes, there.lives, mounted, owned.team_of, settings, cluster, day),
    }
    shares = coverage_of(there.claims, used, gpus)
    occupied = sum(whole for _, whole in shares.values())
    signals.read_rest()
    findings = [
        *there.of_devices,
        *findings_of(signals, there.claims, used, there.sharing, heard, day, gap_ms),
    ]
    findings += findings_beside(signals, there.lives, mounted, volumes, traffic, window)
    info = source.info()
    return Facts(
        tables=tables,
        findings=(*findings, *too_seldom(signals.intervals_ms, gap_ms)),
        coverage=sum(part for part, _ in shares.values()) / occupied if occupied else 0.0,
        signal_coverage={
            name: part / whole if whole else 0.0 for name, (part, whole) in shares.items() if whole
        },
        samples={signal.value: signals.counts[signal] for signal in Signal if signal in signals.counts},
        scrape_interval_s={signal.value: ms / 1000 for signal, ms in signals.intervals_ms.items()},
        source=f"{info.product} {info.version}".strip(),
        engine=info.engine,
        limits=info.limits,
        warnings=tuple(sorted(set(source.warnings))),
    )


@dataclass(frozen=True, slots=True)
class _There:
    """Who was where and when, on which machines, and what they asked for.

    measured: what tells of their usage. of_devices: findings of what is asked for or offered as a device, and not charged.
    """

    lives: list[Life]
    machines: list[Machine]
    sharing: Sharing
    claims: list[Claim]
    restarts: Restarts
    throttling: Throttling
    measured: usage.Measured
    of_devices: tuple[Finding, ...]


def _there(signals: Reading, heard: Hearing, settings: Settings, cluster: str, day: Day) -> _There:
    window, gap_ms = day.window, settings.billing.max_gap_ms
    lives = pod_lives(signals, window, cluster, heard)
    if not lives:
        raise NoDay(
            f"no pod occupied a node on {day}, although pods were told of around it",
            "look at the day's kube_pod_info and kube_pod_status_phase; one at the edge of Prometheus' retention is lost",
        )
    stays = stays_of(signals, window, lives, heard, gap_ms)
    sharing = sharing_of(signals, stays, charged(settings.device_resources))
    machines = machines_of(signals, window, stays, sharing, gap_ms)
    measured = usage.Measured(signals, lives, window)
    claims = claims_of(signals, lives, measured.seen, sharing, gap_ms)
    of_devices = (*asked_in_parts(signals, sharing), *offered_unheard_of(signals, sharing))
    restarts, throttling = restarts_of(signals, gap_ms), throttling_of(signals, lives, claims, window, gap_ms)
    return _There(lives, machines, sharing, claims, restarts, throttling, measured, of_devices)


def _used(
    signals: Reading, there: _There, room_of: Callable[[str], RowRoom], gap_ms: int, cluster: str, day: Day
) -> tuple[usage.Usage, devices.Devices, dict[str, DayRows]]:
    """What containers and GPUs were seen to use: its sums, and its rows by table, put into their rooms on the way."""
    container_usage, gpu_usage = room_of("container_usage"), room_of("gpu_usage")
    gpu_profiles = InMemory("gpu_profiles")
    observed = there.measured.observed(gap_ms)
    used = usage.total(_stored(observed, container_usage, lambda some: _container_usage(some, cluster, day)))
    watched = devices.Watched(signals, there.lives, there.claims, day.window, cluster)
    used_gpus = _stored(watched.usage(gap_ms), gpu_usage, lambda some: _gpu_usage(some, cluster, day))
    gpus = devices.total(_stored(used_gpus, gpu_profiles, lambda some: profile_gpus(some, cluster, day)))
    rows = {"container_usage": container_usage.rows(), "gpu_usage": gpu_usage.rows()}
    return used, gpus, rows | {"gpu_profiles": ordered("gpu_profiles", gpu_profiles.rows())}


@dataclass(frozen=True, slots=True)
class _Owned:
    """Whose everything is: workload and owners of each pod by column, and the team of a namespace."""

    registry: Registry
    ownership: Ownership
    whose: Mapping[PodKey, dict[str, str | None]]

    def team_of(self, namespace: str) -> str:
        return self.registry.team_of(namespace, self.ownership)


def _owned(signals: Reading, there: _There, settings: Settings, window: Window) -> _Owned:
    registry = registry_of(signals, window)
    ownership = Ownership(settings.owner.labels, settings.owner.namespaces)
    return _Owned(registry, ownership, _whose(there.lives, there.claims, registry, ownership, settings))


def _inventory(
    signals: Reading,
    there: _There,
    owned: _Owned,
    gpus: devices.Devices,
    settings: Settings,
    cluster: str,
    day: Day,
) -> dict[str, DayRows]:
    """Containers, nodes, GPUs and what they used of electricity, and autoscalers."""
    gap_ms = settings.billing.max_gap_ms
    metered, gpu_kwh = energy_of(
        signals, there.lives, there.claims, there.sharing.resources, day.window, cluster, gap_ms
    )
    containers = _containers(
        there.claims, owned.registry, owned.whose, there.restarts, there.throttling, cluster, day
    )
    return {
        "containers": containers,
        "nodes": nodes_table(there.machines, settings, cluster, day),
        "autoscalers": autoscalers_table(signals, cluster, day),
        "gpus": _gpus(gpus.days, there.sharing, gpu_kwh, cluster, day),
        "energy": energy_table(metered, there.claims, containers, cluster, day),
    }


def _stored(several: Iterable[_Some], room: RowRoom, rows_of: Callable[[_Some], pa.Table]) -> Iterator[_Some]:
    """The same, of each the rows put into the room on the way: all of it is never there at once."""
    for some in several:
        room.add(rows_of(some))
        yield some


def observed_span(day: Day, settings: Settings) -> Window:
    """What of time is read of a day: with the margin that counters and holds need at its edges."""
    gap_ms = settings.billing.max_gap_ms
    return day.window.widen(gap_ms, gap_ms)


def unpriced_signals(settings: Settings) -> frozenset[Signal]:
    """Signals that are not read because what they tell has no price."""
    return frozenset() if settings.prices.network_gib is not None else frozenset({Signal.SENT_BYTES})


def _demand_needed(signals: Reading, day: Day) -> None:
    missing = [spec for signal, spec in SIGNALS.items() if spec.needed and not _tells(signals, signal)]
    if missing:
        raise NoDay(
            f"{missing[0].exporter} gives nothing for {day}: no samples of {', '.join(spec.signal for spec in missing)}",
            "run costlab doctor; check that the exporter is scraped, and that the day is within Prometheus' retention",
        )


def _tells(signals: Reading, signal: Signal) -> bool:
    return any(len(series) for _, series in signals.blocks(signal))


def _demand_ratios(signals: Reading, day: Day) -> None:
    """Raise NoDay for a ratio above 1: a percentage that was taken for one would be billed a hundred times."""
    for signal in (Signal.GPU_UTILIZATION, Signal.GPU_ENGINE_ACTIVE, *devices.ACTIVITY):
        most = max(float(np.fmax.reduce(series.values, initial=0.0)) for _, series in signals.blocks(signal))
        if most > 1:
            raise NoDay(
                f"{signal} is a ratio, and goes up to {most:g} on {day}",
                "its metric is in another unit: say unit: percent in accelerators, as docs/exporters.md shows",
            )


def _whose(
    lives: list[Life], claims: list[Claim], registry: Registry, ownership: Ownership, settings: Settings
) -> dict[PodKey, dict[str, str | None]]:
    """Workload and owners of each pod, by column."""
    with_gpu = {claim.life.key for claim in claims if claim.gpu_resource}
    found: dict[PodKey, dict[str, str | None]] = {}
    for life in lives:
        workload, labels = registry.workload(life), registry.pod_labels.get(life.pod_id, {})
        run = pipeline_run(labels, settings.owner.pipelines)
        found[life.key] = {
            "namespace": life.key.namespace,
            "workload_kind": workload.kind,
            "workload": workload.name,
            "pod": life.key.pod,
            "pod_uid": life.key.uid,
            "team": registry.team(life, ownership),
            "class": class_of(workload, labels, settings.classes, gpu=life.key in with_gpu),
            "pipeline": run.pipeline,
            "pipeline_task": run.task,
            "pipeline_run": run.run,
        }
    return found


def _columns(whose: Mapping[PodKey, dict[str, str | None]], lives: Sequence[Life]) -> dict[str, pa.Array]:
    """The same as columns, a row a life."""
    rows = [whose[life.key] for life in lives]
    return {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]} if rows else {}


def _containers(
    claims: list[Claim],
    registry: Registry,
    whose: Mapping[PodKey, dict[str, str | None]],
    restarts: Restarts,
    throttling: Throttling,
    cluster: str,
    day: Day,
) -> pa.Table:
    began_anew = [restarts.within(c.life.pod_id, c.container, c.start_ms, c.end_ms) for c in claims]
    columns: dict[str, Any] = {
        "cluster": cluster,
        "date": day.date,
        "container_key": [container_key(c.life.key, c.container) for c in claims],
        **_columns(whose, [c.life for c in claims]),
        "container": [c.container for c in claims],
        "node": [c.life.node for c in claims],
        "labels": [sorted(registry.pod_labels.get(c.life.pod_id, {}).items()) for c in claims],
        "start": np.array([c.start_ms for c in claims], np.int64),
        "end": np.array([c.end_ms for c in claims], np.int64),
        "gpu_resource": pa.array([c.gpu_resource for c in claims], pa.string()),
        "restarts": pa.array([count for count, _ in began_anew], pa.int64()),
        "oom_kills": pa.array([kills for _, kills in began_anew], pa.int64()),
        "cpu_periods": pa.array(throttling.periods, pa.float64()),
        "cpu_throttled_periods": pa.array(throttling.throttled, pa.float64()),
    }
    for name in ("cpu_request", "memory_request", "gpu_request", "cpu_limit", "memory_limit", "gpu_share"):
        columns[name] = pa.array([getattr(c, name) for c in claims], pa.float64())
    return conform("containers", columns)


def _container_usage(used: usage.Observed, cluster: str, day: Day) -> pa.Table:
    return conform(
        "container_usage",
        {
            "cluster": cluster, "date": day.date, "container_key": used.key, "ts": used.start_ms,
            "dt_s": (used.end_ms - used.start_ms) / 1000, "cpu_cores": used.cpu_cores, "memory_bytes": used.memory_bytes,
        },
    ) if len(used.key) else empty("container_usage")  # fmt: skip


def _gpu_usage(gpus: devices.DeviceUsage, cluster: str, day: Day) -> pa.Table:
    if not len(gpus.gpu):
        return empty("gpu_usage")
    return conform(
        "gpu_usage",
        {
            "cluster": cluster, "date": day.date, "gpu_key": gpus.gpu,
            "container_key": pa.array(gpus.container, mask=gpus.container == devices.NOBODY), "ts": gpus.start_ms,
            "dt_s": (gpus.end_ms - gpus.start_ms) / 1000, "busy_ratio": gpus.busy,
            "memory_used_bytes": gpus.memory_bytes, "power_watts": gpus.power_watts,
        },
    )  # fmt: skip


def _gpus(
    days: list[devices.DeviceDay], sharing: Sharing, energy_kwh: Mapping[int, float], cluster: str, day: Day
) -> pa.Table:
    if not days:
        return empty("gpus")
    text = {
        name: pa.array([getattr(d.device, name) or None for d in days], pa.string())
        for name in ("index", "mig_profile", "model")
    }
    numbers = (
        "observed_hours", "allocated_hours", "busy_mean", "busy_p95", "busy_max", "memory_max_bytes",
        "memory_total_bytes",
    )  # fmt: skip
    columns = {
        "cluster": cluster, "date": day.date, "gpu_key": [d.device.key for d in days],
        "uuid": [d.device.uuid for d in days], "gpu_index": text["index"], "mig_profile": text["mig_profile"],
        "model": text["model"], "node": [d.device.node for d in days],
        "gpu_share": [devices.share_of(d.device, sharing.resources) for d in days],
        **{name: np.array([getattr(d, name) for d in days], np.float64) for name in numbers},
        "energy_kwh": np.array([energy_kwh.get(d.device.key, np.nan) for d in days], np.float64),
    }  # fmt: skip
    return conform("gpus", columns)
