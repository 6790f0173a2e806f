"""By which metrics HorizontalPodAutoscalers scale workloads, and what they aim at."""

import numpy as np
import pyarrow as pa

from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Day
from costlab.jobs.reading import Reading
from costlab.store.schema import conform, empty, ordered

_UTILIZATION = "utilization"
_Autoscaler = tuple[str, str]


def autoscalers_table(signals: Reading, cluster: str, day: Day) -> pa.Table:
    """Rows of `autoscalers`: a row a metric, or one without where kube-state-metrics tells none of its autoscaler."""
    aims: dict[_Autoscaler, dict[tuple[str, str], float]] = {}
    for labels, target in _last(signals[Signal.AUTOSCALER_TARGET]):
        kind = labels.get("metric_target_type", "")
        aims.setdefault(_whose(labels), {})[labels.get("metric_name", ""), kind] = (
            target / 100 if kind == _UTILIZATION else target
        )
    rows = [
        {
            "namespace": labels.get("namespace", ""),
            "autoscaler": labels.get("horizontalpodautoscaler", ""),
            "workload_kind": labels.get("scaletargetref_kind", ""),
            "workload": labels.get("scaletargetref_name", ""),
            "metric": metric,
            "target_type": kind,
            "target": target,
        }
        for labels, _ in _last(signals[Signal.AUTOSCALER_INFO])
        for (metric, kind), target in aims.get(_whose(labels), {(None, None): None}).items()
    ]
    if not rows:
        return empty("autoscalers")
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["target"] = pa.array(columns["target"], pa.float64())
    return ordered("autoscalers", conform("autoscalers", {"cluster": cluster, "date": day.date, **columns}))


def _whose(labels: Labels) -> _Autoscaler:
    return labels.get("namespace", ""), labels.get("horizontalpodautoscaler", "")


def _last(series: Series) -> list[tuple[Labels, float]]:
    """Each series with its last value; several instances of kube-state-metrics count as one."""
    found: dict[tuple[tuple[str, str], ...], tuple[Labels, float]] = {}
    for labels, low, high in zip(series.labels, series.offsets[:-1], series.offsets[1:], strict=True):
        values = series.values[low:high]
        known = values[~np.isnan(values)]
        if len(known):
            own = {name: text for name, text in labels.items() if name != "instance"}
            found[tuple(sorted(own.items()))] = labels, float(known[-1])
    return list(found.values())
