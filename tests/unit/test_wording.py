from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.render.wording import Cause, Contribution, DayCost, change_note, find_cause, headline

SUNDAY = DayCost(
    cluster="prod",
    when=date(2026, 11, 22),
    currency="USD",
    total=Decimal(6708),
    usual=Decimal(6211),
    previous=Decimal(6500),
    first=date(2026, 10, 1),
    complete=True,
    coverage=0.99,
    unpriced_nodes=0,
)
JOB = Cause("workload", "nlp", "Job", "train-llm", "gpu", Decimal(412), Decimal(1200), Decimal(788))
ON = "on Sunday, 22 November 2026"


@pytest.mark.parametrize(
    ("day", "cause", "sentence"),
    [
        (SUNDAY, JOB, (f"Cluster prod cost $6,708 {ON}, $497 (8%) more than a usual Sunday, "
  "led by GPU cost of nlp's Job train-llm (+$412).")),
        (SUNDAY, None, f"Cluster prod cost $6,708 {ON}, $497 (8%) more than a usual Sunday."),
        (replace(SUNDAY, total=Decimal(5000)), replace(JOB, change=Decimal(-900)),
         (f"Cluster prod cost $5,000 {ON}, $1,211 (19%) less than a usual Sunday, "
          "led by GPU cost of nlp's Job train-llm (−$900).")),
        (replace(SUNDAY, total=Decimal(5000)), replace(JOB, change=Decimal(-788), cost=Decimal(0)),
         (f"Cluster prod cost $5,000 {ON}, $1,211 (19%) less than a usual Sunday, "
          "led by GPU cost of nlp's Job train-llm (−$788, gone).")),
        (SUNDAY, Cause("workload", "speech", "", "", "", Decimal(400), Decimal(400), Decimal(0)),
         f"Cluster prod cost $6,708 {ON}, $497 (8%) more than a usual Sunday, led by team speech (+$400, new)."),
        (SUNDAY, replace(JOB, team="unallocated", resource=""),
         f"Cluster prod cost $6,708 {ON}, $497 (8%) more than a usual Sunday, led by Job train-llm (+$412)."),
        (SUNDAY, replace(JOB, team="unallocated", workload=""),
         (f"Cluster prod cost $6,708 {ON}, $497 (8%) more than a usual Sunday, "
          "led by GPU cost of workloads without a team (+$412).")),
        (SUNDAY, Cause("idle", "", "", "", "gpu", Decimal(400), Decimal(500), Decimal(100)),
         f"Cluster prod cost $6,708 {ON}, $497 (8%) more than a usual Sunday, led by idle GPU capacity (+$400)."),
        (SUNDAY, Cause("system", "", "", "", "", Decimal("42.5"), Decimal(50), Decimal("7.5")),
         (f"Cluster prod cost $6,708 {ON}, $497 (8%) more than a usual Sunday, "
          "led by capacity kept for the system (+$42.50).")),
        (replace(SUNDAY, total=Decimal(6250)), JOB, f"Cluster prod cost $6,250 {ON}, much like a usual Sunday ($6,211)."),
        (replace(SUNDAY, usual=None, previous=None, first=date(2026, 11, 22)), None,
         f"Cluster prod cost $6,708 {ON}, the first day in the lake: there is nothing to compare it with yet."),
        (replace(SUNDAY, usual=None), None,
         (f"Cluster prod cost $6,708 {ON}, after $6,500 the day before; "
          "no Sunday of the last four weeks is there to compare it with.")),
        (replace(SUNDAY, usual=None, previous=None), None,
         f"Cluster prod cost $6,708 {ON}; the lake has no Sunday of the last four weeks to compare it with."),
        (replace(SUNDAY, complete=False, coverage=0.71), JOB,
         (f"Cluster prod cost $6,708 {ON}, $497 (8%) more than a usual Sunday, "
          "led by GPU cost of nlp's Job train-llm (+$412). "
         "The day is incomplete: usage was observed for only 71% of the time.")),
        (replace(SUNDAY, total=Decimal(0)), None, f"Cluster prod cost nothing {ON}, against $6,211 on a usual Sunday."),
        (replace(SUNDAY, total=Decimal(0), usual=Decimal(0)), None, f"Cluster prod cost nothing {ON}, as is usual."),
        (replace(SUNDAY, total=Decimal(0), usual=None, first=date(2026, 11, 22)), None,
         f"Cluster prod cost nothing {ON}, the first day in the lake: there is nothing to compare it with yet."),
        (replace(SUNDAY, usual=Decimal(0)), JOB,
         f"Cluster prod cost $6,708 {ON}; a usual Sunday costs nothing, led by GPU cost of nlp's Job train-llm (+$412)."),
        (replace(SUNDAY, total=None), None, f"What cluster prod cost {ON} is not known: none of its nodes has a price."),
        (replace(SUNDAY, total=Decimal(6250), unpriced_nodes=1), None,
         (f"Cluster prod cost $6,250 {ON}, much like a usual Sunday ($6,211). "
          "Not all of it is counted: 1 node has a resource without a known price.")),
        (replace(SUNDAY, total=Decimal(6250), currency="CHF"), None,
         f"Cluster prod cost 6,250 CHF {ON}, much like a usual Sunday (6,211 CHF)."),
    ],
    ids=["up", "up_without_cause", "down", "down_gone", "new_team", "unowned_job", "unowned", "idle", "system", "flat", "first_day",
         "no_usual_weekday", "no_history", "incomplete", "zero", "zero_as_usual", "zero_first_day", "usual_is_zero",
         "no_price", "partly_priced", "another_currency"],
)  # fmt: skip
def test_headline(day: DayCost, cause: Cause | None, sentence: str) -> None:
    assert headline(day, cause) == sentence


