"""How the containers of workloads stand, and what their advice is held to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from costlab.config.advising import Rightsizing
from costlab.core.arrays import Floats
from costlab.core.rightsizing.decisions import CODE, Bounds, Flags, Present
from costlab.core.rightsizing.startups import Startups
from costlab.domain.time import Day
from costlab.domain.units import Resource
from costlab.jobs.rightsizing.circumstances import SCALED, only, scalings
from costlab.jobs.rightsizing.past import ADVISED, KEYS
from costlab.jobs.rightsizing.silences import Silenced, silenced
from costlab.jobs.rightsizing.subjects import Subjects
from costlab.store.warehouse import Warehouse

# A container that is this near its limit may have wanted more; of CPU, for more than this part of its time.
_NEAR_LIMIT = 0.95
_CPU_AT_LIMIT = 0.01
_THROTTLED = 0.01
_MIN_COVERAGE = 0.5
# What a cut leaves of what a start uses: on a full node it takes at most twice as long. With less memory it is killed.
_STARTUP_SHARES = {Resource.CPU: 0.5, Resource.MEMORY: 1.0}


def bounds_of(rules: Rightsizing, resource: Resource) -> Bounds:
    """As the configuration says."""
    return Bounds(
        minimum=float(getattr(rules.minimum, resource.value)),
        step=float(getattr(rules.step, resource.value)),
        min_days=rules.min_days,
        min_hours=rules.min_hours,
        min_coverage=_MIN_COVERAGE,
        limits_by_rule=rules.limits == "rule",
        keep_within=rules.keep_within,
        near_enough=rules.near_enough,
        near_enough_monthly=rules.near_enough_monthly,
        startup_share=_STARTUP_SHARES[resource],
    )


def silences_of(
    subjects: Subjects, day: date, rules: Rightsizing
) -> Mapping[Resource, Sequence[Silenced | None]]:
    """Who gets no advice on the day, by resource and subject."""
    named = (*KEYS, "ignore_label", "mute_until_label", "reason_label")
    rows = subjects.rows.select(named).to_pylist()
    return {resource: [silenced(row, resource, day, rules.silence) for row in rows] for resource in ADVISED}


def advised_before(
    warehouse: Warehouse, cluster: str, day: Day, days: int, policy: str, subjects: Subjects
) -> Mapping[Resource, Floats]:
    """The request that was advised last, by resource: float64 (subjects,), NaN = none was."""
    asked = {"cluster": cluster, "day": str(day), "days": days, "policy": policy}
    before = {
        tuple(row[name] for name in (*KEYS, "resource")): row["proposed_request"]
        for row in warehouse.query("advice_before", **asked).to_pylist()
    }
    keys = list(zip(*(subjects.rows[name].to_pylist() for name in KEYS), strict=True))
    return {
        resource: np.array([before.get((*key, resource.value), np.nan) for key in keys], np.float64)
        for resource in ADVISED
    }


@dataclass(frozen=True, slots=True)
class Scaled:
    """Who is scaled by a HorizontalPodAutoscaler; arrays (subjects,). target: float64, used / request, NaN = not known."""

    autoscaled: Flags
    target: Floats


def scaled_of(warehouse: Warehouse, cluster: str, day: Day, subjects: Subjects) -> Mapping[Resource, Scaled]:
    """Who is scaled by which resource, as autoscalers stood on the day."""
    targets = scalings(warehouse, cluster, only(day))
    keys = list(zip(*(subjects.rows[name].to_pylist() for name in SCALED), strict=True))
    return {
        resource: Scaled(
            np.array([(day.date, *key, resource) in targets for key in keys], np.bool_),
            np.array([targets.get((day.date, *key, resource)) for key in keys], np.float64),
        )
        for resource in ADVISED
    }


def present_of(
    subjects: Subjects,
    resource: Resource,
    silences: Sequence[Silenced | None],
    held: Floats,
    scaled: Scaled,
    startups: Startups,
) -> Present:
    """Requests, limits and usage of one resource, and what was said of it before."""
    used = subjects.past.used[resource]
    return Present(
        request=subjects.floats(f"{resource.value}_request"),
        limit=subjects.floats(f"{resource.value}_limit"),
        guaranteed=subjects.rows["guaranteed"].to_numpy(),
        evidence_days=used.evidence_days,
        observed_hours=used.observed_hours,
        occupied_hours=used.occupied_hours,
        mean=used.mean,
        peak=used.peak,
        capped=_capped(subjects, resource),
        startup=startups.most,
        oom_kills=used.oom_kills if resource is Resource.MEMORY else np.zeros(subjects.count, np.int64),
        autoscaled=scaled.autoscaled,
        autoscale_target=scaled.target,
        silenced=np.array([CODE[each.reason] if each else 0 for each in silences], np.int8),
        advised_before=held,
    )


def _capped(subjects: Subjects, resource: Resource) -> Flags:
    """Whether usage was near a limit of the window, or throttled: what it would have been is not known."""
    used, limit = subjects.past.used[resource], subjects.floats(f"least_{resource.value}_limit")
    at_limit = used.usage.level >= _NEAR_LIMIT * limit[used.usage.row]
    hours = np.bincount(used.usage.row, at_limit * used.usage.hours, subjects.count)
    if resource is Resource.MEMORY:
        return (hours > 0) | (used.peak >= _NEAR_LIMIT * limit)
    return (hours > _CPU_AT_LIMIT * used.observed_hours) | (used.throttled_ratio > _THROTTLED)
