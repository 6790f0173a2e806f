"""A day's advice: what each container of a workload should request, what that is worth, or why nothing is advised."""

import pyarrow as pa

from costlab.config.settings import DAY_MS, Rightsizing, Settings
from costlab.core.rightsizing.decisions import decide, without_trifles
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day
from costlab.jobs.outcome import Outcome
from costlab.jobs.rightsizing.present import advised_before, bounds_of, present_of, silences_of
from costlab.jobs.rightsizing.proposals import proposals_of
from costlab.jobs.rightsizing.rows import Advice, rows_of
from costlab.jobs.rightsizing.subjects import ADVISED, subjects_of
from costlab.jobs.rightsizing.worth import costs_of, worth
from costlab.store.lake import READABLE, Lake
from costlab.store.schema import empty, ordered
from costlab.store.warehouse import Warehouse


def recommend_day(lake: Lake, settings: Settings, cluster: str, day: Day) -> Outcome:
    """Write the day's advice into the lake, from it and the days before; what is the same is not written again.

    Raises ConfigError when the day is not in the lake, or for an unknown policy; and what the lake raises.
    """
    state = lake.days(cluster).get(day.date)
    before = lake.run(cluster, day)
    if state not in READABLE or before is None:
        raise ConfigError(
            f"{day} of cluster {cluster} is not in the lake",
            f"measure it first: costlab nightly --date {day}",
        )
    rows = advice_of(Warehouse.over(lake), settings.rightsizing, cluster, day)
    with lake.replacing(cluster, day, {"advice": rows}, before) as written:
        run = {name: value for name, value in before.items() if name not in ("content", "files", "versions")}
        lake.commit_run(cluster, day, run, written, before)
    advised = len(rows) - rows["proposed_request"].null_count
    what = "committed" if written["advice"].changed else "unchanged, nothing committed"
    return Outcome(f"{cluster} {day}: {advised} changes advised for {len(rows)} rows of advice, {what}")


def advice_of(
    warehouse: Warehouse, rules: Rightsizing, cluster: str, day: Day, policy: str | None = None
) -> pa.Table:
    """Rows of `advice`, from the days of the window up to this one; `policy`: another rule than that of `rules`."""
    name, days = policy or rules.policy, max(1, rules.window_ms // DAY_MS)
    subjects = subjects_of(warehouse, cluster, day, days)
    proposals = proposals_of(name, subjects)
    if not subjects.lately.any():
        return empty("advice")
    hours = 24 * subjects.floats("days")
    silences = silences_of(subjects, day.date, rules)
    held = advised_before(warehouse, cluster, day, days, name, subjects)
    costs = costs_of(warehouse, cluster, day, days, subjects)
    bounds = {resource: bounds_of(rules, resource) for resource in ADVISED}
    present = {
        resource: present_of(subjects, resource, silences[resource], held[resource]) for resource in ADVISED
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
                silences[resource],
            ),
            hours,
            common,
        )
        for resource in ADVISED
    ]  # fmt: skip
    return ordered("advice", pa.concat_tables(parts))
