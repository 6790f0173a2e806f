"""Advice in words: what is to be done, why, at what risk, and how well it is founded."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from costlab.domain.advice import Action, Evidence, Reason
from costlab.domain.units import GIB, Resource
from costlab.render import figures
from costlab.render.names import named

ACTIONS: Mapping[Action, str] = {
    Action.REQUEST: "set another request",
    Action.IDLE: "release GPUs that stand idle",
    Action.PART_TIME: "release GPUs for the part of the week in which they stand idle",
    Action.MEMORY_ONLY: "release GPUs of which only the memory is used",
    Action.MIG: "take a MIG slice instead of a whole GPU",
    Action.FEWER: "ask for fewer GPUs",
    Action.IMBALANCE: "balance the ranks of the job: some wait for the others",
    Action.STARVED: "feed the GPU: it waits for CPU or data",
    Action.UNUSED_SLICES: "use or dissolve MIG slices that nobody took",
    Action.TIME_SLICING: "let several share one GPU",
    Action.SMALLER: "take the smaller size that is usual for its class",
    Action.SCHEDULE: "scale down when nobody works",
    Action.SPOT: "run on spot nodes",
}
EVIDENCE: Mapping[Evidence, str] = {
    Evidence.MEASURED: "measured by the metric that carries the claim",
    Evidence.INDICATED: "indicated by a weaker metric: it says where to look, and carries no size",
    Evidence.REFUSED: "refused: nothing carries a proposal",
}
REASONS: Mapping[Reason, str] = {
    Reason.ADVISED: "it is advised",
    Reason.BELOW_REQUEST: "it uses less than it asks for",
    Reason.ABOVE_REQUEST: "it uses more than it asks for",
    Reason.NO_REQUEST: "it asks for nothing, so nothing is kept free for it",
    Reason.OOM_KILLED: "it was killed for want of memory",
    Reason.NEAR_ENOUGH: "its request is near enough to what would be proposed",
    Reason.TOO_LITTLE_DATA: "there is too little of its past to say anything",
    Reason.NOT_OBSERVED: "its usage was not observed",
    Reason.HPA_MANAGED: "a HorizontalPodAutoscaler scales it by this resource: another request would change its replicas",
    Reason.USAGE_WAS_CAPPED: "its limit held its usage down, so what it needs is not known",
    Reason.RISK_TOO_HIGH: "no candidate kept the risk that its class allows",
    Reason.IGNORED: "it is ignored, by a label or the configuration",
    Reason.MUTED: "its advice is muted for a time",
    Reason.SHARED_GPU: "its GPU is shared, and usage is not told apart",
    Reason.MISSING_METRIC: "the metric that would tell is missing",
    Reason.NEED_UNKNOWN: "what it needs is not known",
    Reason.SEVERAL_GPUS: "it holds several GPUs, which the figures do not tell apart",
    Reason.NO_FULL_RUN: "no run was seen from its beginning to its end",
    Reason.STARTUP: "it needs its request to start, though not later",
}
# The same beside other words, in a table's cell or before a number.
BRIEF_ACTIONS: Mapping[str, str] = {
    Action.REQUEST: "",
    Action.IDLE: "release: idle",
    Action.PART_TIME: "idle part of the week",
    Action.MEMORY_ONLY: "only its memory is used",
    Action.MIG: "a MIG slice is enough",
    Action.FEWER: "fewer are enough",
    Action.IMBALANCE: "ranks wait for each other",
    Action.STARVED: "waits for CPU or input",
    Action.UNUSED_SLICES: "slices nobody took",
    Action.TIME_SLICING: "could be shared",
    Action.SMALLER: "a smaller size is usual",
    Action.SCHEDULE: "scale down when idle",
    Action.SPOT: "fit for spot nodes",
}
BRIEF_REASONS: Mapping[str, str] = {
    Reason.NEAR_ENOUGH: "near enough as they are",
    Reason.TOO_LITTLE_DATA: "too little data yet",
    Reason.NOT_OBSERVED: "not observed",
    Reason.HPA_MANAGED: "scaled by an autoscaler",
    Reason.USAGE_WAS_CAPPED: "held down by their limit",
    Reason.RISK_TOO_HIGH: "no proposal keeps the risk",
    Reason.IGNORED: "ignored by configuration or label",
    Reason.MUTED: "muted for now",
    Reason.MISSING_METRIC: "a metric is missing",
    Reason.NEED_UNKNOWN: "need not known",
    Reason.SHARED_GPU: "GPU is shared",
    Reason.SEVERAL_GPUS: "several GPUs",
    Reason.NO_FULL_RUN: "no full run yet",
    Reason.STARTUP: "needed to start",
}

# Of other actions some reasons are others than of requests.
_OF_ACTIONS: Mapping[str, Mapping[Reason, str]] = {
    Action.SCHEDULE: {
        Reason.ADVISED: "in these hours it did next to nothing on any of the days",
        Reason.HPA_MANAGED: "a HorizontalPodAutoscaler sets its replicas, and would scale it up again",
        Reason.TOO_LITTLE_DATA: "it takes two weeks of its past to say so",
        Reason.NOT_OBSERVED: "some of these hours were not observed, and may not have been idle",
    },
    Action.SPOT: {
        Reason.NEAR_ENOUGH: "it runs on spot nodes already",
        Reason.TOO_LITTLE_DATA: "too few of its runs were seen from beginning to end",
        Reason.RISK_TOO_HIGH: "its runs are too long to be begun again whenever a node is taken away",
    },
    Action.MIG: {Reason.NEAR_ENOUGH: "nothing smaller would hold what it uses"},
}

Row = Mapping[str, Any]


def amount(quantity: float | None, resource: str) -> str:
    """A quantity with its unit, for reading: 0.25 cores, 1.5 GiB, 2 GPUs; a dash without one."""
    if quantity is None or quantity != quantity:  # noqa: PLR0124 - NaN, which alone differs from itself
        return figures.NONE
    if resource == Resource.MEMORY:
        return f"{size(quantity / GIB)} GiB"
    unit = "cores" if resource == Resource.CPU else "GPUs"
    return f"{size(quantity)} {unit.removesuffix('s') if quantity == 1 else unit}"


def size(quantity: float) -> str:
    """A number with three meaningful digits or all its whole ones, and no idle zeros: 0.004, 1.2, 2, 1,204."""
    return f"{quantity:.3g}" if abs(quantity) < 100 else figures.quantity(quantity)


def change(row: Row) -> str:
    """What to set: request 2 cores to 1.2 cores; limit 4 cores to none."""
    told = []
    for what in ("request", "limit"):
        now, then = (
            "none" if row[f"{when}_{what}"] is None else amount(row[f"{when}_{what}"], row["resource"])
            for when in ("current", "proposed")
        )
        told.append(f"{what} {now} stays" if now == then else f"{what} {now} to {then}")
    return "; ".join(told)


def saving(row: Row) -> str:
    """What it saves or costs in a month, gross and net."""
    gross: Decimal | None = row["monthly_saving_gross"]
    net: Decimal | None = row["monthly_saving_net"]
    if gross is None:
        return "saving not known: no price"
    word = "saves" if gross >= 0 else "costs"
    text = f"{word} {figures.money(abs(gross), row['currency'])} a month"
    if net is None:
        return text
    # By whole nodes: what stays on a node that stays is not given back.
    return f"{text}, {figures.money(net if gross >= 0 else -net, row['currency'])} net of capacity that stays"


def risk(row: Row) -> str:
    """How often it may be exceeded, and how often it was."""
    promised = row["promised_rate"]
    violated = row["violation_rate"]
    told = [
        "no risk promised" if promised is None else f"exceeded on at most {rate(promised)} of days",
        "not backtested" if violated is None else f"{rate(violated)} of past days exceeded it",
    ]
    return ", ".join(told)


def rate(ratio: float) -> str:
    """A share of days with two meaningful digits: 0.4%, 12%, 0%."""
    return f"{100 * ratio:.2g}%"


def evidence(row: Row) -> str:
    """How many days are behind it, how much of them was observed, and what rule chose."""
    days = figures.counted(row["evidence_days"], "day")
    return f"{days}, {figures.share(row['coverage'])} observed, by {named(row['policy'])}"


def reason(row: Row) -> str:
    """Why it is proposed, or why nothing is; a reason of a newer version is told as it stands."""
    if row["reason"] not in set(Reason):
        return named(row["reason"])
    why = Reason(row["reason"])
    told = _OF_ACTIONS.get(row["action"], REASONS).get(why) or REASONS[why]
    facts = dict(row.get("facts") or ())  # messages have none
    held = row.get("proposed_request") is not None and "held_by_startup" in facts
    return f"{told}, but needs this much to start" if held else told


def brief_action(row: Row) -> str:
    """What is to be done, beside what stands there already; empty for another request, whose figures say it."""
    return BRIEF_ACTIONS.get(row["action"], str(row["action"]))


def brief_reason(row: Row) -> str:
    """Why nothing is advised in so many cases."""
    return BRIEF_REASONS.get(row["reason"], named(row["reason"]))
