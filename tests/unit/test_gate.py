"""Advice beside an earlier answer, and above a bound."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.errors import ConfigError
from costlab.jobs.rightsizing.gate import KEY, SCHEMA, FailOn, baseline, differences


def row(
    workload: str, proposed: float | None, gross: str | None, limit: float | None = None
) -> dict[str, Any]:
    names = {**dict.fromkeys(KEY, "x"), "workload": workload}
    money = {"monthly_saving_gross": gross, "monthly_saving_net": gross}
    return {**names, "proposed_request": proposed, "proposed_limit": limit, **money}


answers = st.dictionaries(
    st.sampled_from("abc"), st.tuples(st.sampled_from([None, 1.0, 2.0]), st.sampled_from([None, 3.0]))
).map(
    lambda found: [
        row(name, request, "1" if request else None, limit) for name, (request, limit) in found.items()
    ]
)


@given(answers, answers)
def test_what_differs_makes_the_later_of_the_earlier(
    before: list[dict[str, Any]], now: list[dict[str, Any]]
) -> None:
    def advised(rows: list[dict[str, Any]]) -> dict[str, tuple[float, float | None]]:
        return {
            r["workload"]: (r["proposed_request"], r["proposed_limit"]) for r in rows if r["proposed_request"]
        }

    found = advised(before)
    for change in differences(now, before):
        name, what = change["workload"], change["difference"]
        assert (what == "new") == (name not in advised(before))
        if what == "gone":
            del found[name]
        else:
            found[name] = (change["proposed_request"], change["proposed_limit"])
    assert found == advised(now)
    assert differences(now, now) == []


def test_bounds_are_of_cuts_of_raises_and_of_changes() -> None:
    rows = [row("a", 1, "10.5"), row("b", 2, "-3"), row("c", None, None), row("d", None, "4")]
    reached = {
        text: FailOn.parse(f"{text} > 1.5").reached(rows) for text in ("savings", "net", "raises", "changes")
    }
    assert reached == {"savings": Decimal("14.5"), "net": Decimal("14.5"), "raises": 3, "changes": 3}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"schema": "costlab.cost/1", "rows": []},
        {"schema": SCHEMA, "rows": {}},
        {"schema": SCHEMA, "rows": [{"cluster": "c"}]},
        {"schema": SCHEMA, "rows": [{**row("a", 1, "much")}]},
        {"schema": SCHEMA, "rows": [{**row("a", 1, "1"), "cluster": 7}]},
    ],
)
def test_what_is_no_earlier_answer_is_refused(document: object) -> None:
    with pytest.raises(ConfigError, match=r"b\.json (is no answer|has a row that is no advice)"):
        baseline(document, "b.json")
