"""What is advised for the GPUs that workloads hold, on what evidence, and what it is worth. docs/methods.md."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from costlab.domain.advice import Action, Evidence, Reason
from costlab.domain.time import Day
from costlab.jobs.rightsizing.held import KEYS, MONTH_HOURS, Held, Holding, holding_of
from costlab.jobs.rightsizing.judging import Verdict, facts_of, judged, total
from costlab.store.schema import conform, empty
from costlab.store.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class _Row:
    """What is said, of whom, and the part of the saving that comes back while other work stays on its nodes."""

    held: Held
    verdict: Verdict
    net: float | None


def gpu_advice(warehouse: Warehouse, cluster: str, day: Day, days: int) -> pa.Table:
    """Rows of `advice` for everything that holds GPUs, by so many days up to this one: one row a container of a workload.

    A GPU's money is in one row at most, and never more than what was paid for it and not used.
    """
    return advice_of(holding_of(warehouse, cluster, day, days), cluster, day)


def advice_of(holding: Holding, cluster: str, day: Day) -> pa.Table:
    """The same, of what was held."""
    verdicts = [judged(held) for held in holding.held]
    emptied = _emptied(holding.held, verdicts)
    rows = [
        _Row(held, verdict, _net(held, verdict, emptied))
        for held, verdict in zip(holding.held, verdicts, strict=True)
    ]
    rows += [_Row(held, verdict, None) for held, verdict in _unused_slices(holding)]
    if not rows:
        return empty("advice")
    common = {"cluster": cluster, "date": day.date, "currency": holding.currency}
    return conform("advice", common | _columns(rows, holding.hours))


def _unused_slices(holding: Holding) -> Iterator[tuple[Held, Verdict]]:
    """MIG instances of a node that nobody took on any day: they are idle capacity, and stay so until re-partitioned."""
    free = holding.free
    taken = {gpu for held in holding.held for gpu in held.seen.gpu.tolist()}
    by_node: dict[str, list[int]] = {}
    for i in range(len(free)):
        if free.mig_profile[i] and int(free.gpu[i]) not in taken:
            by_node.setdefault(free.node[i], []).append(i)
    for node, rows in sorted(by_node.items()):
        slices = free.of(np.array(rows, np.int64))
        first = {gpu: i for i, gpu in reversed(list(enumerate(slices.gpu.tolist())))}
        profiles = sorted(slices.mig_profile[i] for i in first.values())
        facts = {"slices": ", ".join(profiles), "gpus": float(slices.gpu_share[list(first.values())].sum()),
                 "hours": float(slices.figures["told_s"].sum()) / 3600 / len(first)}  # fmt: skip
        day = np.unique(slices.day)
        nothing = np.zeros(len(day))
        held = Held(
            ("", "Node", node, ""), "unallocated", "service", "", float(len(first)), False, day,
            np.bincount(np.searchsorted(day, slices.day), slices.figures["told_s"]).astype(np.float64), nothing, nothing,
            float("nan"), float("nan"), 0, 0.0, None, slices,
        )  # fmt: skip
        verdict = Verdict(Action.UNUSED_SLICES, Reason.ADVISED, Evidence.MEASURED, facts=facts_of(facts))
        yield held, verdict


def _emptied(held: Sequence[Held], verdicts: Sequence[Verdict]) -> frozenset[str]:
    """Nodes on which nothing is left that works on a GPU, once what is idle is gone."""
    left: set[str] = set()
    freed: set[str] = set()
    for one, verdict in zip(held, verdicts, strict=True):
        gone = verdict.saved is not None and verdict.action in (Action.IDLE, Action.MEMORY_ONLY)
        (freed if gone else left).update(one.seen.node)
    return frozenset(freed - left)


def _net(held: Held, verdict: Verdict, emptied: frozenset[str]) -> float | None:
    """What comes back when GPUs are given up: all of it where their nodes are left without work, else nothing."""
    if verdict.saved is None:
        return None
    return verdict.saved if held.seen.node and set(held.seen.node) <= emptied else 0.0


def _columns(rows: Sequence[_Row], hours: float) -> dict[str, object]:
    def told(of: Callable[[_Row], object]) -> list[object]:
        return [of(row) for row in rows]

    def optional(of: Callable[[_Row], float | None]) -> pa.Array:
        return pa.array(told(of), pa.float64())

    def monthly(of: Callable[[_Row], float | None]) -> pa.Array:
        # Rounded down: so many savings together never come to more than they may.
        amounts = [None if (amount := of(row)) is None else amount * MONTH_HOURS / hours for row in rows]
        return pa.array([None if one is None else int(np.floor(one * 1e6)) for one in amounts], pa.int64())

    return {
        **dict(zip(KEYS, zip(*(row.held.key for row in rows), strict=True), strict=True)),
        "resource": "gpu",
        "action": told(lambda row: row.verdict.action.value),
        "team": told(lambda row: row.held.team),
        "class": told(lambda row: row.held.workload_class),
        "replicas": told(lambda row: row.held.pods),
        "current_request": told(lambda row: row.held.pieces),
        "proposed_request": optional(lambda row: row.verdict.proposed),
        # Kubernetes has no limit of extended resources that is not their request.
        "current_limit": told(lambda row: row.held.pieces),
        "proposed_limit": optional(lambda row: row.verdict.proposed),
        "reason": told(lambda row: row.verdict.reason.value),
        "evidence": told(lambda row: row.verdict.evidence.value),
        "policy": "gpu",
        "evidence_days": told(lambda row: len(np.unique(row.held.seen.day))),
        "coverage": told(lambda row: row.held.coverage),
        "violation_rate": None,
        "promised_rate": None,
        "monthly_cost": monthly(lambda row: total(row.held.cost)),
        "monthly_saving_gross": monthly(lambda row: row.verdict.saved),
        "monthly_saving_net": monthly(lambda row: row.net),
        "facts": told(lambda row: dict(sorted(row.verdict.facts.items()))),
    }
