"""Suggested quotas by SQL, and by their definition in plain fractions."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import Any

import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from costlab.store.schema import conform
from costlab.store.warehouse import Warehouse

DAY = date(2026, 11, 22)
HOURS = [
    datetime(2026, 11, 10, tzinfo=UTC) + timedelta(days=day, hours=hour)
    for day in range(13)
    for hour in range(8)
]
Demand = dict[int, int]  # quarters, by the place of the hour

# What is asked for in some of the hours; one namespace, `other`, is there in all of them.
demands = st.dictionaries(st.integers(0, len(HOURS) - 1), st.integers(1, 60), min_size=1, max_size=30)
levels = st.lists(st.integers(0, 80), max_size=3)


def suggest(
    demand: Demand, hard: int | None, told: int | None, ahead: list[int], headroom: float
) -> list[dict[str, Any]]:
    asked = [("other", HOURS[i], 1.0) for i in range(len(HOURS))]
    asked += [("ns", HOURS[i], quarters / 4) for i, quarters in demand.items()]
    tables = {
        "demand": conform(
            "demand",
            {
                "cluster": "c", "date": [hour.date() for _, hour, _ in asked],
                "namespace": [namespace for namespace, _, _ in asked], "resource": "cpu",
                "hour": pa.array([hour for _, hour, _ in asked], pa.timestamp("us", "UTC")),
                "requests_max": [most for *_, most in asked], "requests_mean": 0.0,
                **dict.fromkeys(("limits_max", "limits_mean"), pa.nulls(len(asked), pa.float64())),
                **dict.fromkeys(("usage_max", "usage_mean", "usage_coverage"), pa.nulls(len(asked), pa.float64())),
            },
        )
    }  # fmt: skip
    if hard is not None:
        used = float("nan") if told is None else told / 4
        tables["quotas"] = conform(
            "quotas",
            {"cluster": "c", "date": [DAY], "namespace": "ns", "quota": "q", "resource": "requests.cpu",
             "hard": hard / 4, "used_mean": used, "used_max": used},
        )  # fmt: skip
    answer = Warehouse.over_tables(tables).query(
        "quota_suggestions", cluster="c", day=str(DAY), days=13, headroom=headroom, owners=["ns"],
        resources=["requests.cpu"], levels=[[level / 4 for level in ahead]], uppers=[[]],
        after_p99=[None], after_peak=[None],
    )  # fmt: skip
    return [row for row in answer.to_pylist() if row["namespace"] == "ns"]


def by_definition(
    demand: Demand, hard: int | None, told: int | None, ahead: list[int], headroom: Fraction
) -> tuple[Fraction, str]:
    """What is suggested, in cores, and why."""
    hours = sorted(Fraction(demand.get(i, 0), 4) for i in range(len(HOURS)))
    p99 = hours[ceil(Fraction(99, 100) * len(hours)) - 1]
    seen = Fraction(told or 0, 4)
    now = max(seen, *(Fraction(demand.get(i, 0), 4) for i in range(len(HOURS)) if HOURS[i].date() == DAY))
    peak, need = max(seen, hours[-1]), max(p99, *(Fraction(level, 4) for level in [0, *ahead]))
    limit = None if hard is None else Fraction(hard, 4)
    reached = limit is not None and now >= limit
    least = max(
        1, ceil(max(now, peak, need * (1 + headroom), limit * (1 + headroom) if limit and reached else 0))
    )
    if limit is None:
        return Fraction(least), "no_quota"
    if reached:
        reason = "exhausted"
    elif any(Fraction(level, 4) > limit for level in ahead):
        reason = "runs_out"
    elif least > limit:
        reason = "too_tight"
    else:
        reason = "fits" if limit <= least * Fraction(5, 4) else "over_large"
    return limit if reason == "fits" else Fraction(least), reason


@settings(max_examples=30)
@given(
    demands,
    st.none() | st.integers(1, 90),
    st.none() | st.integers(0, 90),
    levels,
    st.sampled_from([0, 1, 4]),
)
def test_suggestions_are_the_definition(
    demand: Demand, hard: int | None, told: int | None, ahead: list[int], eighths: int
) -> None:
    assume(hard is not None or any(HOURS[i].date() > DAY - timedelta(days=7) for i in demand))
    (row,) = suggest(demand, hard, told, ahead, eighths / 8)
    told = None if hard is None else told
    suggested, reason = by_definition(demand, hard, told, ahead, Fraction(eighths, 8))
    assert (row["suggested_hard"], row["reason"]) == (suggested, reason)
    assert row["suggested_hard"] >= row["used_now"]
    if row["exhausted_on"] is not None:
        place = (row["exhausted_on"] - DAY).days - 1
        assert [level > (hard or 0) for level in ahead][: place + 1] == [False] * place + [True]


@settings(max_examples=5)
@given(demands, st.integers(1, 90))
def test_a_namespace_that_is_left_asks_for_no_quota(demand: Demand, hard: int) -> None:
    long_ago = {i: quarters for i, quarters in demand.items() if HOURS[i].date() <= DAY - timedelta(days=7)}
    assert suggest(long_ago, None, None, [], 0.15) == []
    assert [row["hard_now"] for row in suggest(long_ago, hard, 0, [], 0.15)] == [hard / 4]
