"""Who was on which node, and when: a pod's life as far as it occupies a node. docs/methods.md, "Occupancy"."""

from dataclasses import dataclass

import numpy as np

from costlab.domain.identity import PodKey
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Window
from costlab.jobs.heard import Hearing, spans
from costlab.jobs.reading import Reading

PodId = tuple[str, str, str]  # namespace, pod, uid

ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Life:
    """A pod on its node within the day, from `start_ms` until `end_ms`."""

    key: PodKey
    node: str
    start_ms: int
    end_ms: int
    created_by: tuple[str, str]

    @property
    def pod_id(self) -> PodId:
        """What kube-state-metrics calls the pod."""
        return (self.key.namespace, self.key.pod, self.key.uid)


def pod_lives(signals: Reading, window: Window, cluster: str, heard: Hearing) -> list[Life]:
    """The lives that touch the day, cut to it, ordered by name.

    A pod occupies its node from when it was bound until it ended; its series vanishing is an end one scrape later.
    Without a node it occupies nothing.
    """
    scheduled, started = latest(signals[Signal.POD_SCHEDULED_TIME]), latest(signals[Signal.POD_START_TIME])
    completed, ended = latest(signals[Signal.POD_COMPLETION_TIME]), _ended_at(signals[Signal.POD_PHASE])
    lives = []
    for (pod, node), (first_ms, last_ms, labels) in sorted(
        _seen(signals[Signal.POD_INFO]).items(), key=lambda i: i[0]
    ):
        bound_s = scheduled.get(pod, started.get(pod))
        start_ms = first_ms if bound_s is None else min(first_ms, round(bound_s * 1000))
        end_ms = last_ms + heard.step_ms
        if pod in ended:
            end_ms = min(ended[pod], round(completed[pod] * 1000)) if pod in completed else ended[pod]
        start_in, end_in = max(start_ms, window.start_ms), min(end_ms, window.end_ms)
        if start_in < end_in:
            namespace, name, uid = pod
            owner = (labels.get("created_by_kind", ""), labels.get("created_by_name", ""))
            lives.append(Life(PodKey(cluster, namespace, name, uid, start_ms), node, start_in, end_in, owner))
    return lives


def pod_id(labels: Labels) -> PodId:
    """The pod that a kube-state-metrics series is about."""
    return (labels.get("namespace", ""), labels.get("pod", ""), labels.get("uid", ""))


def latest(series: Series) -> dict[PodId, float]:
    """The largest value that a pod's series ever had: instances of kube-state-metrics may disagree."""
    found: dict[PodId, float] = {}
    for labels, low, high in zip(series.labels, series.offsets[:-1], series.offsets[1:], strict=True):
        values = series.values[low:high]
        values = values[~np.isnan(values)]
        if len(values):
            pod = pod_id(labels)
            found[pod] = max(found.get(pod, -np.inf), float(values.max()))
    return found


def _seen(info: Series) -> dict[tuple[PodId, str], tuple[int, int, Labels]]:
    """First and last sample of each pod on each node."""
    seen: dict[tuple[PodId, str], tuple[int, int, Labels]] = {}
    for labels, first_ms, last_ms in spans(info):
        if node := labels.get("node"):
            key = (pod_id(labels), node)
            before = seen.get(key, (first_ms, last_ms, labels))
            seen[key] = (min(first_ms, before[0]), max(last_ms, before[1]), labels)
    return seen


def _ended_at(phase: Series) -> dict[PodId, int]:
    """When a pod was first seen Succeeded or Failed."""
    found: dict[PodId, int] = {}
    for labels, low, high in zip(phase.labels, phase.offsets[:-1], phase.offsets[1:], strict=True):
        if labels.get("phase") not in ENDED:
            continue
        on = np.flatnonzero(phase.values[low:high] == 1.0)
        if len(on):
            pod = pod_id(labels)
            at_ms = int(phase.at_ms[low + on[0]])
            found[pod] = min(found.get(pod, at_ms), at_ms)
    return found
