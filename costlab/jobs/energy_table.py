"""Rows of `energy`: who used what, beside those of whom that is not known."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.domain.tables import TABLES
from costlab.domain.time import HOUR_MS, Day
from costlab.jobs.claims import Claim
from costlab.jobs.energy import Consumer, Metered
from costlab.jobs.sharing import devices_expected
from costlab.store.schema import conform, empty

_POD = ("namespace", "pod", "pod_uid")


def energy_table(
    metered: Sequence[Metered], claims: list[Claim], containers: pa.Table, cluster: str, day: Day
) -> pa.Table:
    """A row for each container that a source measured or should have, and one a node for what nobody used.

    A source that told nothing all day has no rows. A container that is not in `containers` has the owners of its pod,
    and where no container of the pod is, nobody's.
    """
    owners = _owners(containers)
    columns: dict[str, list[Any]] = {
        c.name: [] for c in TABLES["energy"].columns if c.name not in ("cluster", "date")
    }
    for one in metered:
        sums = _sums(one, _occupied_hours(claims, devices=one.source == "gpu"))
        nobodys_kwh = defaultdict(float, one.nobodys_kwh)
        for (node, *pod, container), of in sorted(sums.items()):
            if tuple(pod) not in owners:
                if of.observed_hours:
                    nobodys_kwh[node] += of.energy_kwh
                continue
            # More devices than it asked for may be named as its own.
            hours = max(of.occupied_hours, of.observed_hours)
            row = owners[tuple(pod)].get(container) or next(iter(owners[tuple(pod)].values()))
            measured = {
                "source": one.source, "node": node, "container": container, "occupied_hours": hours,
                "energy_kwh": of.energy_kwh if of.observed_hours else np.nan, "coverage": of.observed_hours / hours,
            }  # fmt: skip
            _append(columns, row | measured)
        for node, kwh in sorted(nobodys_kwh.items()):
            _append(columns, {"source": one.source, "node": node or None, "energy_kwh": kwh})
    if not columns["source"]:
        return empty("energy")
    return conform("energy", {"cluster": cluster, "date": day.date, **columns})


@dataclass(slots=True)
class _Sum:
    """Of the lives that one row stands for: without uids, several may bear one name."""

    occupied_hours: float = field(default=0.0)
    observed_hours: float = field(default=0.0)
    energy_kwh: float = field(default=0.0)


def _sums(one: Metered, occupied_hours: dict[Consumer, float]) -> dict[tuple[str, str, str, str, str], _Sum]:
    """By node, pod and container."""
    sums: dict[tuple[str, str, str, str, str], _Sum] = defaultdict(_Sum)
    for (life, container), hours in occupied_hours.items():
        sums[(life.node, *life.pod_id, container)].occupied_hours += hours
    for (life, container), spent in one.containers.items():
        of = sums[(life.node, *life.pod_id, container)]
        of.observed_hours += spent.observed_hours
        of.energy_kwh += spent.energy_kwh
    return sums


def _owners(containers: pa.Table) -> dict[tuple[str, ...], dict[str, dict[str, Any]]]:
    """What `energy` says of whom a container is charged to, by pod and container."""
    wanted = {column.name for column in TABLES["energy"].columns} - {"cluster", "date"}
    rows = containers.select([name for name in containers.column_names if name in wanted]).to_pylist()
    owners: dict[tuple[str, ...], dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        owners[tuple(row[name] for name in _POD)][row["container"]] = row
    return owners


def _occupied_hours(claims: list[Claim], *, devices: bool) -> dict[Consumer, float]:
    """Hours of each container, times the devices that it asked for; what a pod reserves beyond them uses nothing."""
    hours: dict[Consumer, float] = defaultdict(float)
    for claim in claims:
        lasted = (claim.end_ms - claim.start_ms) / HOUR_MS
        if claim.container and not devices:
            hours[claim.life, claim.container] += lasted
        elif claim.container and claim.gpu_resource and claim.gpu_request and claim.gpu_share:
            pieces = devices_expected(claim.gpu_resource, claim.gpu_request, claim.gpu_share)
            hours[claim.life, claim.container] += lasted * pieces
    return hours


def _append(columns: dict[str, list[Any]], row: dict[str, Any]) -> None:
    for name, values in columns.items():
        values.append(row.get(name))
