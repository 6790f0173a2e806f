"""The demand of a day: what the containers, pods and claims of each namespace ask for and use at a time, by the hour."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from costlab.config.device_resource import charged
from costlab.config.settings import Settings
from costlab.core.arrays import Floats, Ints
from costlab.core.demand import kernels
from costlab.core.grid import Grid, grid_of
from costlab.domain.time import HOUR_MS, Day
from costlab.domain.units import Resource
from costlab.jobs.columns import milliseconds_of
from costlab.jobs.observed import Observed, Usage
from costlab.jobs.processors import processors
from costlab.store.schema import conform, empty, ordered

PODS, STORAGE, CLAIMS = "pods", "storage", "persistentvolumeclaims"
_OF_CLASS = ".storageclass.storage.k8s.io/storage"
_NOBODY = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for how much of a resource, and when: a row a stretch, those of one thing (a container) beside each other.

    thing: int64 (n,), its key. limits: None where the resource has none. observed: what of it was used, by key; None
    where that is not measured. nothing: bool (n,), whose usage is known to be none.
    """

    namespace: pa.ChunkedArray
    resource: pa.ChunkedArray
    thing: Ints
    start_ms: Ints
    end_ms: Ints
    requests: Floats
    limits: Floats | None = None
    observed: Observed | None = None
    nothing: NDArray[np.bool_] | None = None


def demand_day(
    tables: Mapping[str, pa.Table], usage: Usage, settings: Settings, cluster: str, day: Day
) -> pa.Table:
    """Rows of `demand`: each namespace and resource in every hour in which anything was there.

    tables: containers, pods, volumes. Pods that wait for a node are not told of, and not in it.
    """
    window = day.window
    grid = grid_of(window.start_ms, window.end_ms, settings.billing.resolution_ms)
    containers = tables["containers"]
    asked = {resource: containers_asked(containers, resource) for resource in (Resource.CPU, Resource.MEMORY)}
    asked[Resource.GPU] = _gpus_asked(containers, charged(settings.device_resources).written)
    parts = [
        *(replace(each, observed=usage[resource]) for resource, each in asked.items()),
        *_beside(tables["pods"], tables["volumes"]),
    ]
    with ThreadPoolExecutor(processors()) as pool:
        rows = list(pool.map(lambda each: _rows(each, grid, cluster, day), parts))
    return ordered("demand", pa.concat_tables([empty("demand"), *rows]))


def containers_asked(containers: pa.Table, resource: Resource) -> Asked:
    """What the rows of `containers` ask for of CPU or memory."""
    requests, limits = (
        pc.fill_null(containers[f"{resource.value}_{what}"], 0.0).to_numpy() for what in ("request", "limit")
    )
    return Asked(
        containers["namespace"],
        pa.chunked_array([pa.repeat(resource.value, containers.num_rows)]),
        containers["container_key"].to_numpy(),
        milliseconds_of(containers["start"]),
        milliseconds_of(containers["end"]),
        requests,
        limits,
        nothing=pc.equal(containers["container"], "").to_numpy(),
    )


def _gpus_asked(containers: pa.Table, written: Callable[[str], str | None]) -> Asked:
    """What they ask for of accelerators; written: a resource's name as Kubernetes writes it.

    A container that asks for several resources at once has only their sum: it counts under all of their names together.
    """
    rows = containers.filter(pc.is_valid(containers["gpu_resource"]))
    exposed = rows["gpu_resource"].to_pylist()
    names = {
        several: ",".join(written(name) or name for name in several.split(",")) for several in set(exposed)
    }
    return Asked(
        rows["namespace"],
        pa.chunked_array([pa.array([names[several] for several in exposed], pa.string())]),
        rows["container_key"].to_numpy(),
        milliseconds_of(rows["start"]),
        milliseconds_of(rows["end"]),
        pc.fill_null(rows["gpu_request"], 0.0).to_numpy(),
    )


