"""What the named queries are asked: what the commands ask, and of the windowed ones the whole lake as well."""

from datetime import timedelta
from typing import Any

from costlab.domain.time import Day
from costlab.store.warehouse import queries
from large_lake.fleet import Fleet
from large_lake.world import CLUSTER, LAST

Params = dict[str, Any]

_DAY = str(LAST.date)
_UNTIL = str(LAST.date + timedelta(days=1))
_ANYBODY = {"namespace": "", "team": ""}
# How far back each of them looks when nothing else is said; the others are asked of a day.
_DAYS = {
    "advice_before": 14, "advisable_containers": 14, "advisable_costs": 14, "advisable_keys": 14, "pool_capacity": 14,
    "scalable_workloads": 14, "startups": 14, "quota_days": 90, "quota_hours": 28, "quota_requests": 28, "quota_suggestions": 28,
    "daily_costs": 30, "team_days": 30, "workload_days": 30, "volume_history": 90, "open_advice": 90,
    "bill_reconciliation": 7, "usage_of_workloads": 7, "settled_advice": 7,
}  # fmt: skip
_WINDOWS = {
    "audit": 7, "autoscaled_workloads": 14, "cost_history": 90, "costs": 7, "energy_use": 7, "focus": 1, "gpu_hours": 1,
    "idle_capacity": 7, "idle_devices": 7, "memory_kills": 14, "pod_requests": 1, "requested_days": 7,
    "subject_days": 30, "usage_stretches": 1, "what_if": 7, "window_nodes": 7, "workload_hours": 1,
}  # fmt: skip
_NUMBER = 1007  # a workload
_SPACE = f"research-{Fleet(50_000, 5_000).space_of[_NUMBER]}"
_OWN: dict[str, Params] = {
    "cost_changes": {"against": ""},
    "costs": {"by": "team", "labels": "", "share_idle": "none", "namespaces": "", "teams": "", "fees": "false",
              "method": "cost", "across": "cluster"},
    "cost_history": {"by": "team"},
    "subject_days": {"by": "team"},
    "energy_use": {"by": "team", "clusters": CLUSTER, "grams": "400"},
    "what_if": {"by": "team", "cpu_core_hour": "0.09", "memory_gib_hour": "", "storage_gib_hour": "", "gpu_hour": "",
                "gpu_models": "{}"},
    "advice_before": {"policy": "costlab"},
    "workload_days": {"most": 50},
    "focus": {"timezone": "UTC", "provider": "Kubernetes"},
    "pod_requests": {"pools": []},
    "quota_suggestions": {"headroom": 0.15, "owners": [], "resources": [], "levels": [], "uppers": [], "after_p99": [],
                          "after_peak": []},
    # raw usage is asked for a namespace or a workload at a time
    "usage_stretches": {"namespace": _SPACE, "team": ""},
    "requested_days": {"namespace": _SPACE, "team": ""},
    "workload_hours": {"namespace": _SPACE, "workload": f"workload-{_NUMBER}"},
}  # fmt: skip


def usual(name: str) -> tuple[Params, int]:
    """What a query is asked, as commands do when nothing else is said, and how many days that is of.

    A check is asked of a day's rows, as a night does before it commits them.
    """
    return _of(name, None)


def whole(name: str, days: int) -> tuple[Params, int] | None:
    """The same of so many days; None where the query takes no window, or is of raw usage."""
    if queries()[name].folder == "checks":
        return {}, days
    if name in ("usage_stretches", "workload_hours", "gpu_hours", "focus") or not (
        {"days", "start", "dates"} & queries()[name].params
    ):
        return None
    return _of(name, days)


def _of(name: str, days: int | None) -> tuple[Params, int]:
    wanted = queries()[name].params
    length = days or _DAYS.get(name) or _WINDOWS.get(name) or 1
    own = _OWN.get(name, {})
    looked_at = [LAST.date - timedelta(days=ago) for ago in range(length)]
    known: Params = {
        "cluster": CLUSTER, "day": _DAY, "days": length, "until": _UNTIL,
        "start": str(LAST.date - timedelta(days=length - 1)), "dates": list(map(str, looked_at)), "midnights_ms": [Day(each).window.start_ms for each in looked_at],
        **_ANYBODY, **own,
    }  # fmt: skip
    return {param: known[param] for param in wanted}, length