def test_the_printed_change_is_the_difference_of_the_printed_amounts() -> None:
    day = replace(SUNDAY, total=Decimal("200.6"), usual=Decimal("150.4"))  # 50.2 apart, printed 201 and 150
    assert headline(day).startswith(f"Cluster prod cost $201 {ON}, $51 (34%) more")


@pytest.mark.parametrize(
    ("day", "note"),
    [
        (SUNDAY, "+$497 (+8%) on a usual Sunday"),
        (replace(SUNDAY, total=Decimal(5000)), "−$1,211 (−19%) on a usual Sunday"),
        (replace(SUNDAY, total=Decimal(6250)), "as on a usual Sunday ($6,211)"),
        (replace(SUNDAY, usual=None), "no usual Sunday yet"),
        (replace(SUNDAY, usual=None, first=date(2026, 11, 22)), "first day in the lake"),
        (replace(SUNDAY, total=None), "no price is known"),
    ],
)
def test_note_of_the_tile(day: DayCost, note: str) -> None:
    assert change_note(day) == note


def row(
    team: str, workload: str, resource: str, cost: int, usual: int, kind: str = "workload"
) -> Contribution:
    return Contribution(kind, team, "Job", workload, "ns", resource, Decimal(cost), Decimal(usual))


def test_the_cause_is_as_narrow_as_most_of_the_change_allows() -> None:
    rows = [
        row("a", "x", "gpu", 90, 10),
        row("a", "x", "cpu", 20, 10),
        row("a", "y", "gpu", 20, 10),
        row("b", "z", "gpu", 50, 20),
    ]
    assert find_cause(rows, Decimal(100)) == Cause(
        "workload", "a", "Job", "x", "gpu", Decimal(80), Decimal(90), Decimal(10)
    )


def test_a_team_is_named_where_no_workload_carries_half_of_its_change() -> None:
    rows = [row("a", name, "gpu", 20, 10) for name in "xyz"]
    cause = find_cause(rows, Decimal(30))
    assert cause == Cause("workload", "a", "", "", "gpu", Decimal(30), Decimal(60), Decimal(30))


def test_what_moved_against_the_change_is_no_cause() -> None:
    assert find_cause([row("a", "x", "gpu", 10, 90)], Decimal(5)) is None
    assert find_cause([], Decimal(5)) is None
    assert find_cause([row("a", "x", "gpu", 90, 10)], Decimal(0)) is None


@given(
    st.lists(
        st.builds(
            row, st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from(["gpu", "cpu"]),
            st.integers(0, 1000), st.integers(0, 1000), st.sampled_from(["workload", "idle"]),
        ),
        min_size=1, max_size=12,
    ),
    st.randoms(),
)  # fmt: skip
def test_the_cause_moved_the_day_in_its_direction_whatever_the_order(rows, random) -> None:  # type: ignore[no-untyped-def]
    change = sum((each.change for each in rows), Decimal(0))
    cause = find_cause(rows, change)
    shuffled = rows[:]
    random.shuffle(shuffled)
    assert find_cause(shuffled, change) == cause
    if change:
        assert cause is not None
        assert cause.change * change > 0
        assert cause.change == cause.cost - cause.usual
