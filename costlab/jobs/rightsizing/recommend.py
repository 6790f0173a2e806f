"""A day's advice: what each container of a workload should request, what that is worth, or why nothing is advised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from costlab.config.advising import Rightsizing
from costlab.config.settings import Settings
from costlab.core.rightsizing.decisions import Proposals, decide, without_trifles
from costlab.domain.time import Day
from costlab.domain.units import Resource
from costlab.jobs.commit import Beside, commit_beside, measured_run
from costlab.jobs.outcome import Outcome
from costlab.jobs.rightsizing.circumstances import kills_of
from costlab.jobs.rightsizing.gpus import gpu_advice
from costlab.jobs.rightsizing.past import ADVISED, names_of
from costlab.jobs.rightsizing.present import advised_before, bounds_of, present_of, scaled_of, silences_of
from costlab.jobs.rightsizing.proposals import proposals_of
from costlab.jobs.rightsizing.rows import Advice, rows_of
from costlab.jobs.rightsizing.schedules import LEAST_DAYS, schedule_advice
from costlab.jobs.rightsizing.spot import spot_advice
from costlab.jobs.rightsizing.startups import startups
from costlab.jobs.rightsizing.stretches import samples_of
from costlab.jobs.rightsizing.subjects import Subjects, subjects_of
from costlab.jobs.rightsizing.worked import worked_of
from costlab.jobs.rightsizing.worth import Costs, costs_of, worth
from costlab.render import figures
from costlab.store.lake import Lake
from costlab.store.schema import empty, ordered
from costlab.store.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Recommended:
    """A day's advice, and what became of it."""

    rows: pa.Table
    outcome: Outcome


def recommend_day(lake: Lake, settings: Settings, cluster: str, day: Day) -> Recommended:
    """Write the day's advice into the lake, from it and the days before; what is the same is not written again.

    Raises ConfigError when the day is not in the lake, or for an unknown policy; and what the lake raises.
    """
    made = advice_beside(lake, settings, cluster, day)
    rows, changed = made.rows, commit_beside(lake, cluster, day, "advice", made.rows, made.run)
    advised = rows.num_rows - rows["proposed_request"].null_count
    what = "committed" if changed else "unchanged, nothing committed"
    line = f"{cluster} {day}: advice, {figures.counted(advised, 'change')} in {figures.counted(rows.num_rows, 'row')}, {what}"
    return Recommended(rows, Outcome(line))


def advice_beside(lake: Lake, settings: Settings, cluster: str, day: Day) -> Beside:
    """The day's advice as `recommend_day` writes it, which writes nothing yet. Raises what that does."""
    run = measured_run(lake, cluster, day)
    return Beside(advice_of(Warehouse.over(lake), settings, cluster, day, settings.rightsizing.days), run)


def recommended(
    lake: Lake,
    settings: Settings,
    clusters: Sequence[str],
    day: Day,
    days: int,
    *,
    policy: str | None,
    keep: bool,
) -> pa.Table:
    """The rows of several clusters' advice; `keep` writes them, as `recommend_day` does, by the configured rule.

    Raises what `recommend_day` does, and Busy when another run is in the lake that would be written.
    """
    if keep:
        with lake.locked():
            parts = [recommend_day(lake, settings, cluster, day).rows for cluster in clusters]
    else:
        for cluster in clusters:
            measured_run(lake, cluster, day)
        warehouse = Warehouse.over(lake)
        parts = [advice_of(warehouse, settings, cluster, day, days, policy) for cluster in clusters]
    return pa.concat_tables([empty("advice"), *parts])


def advice_of(
    warehouse: Warehouse, settings: Settings, cluster: str, day: Day, days: int, policy: str | None = None
) -> pa.Table:
    """Rows of `advice`, from so many days up to this one; `policy`: another rule for requests than the configured one."""
    parts = (
        _requests(warehouse, settings.rightsizing, cluster, day, days, policy),
        gpu_advice(warehouse, cluster, day, days),
        spot_advice(warehouse, settings, cluster, day, days),
        _schedules(warehouse, settings.rightsizing, cluster, day, max(days, LEAST_DAYS)),
    )
    return ordered("advice", pa.concat_tables(parts))


def _schedules(warehouse: Warehouse, rules: Rightsizing, cluster: str, day: Day, days: int) -> pa.Table:
    worked, currency = worked_of(warehouse, cluster, day, days)
    return schedule_advice(worked, rules.silence, cluster, day, currency)


def _requests(
    warehouse: Warehouse, rules: Rightsizing, cluster: str, day: Day, days: int, policy: str | None
) -> pa.Table:
    name = policy or rules.policy
    subjects, costs, proposals = proposed(warehouse, rules, cluster, day, days, name)
    hours = 24 * subjects.floats("days")
    if not subjects.lately.any():
        return empty("advice")
    silences = silences_of(subjects, day.date, rules)
    held = advised_before(warehouse, cluster, day, days, name, subjects)
    scaled = scaled_of(warehouse, cluster, day, subjects)
    starts = startups(warehouse, cluster, day, days, subjects)
    bounds = {resource: bounds_of(rules, resource) for resource in ADVISED}
    present = {
        resource: present_of(
            subjects, resource, silences[resource], held[resource], scaled[resource], starts[resource]
        )
        for resource in ADVISED
    }
    decided = {
        resource: decide(proposals[resource], present[resource], bounds[resource]) for resource in ADVISED
    }
    valued = worth(subjects, decided, costs, hours)
    decided = {
        resource: without_trifles(
            decided[resource], present[resource], valued[resource].gross, bounds[resource]
        )
        for resource in ADVISED
    }
    valued = worth(subjects, decided, costs, hours)  # what is no advice frees no node
    common = {"cluster": cluster, "date": day.date, "currency": costs.currency}
    parts = [
        rows_of(
            subjects,
            Advice(
                resource, name, proposals[resource], present[resource], decided[resource], valued[resource],
                silences[resource], starts[resource],
            ),
            hours,
            common,
        )
        for resource in ADVISED
    ]  # fmt: skip
    return pa.concat_tables(parts)


def proposed(
    warehouse: Warehouse, rules: Rightsizing, cluster: str, day: Day, days: int, policy: str
) -> tuple[Subjects, Costs, Mapping[Resource, Proposals]]:
    """What the rule of this name proposes from the end of the day on, for whom, and what they cost."""
    subjects = subjects_of(warehouse, cluster, day, days)
    costs = costs_of(warehouse, cluster, day, days, subjects)
    proposals = proposals_of(
        policy,
        subjects,
        rules,
        costs.totals(subjects.count) / subjects.floats("days"),
        kills_of(warehouse, cluster, subjects.looked_at(day), day.timezone, names_of(subjects.rows)),
        lambda: samples_of(warehouse, cluster, day, days, subjects),
    )
    return subjects, costs, proposals
