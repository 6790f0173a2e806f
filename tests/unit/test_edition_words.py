"""What an edition says of a period: every case that there is, in the words that a reader gets."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.domain.dates import named_window
from costlab.render.edition_words import Compared, PeriodCost, change_note, days_named, headline, why_not
from costlab.render.wording import Cause

D = Decimal
TRAIN = Cause("workload", "nlp", "Job", "train", "gpu", D(40), D(140), D(100))
DEARER = Cause("workload", "nlp", "Job", "train", "gpu", D(40), D(140), D(100), D(30))


def told(name: str, now: str | None, before: str | None, **more: object) -> Compared:
    """A period and the one before, by their costs; days that lack are given as days of their months."""
    window = named_window(name)
    assert window
    lacking = {
        key: tuple(date.fromisoformat(day) for day in str(more.pop(key)).split()) if key in more else ()
        for key in ("missing", "incomplete", "open", "missing_before", "open_before")
    }
    return Compared(
        "prod",
        "USD",
        PeriodCost(
            window, D(now) if now else None, lacking["missing"], lacking["incomplete"], lacking["open"]
        ),
        PeriodCost(
            window.before,
            D(before) if before else None,
            lacking["missing_before"],
            (),
            lacking["open_before"],
        ),
        **{"first": date(2026, 1, 1), **more},  # type: ignore[arg-type]
    )


WEEK_BEFORE = " ".join(f"2026-11-{day:02}" for day in range(9, 16))
CASES = {
    "up": (
        told("2026-W47", "1140", "1000"),
        TRAIN,
        (
            "Cluster prod cost $1,140 in week 47 of 2026, $140 (14%) more than in the week before, led by GPU cost of nlp's "
            "Job train (+$40.00)."
        ),
        "+$140 (+14%) on the week before",
    ),
    "another price": (
        told("2026-W47", "1140", "1000"),
        DEARER,
        (
            "Cluster prod cost $1,140 in week 47 of 2026, $140 (14%) more than in the week before, led by GPU cost of nlp's "
            "Job train (+$40.00, at a higher price)."
        ),
        "+$140 (+14%) on the week before",
    ),
    "down": (
        told("2026-W47", "750", "1000"),
        None,
        "Cluster prod cost $750 in week 47 of 2026, $250 (25%) less than in the week before.",
        "−$250 (−25%) on the week before",
    ),
    "flat": (
        told("2026-W47", "1010", "1000"),
        TRAIN,
        "Cluster prod cost $1,010 in week 47 of 2026, much like the week before ($1,000).",
        "as in the week before ($1,000)",
    ),
    # The same cost of a day: 30 days against 31 are no change, although the sums differ by 3 %.
    "a shorter month": (
        told("2026-11", "3000", "3100"),
        None,
        "Cluster prod cost $3,000 in November 2026 ($100 a day), much like October ($100 a day).",
        "$100 a day, as in October ($100)",
    ),
    "a dearer month": (
        told("2026-03", "3410", "2800"),
        TRAIN,
        (
            "Cluster prod cost $3,410 in March 2026 ($110 a day), $10 a day (10%) more than in February, led by GPU cost of "
            "nlp's Job train (+$40.00 a day)."
        ),
        "$110 a day, +$10 (+10%) on February",
    ),
    "from nothing": (
        told("2026-W47", "1140", "0"),
        TRAIN,
        (
            "Cluster prod cost $1,140 in week 47 of 2026; the week before cost nothing, led by GPU cost of nlp's Job train "
            "(+$40.00)."
        ),
        "+$1,140 on the week before",
    ),
    "to nothing": (
        told("2026-W47", "0", "1000"),
        None,
        "Cluster prod cost nothing in week 47 of 2026, against $1,000 in the week before.",
        "−$1,000 (−100%) on the week before",
    ),
    "first": (
        told("2026-W47", "1140", None, missing_before=WEEK_BEFORE, first=date(2026, 11, 16)),
        None,
        (
            "Cluster prod cost $1,140 in week 47 of 2026, the first week in the lake: there is nothing to compare it with "
            "yet."
        ),
        "the first week in the lake",
    ),
    "after a gap": (
        told("2026-W47", "1140", None, missing_before=WEEK_BEFORE),
        None,
        "Cluster prod cost $1,140 in week 47 of 2026; the lake has no day of the week before to compare it with.",
        "nothing is known of the week before",
    ),
    "a day is missing": (
        told("2026-W47", "1140", "1000", missing="2026-11-18"),
        TRAIN,
        (
            "Cluster prod cost $1,140 in week 47 of 2026, as far as is known: 18 November is missing, not counted, and so "
            "nothing is compared."
        ),
        "1 day is missing",
    ),
    "a day of the week before is missing": (
        told("2026-W47", "1140", "1000", missing_before="2026-11-10 2026-11-11 2026-11-14"),
        TRAIN,
        (
            "Cluster prod cost $1,140 in week 47 of 2026; it is not compared with the week before, of which 10 to 11 November "
            "and 14 November are missing."
        ),
        "of the week before 3 days are missing",
    ),
    "badly observed": (
        told("2026-W47", "1140", "1000", incomplete="2026-11-18", unpriced_charges=2),
        None,
        (
            "Cluster prod cost $1,140 in week 47 of 2026, $140 (14%) more than in the week before. Usage was observed for too "
            "little of 18 November. Not all of it is counted: 2 charges have no known price."
        ),
        "+$140 (+14%) on the week before",
    ),
    "nodes that said nothing": (
        told("2026-W47", "1140", "1000", open="2026-11-18"),
        None,
        (
            "Cluster prod cost $1,140 in week 47 of 2026; it is not compared with the week before. Idle capacity of 18 "
            "November is not in it: what the nodes had is not known."
        ),
        "idle capacity is not known of all days",
    ),
    "another currency": (
        told("2026-11", "3000", None, other_currency="EUR"),
        None,
        "Cluster prod cost $3,000 in November 2026 ($100 a day); October is in EUR, and not compared.",
        "$100 a day, October is in EUR",
    ),
    "no price": (
        told("2026-W47", None, "1000"),
        None,
        "What cluster prod cost in week 47 of 2026 is not known: none of its nodes has a price.",
        "no price is known",
    ),
    "no price before": (
        told("2026-W47", "1140", None),
        None,
        "Cluster prod cost $1,140 in week 47 of 2026; it is not compared with the week before, of which no price is known.",
        "no price is known of the week before",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_period_is_told_in_these_words(case: str) -> None:
    compared, cause, sentence, note = CASES[case]
    assert headline(compared, cause) == sentence
    assert change_note(compared) == note


days = st.dates(date(2026, 11, 1), date(2026, 11, 30))


@given(
    st.sampled_from(["2026-W47", "2026-11"]),
    *[st.none() | st.decimals(0, 10**9, places=6) for _ in range(2)],
    *[st.sets(days, max_size=3) for _ in range(3)],
)
def test_no_percentage_is_told_where_a_day_is_missing(
    name: str,
    now: Decimal | None,
    before: Decimal | None,
    missing: set[date],
    missing_before: set[date],
    opened: set[date],
) -> None:
    window = named_window(name)
    assert window
    compared = Compared(
        "prod",
        "USD",
        PeriodCost(window, now, tuple(sorted(missing)), (), tuple(sorted(opened))),
        PeriodCost(window.before, before, tuple(sorted(missing_before))),
        date(2026, 1, 1),
    )
    said = headline(compared, TRAIN) + change_note(compared)
    whole = now is not None and before is not None and not (missing or missing_before or opened)
    assert compared.comparable == whole == (why_not(compared) == "")
    assert whole or "%" not in said
    if compared.change is not None and compared.usual is not None and compared.amount is not None:
        printed = [amount.quantize(compared.step) for amount in (compared.amount, compared.usual)]
        assert printed[0] - printed[1] == compared.change


def test_days_are_named_in_runs_and_few_of_many() -> None:
    assert days_named([]) == ""
    assert days_named([date(2026, 10, 31), date(2026, 11, 1)]) == "31 October to 1 November"
    odd = [date(2026, 11, day) for day in range(1, 20, 2)]
    assert days_named(odd) == "1 November, 3 November, 5 November and 7 other days"