def _beside(pods: pa.Table, volumes: pa.Table) -> Sequence[Asked]:
    """Pods, and claims: their number, their size, and their size by class."""

    def of(rows: pa.Table, resource: pa.Array, requests: Floats) -> Asked:
        times = milliseconds_of(rows["start"]), milliseconds_of(rows["end"])
        return Asked(
            rows["namespace"], pa.chunked_array([resource]), np.arange(rows.num_rows), *times, requests
        )

    sized = volumes.filter(pc.is_valid(volumes["requested_bytes"]))
    classed = sized.filter(pc.is_valid(sized["class"]))
    suffixed = pc.binary_join_element_wise(classed["class"].combine_chunks(), _OF_CLASS, "")
    return (
        of(pods, pa.repeat(PODS, pods.num_rows), np.ones(pods.num_rows)),
        of(volumes, pa.repeat(CLAIMS, volumes.num_rows), np.ones(volumes.num_rows)),
        of(sized, pa.repeat(STORAGE, sized.num_rows), sized["requested_bytes"].to_numpy()),
        of(classed, suffixed, classed["requested_bytes"].to_numpy()),
    )


def _rows(asked: Asked, grid: Grid, cluster: str, day: Day) -> pa.Table:
    """The demand for one kind of resource as rows of `demand`."""
    keys, hourly = hours_of(asked, grid)
    group, hour = np.nonzero(hourly[:, :, 0] + hourly[:, :, 2] + hourly[:, :, 6] > 0)
    if not len(group):
        return empty("demand")
    at = hourly[group, hour]
    measured = asked.observed is not None
    coverage = np.divide(at[:, 7], at[:, 6], out=np.ones(len(at)), where=at[:, 6] > 0)

    def known(values: Floats, told: bool) -> pa.Array:  # noqa: FBT001 - whether the column applies at all
        return pa.array(values) if told else pa.nulls(len(values), pa.float64())

    return conform(
        "demand",
        {
            "cluster": cluster,
            "date": day.date,
            **{
                name: pa.array([keys[g][i] for g in group], pa.string())
                for i, name in enumerate(("namespace", "resource"))
            },
            "hour": grid.start_ms + hour * HOUR_MS,
            "requests_max": at[:, 0],
            "requests_mean": at[:, 1],
            "limits_max": known(at[:, 2], asked.limits is not None),
            "limits_mean": known(at[:, 3], asked.limits is not None),
            "usage_max": known(at[:, 4], measured),
            "usage_mean": known(at[:, 5], measured),
            "usage_coverage": known(coverage, measured),
        },
    )


def hours_of(asked: Asked, grid: Grid) -> tuple[list[tuple[str, str]], Floats]:
    """Each (namespace, resource), and what is asked of it by the hour: float64 (keys, hours, 8), as the kernel says."""
    pairs = list(zip(asked.namespace.to_pylist(), asked.resource.to_pylist(), strict=True))
    keys = sorted(set(pairs))
    place = {key: i for i, key in enumerate(keys)}
    group = np.array([place[pair] for pair in pairs], np.int64)
    order = np.lexsort((asked.start_ms, asked.thing, group))
    group, thing = group[order], asked.thing[order]
    changed = (group[1:] != group[:-1]) | (thing[1:] != thing[:-1])
    first = np.flatnonzero(np.append(True, changed)[: len(order)])
    limits = np.zeros(len(order)) if asked.limits is None else asked.limits[order]
    observed = asked.observed
    if observed is None:
        seen, used = np.full((len(first), 2), -1, np.int64), (0, _NOBODY, _NOBODY, np.empty(0, np.float32))
    else:
        seen = observed.of(thing[first])
        resource = Resource.GPU if asked.limits is None else Resource(keys[0][1])
        used = observed.zero_ms, observed.start_ms, observed.end_ms, observed.usage[resource]
        if asked.nothing is not None:
            seen[asked.nothing[order][first]] = -1
    hourly = kernels.demand(
        np.searchsorted(group[first], np.arange(len(keys) + 1)), np.append(first, len(order)),
        asked.start_ms[order], asked.end_ms[order], asked.requests[order], limits, seen, *used,
        observed is not None and asked.limits is None, grid.start_ms, grid.cell_ms, grid.cells, HOUR_MS // grid.cell_ms,
    )  # fmt: skip
    return keys, hourly
