"""Rows of `advice` about requests: what is proposed, on what ground, and what it is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.core.arrays import Floats
from costlab.core.rightsizing.decisions import Decided, Present, Proposals
from costlab.core.rightsizing.policy import REASONS
from costlab.core.rightsizing.startups import Startups
from costlab.domain.advice import Action, Evidence, Reason
from costlab.domain.units import Resource
from costlab.jobs.rightsizing.past import KEYS
from costlab.jobs.rightsizing.silences import Silenced
from costlab.jobs.rightsizing.subjects import Subjects
from costlab.jobs.rightsizing.worth import Worth
from costlab.store.schema import conform

_CARRIED = frozenset(
    {
        Reason.BELOW_REQUEST,
        Reason.ABOVE_REQUEST,
        Reason.NO_REQUEST,
        Reason.OOM_KILLED,
        Reason.NEAR_ENOUGH,
        Reason.STARTUP,
    }
)


@dataclass(frozen=True, slots=True)
class Advice:
    """All that is to be said of one resource of every subject."""

    resource: Resource
    policy: str
    proposals: Proposals
    present: Present
    decided: Decided
    worth: Worth
    silences: Sequence[Silenced | None]
    startups: Startups


def rows_of(subjects: Subjects, advice: Advice, hours: Floats, common: Mapping[str, Any]) -> pa.Table:
    """The rows of one resource, of the subjects that are still there. common: cluster, date and currency."""
    some = subjects.lately
    rows, used = subjects.rows.filter(pa.array(some)), subjects.past.used[advice.resource]
    proposals, present, decided, valued = advice.proposals, advice.present, advice.decided, advice.worth
    reasons = [REASONS[code] for code in decided.reason[some]]
    columns: dict[str, Any] = {
        **common,
        **{name: rows[name] for name in (*KEYS, "team", "class")},
        "resource": advice.resource.value,
        "action": Action.REQUEST.value,
        "replicas": (used.occupied_hours / hours)[some],
        "current_request": _or_null(present.request[some]),
        "proposed_request": _or_null(decided.request[some]),
        "current_limit": _or_null(present.limit[some]),
        "proposed_limit": _or_null(decided.limit[some]),
        "reason": [reason.value for reason in reasons],
        "evidence": [
            (Evidence.MEASURED if reason in _CARRIED else Evidence.REFUSED).value for reason in reasons
        ],
        "policy": [f"{advice.policy}: {proposals.chosen[i]}" for i in np.flatnonzero(some)],
        "evidence_days": used.evidence_days[some],
        "coverage": _ratio(used.observed_hours, used.occupied_hours)[some],
        "violation_rate": _or_null(proposals.violation_rate[some]),
        "promised_rate": _or_null(proposals.promised_rate[some]),
        "monthly_cost": _micros(valued.cost[some]),
        "monthly_saving_gross": _micros(np.where(decided.advised, valued.gross, np.nan)[some]),
        "monthly_saving_net": _micros(np.where(decided.advised, valued.net, np.nan)[some]),
        "facts": _facts(subjects, advice),
    }
    return conform("advice", columns)


def _facts(subjects: Subjects, advice: Advice) -> list[dict[str, str]]:
    """What else the words need, of those that are still there."""
    present, startups = advice.present, advice.startups
    flags = {
        "request_changed": subjects.rows[f"{advice.resource.value}_changed"].to_numpy(),
        "limit_below_request": present.limit < present.request,
        "at_limit": present.capped,
        "as_advised_before": advice.decided.request == present.advised_before,
        "held_by_startup": advice.decided.held,
    }
    found = []
    for i in np.flatnonzero(subjects.lately).tolist():
        silence = advice.silences[i]
        told = {
            **(silence.facts if silence else {}),
            **{name: "yes" for name, flag in flags.items() if flag[i]},
        }
        if not np.isnan(present.peak[i]):
            told["peak"] = f"{present.peak[i]:.6g}"
        if not np.isnan(startups.most[i]):
            told |= {
                "starts": str(startups.starts[i]),
                "startup": f"{startups.most[i]:.6g}",
                "otherwise": f"{startups.otherwise[i]:.6g}",
            }
        found.append(dict(sorted(told.items())))
    return found


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, 0.0)


def _or_null(values: Floats) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _micros(amounts: Floats) -> pa.Array:
    """Money in micro-units, rounded down: so many savings together never come to more than they may."""
    unknown = np.isnan(amounts)
    return pa.array(np.floor(np.where(unknown, 0, amounts) * 1e6).astype(np.int64), mask=unknown)
