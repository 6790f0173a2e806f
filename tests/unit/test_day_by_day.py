"""Asked about one day after another, a lake gives the answers that it gives to each question alone."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from world import CLUSTER, LAST_DAY, world

from costlab.domain.dates import Dates
from costlab.store.day_by_day import DayByDay
from costlab.store.warehouse import Warehouse

DAYS = [LAST_DAY - timedelta(days=ago) for ago in range(40)]
EVERYONE: dict[str, Any] = {"cluster": "", "namespace": "", "team": ""}


def questions(day: date, cluster: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is asked of a day: what is cut from wider answers, also of a window that begins before them, and what is not."""
    yield "team_days", {"cluster": cluster, "day": str(day), "days": 30}
    yield "team_days", {"cluster": cluster, "day": str(day), "days": 3}
    until = day + timedelta(days=1)
    for by in ("team", "workload"):
        yield "subject_days", {"start": day - timedelta(days=59), "until": until, "by": by, **EVERYONE}
    yield "subject_days", {"start": date(2020, 1, 1), "until": until, "by": "team", **EVERYONE}
    for query in ("headline", "month_costs", "day_findings"):
        yield query, {"cluster": cluster, "day": str(day)}
    yield "daily_costs", {"cluster": cluster, "day": str(day), "days": 30}
    yield "volume_history", {"cluster": cluster, "day": str(day), "days": 90}


@pytest.mark.parametrize("span", [Dates(DAYS[-1], LAST_DAY + timedelta(days=1)), Dates(DAYS[9], DAYS[3])])
def test_answers_are_those_of_questions_asked_alone(span: Dates) -> None:
    tables = world()
    alone, together = Warehouse.over_tables(tables), DayByDay(Warehouse.over_tables(tables), span)
    told = 0
    for day in (DAYS[8], DAYS[5], LAST_DAY, DAYS[-1]):
        for query, params in questions(day, CLUSTER):
            rows = alone.query(query, **params)
            assert together.query(query, **params).equals(rows), (query, day)
            told += rows.num_rows
    assert told
