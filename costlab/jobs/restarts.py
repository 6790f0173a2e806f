"""How often containers were started anew, and how often because they were killed for want of memory."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from costlab.domain.signals import Signal
from costlab.jobs.levels import Run, runs_by
from costlab.jobs.lives import PodId, pod_id
from costlab.jobs.reading import Reading

_KILLED = "OOMKilled"
_MOST = 2**31 - 1  # as Kubernetes counts them: what is beyond is no count, and sums of it would overflow
_Container = tuple[PodId, str]


@dataclass(frozen=True, slots=True)
class Restart:
    """So many restarts that one sample told of. killed: for want of memory; None: the reason is not exposed."""

    at_ms: int
    count: int
    killed: bool | None


class Restarts:
    """The restarts of each container whose count is exposed."""

    def __init__(self, told: dict[_Container, list[Restart]]) -> None:
        self._told = told

    def within(self, pod: PodId, container: str, start_ms: int, end_ms: int) -> tuple[int | None, int | None]:
        """How many there were, and how many after an out-of-memory kill; None where that is not exposed."""
        if (pod, container) not in self._told:
            return None, None
        some = [one for one in self._told[pod, container] if start_ms <= one.at_ms < end_ms]
        known = all(one.killed is not None for one in some)
        kills = sum(one.count for one in some if one.killed)
        return sum(one.count for one in some), kills if known else None


def restarts_of(signals: Reading, max_gap_ms: int) -> Restarts:
    """What kube-state-metrics tells of restarts: a count that rises, beside the reason of the end before."""
    reasons: dict[_Container, list[tuple[str, Run]]] = defaultdict(list)
    ended = runs_by(
        signals,
        Signal.CONTAINER_TERMINATED,
        lambda labels: (pod_id(labels), labels.get("container", ""), labels.get("reason", "")),
        max_gap_ms,
    )
    for (pod, container, reason), runs in ended.items():
        reasons[pod, container] += [(reason, run) for run in runs if run.value > 0]
    counts = runs_by(
        signals,
        Signal.CONTAINER_RESTARTS,
        lambda labels: (pod_id(labels), labels.get("container", "")),
        max_gap_ms,
    )
    told = {of: [run for run in runs if run.value <= _MOST] for of, runs in counts.items()}
    return Restarts(
        {
            of: [
                Restart(
                    after.start_ms, round(after.value - before.value), _killed(reasons[of], after.start_ms)
                )
                for before, after in pairwise(runs)
                if after.value > before.value
            ]
            for of, runs in told.items()
            if runs
        }
    )


def _killed(reasons: list[tuple[str, Run]], at_ms: int) -> bool | None:
    told = [reason for reason, run in reasons if run.start_ms <= at_ms < run.end_ms]
    return _KILLED in told if told else None
