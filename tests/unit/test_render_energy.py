"""The report's energy: what is said of it, and that the printed rows give the printed total."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.config.charging import Energy
from costlab.render.cells import Row
from costlab.render.energy import TEAMS_SHOWN, energy, lead

NAMES = ("gpu_kwh", "cpu_memory_kwh", "energy_kwh", "co2_kg")


def row(team: str, gpu: float | None, cpu: float | None = None, coverage: float | None = 1.0) -> Row:
    known = [part for part in (gpu, cpu) if part is not None]
    kwh = sum(known) if known else None
    of_all = {"energy_kwh": kwh, "co2_kg": None if kwh is None else kwh * 0.7488}
    return {"team": team, "gpu_kwh": gpu, "cpu_memory_kwh": cpu, **of_all, "coverage": coverage}


@pytest.mark.parametrize(
    ("total", "of", "said"),
    [
        (row("(total)", 250.0, coverage=0.93), Energy(),
         ("250 kWh, and 187 kg of CO2 at 480 g a kWh and a PUE of 1.56 (averages of the world). "
         "Measured are GPUs for 93% of their time; nothing tells of CPU and memory.")),
        (row("(total)", 30.0, 6.0), Energy(grams_co2_per_kwh=56, pue=1.1),
         ("36.0 kWh, and 27.0 kg of CO2 at 56 g a kWh and a PUE of 1.1 (as configured). "
         "Measured are GPUs, CPU and memory for 100% of their time.")),
        (row("(total)", None, 6.0, None), Energy(grams_co2_per_kwh=56),
         ("6.00 kWh, and 4.49 kg of CO2 at 56 g a kWh (as configured) and a PUE of 1.56 (the world’s average). "
         "Measured are CPU and memory; nothing tells of GPUs.")),
        (row("(total)", None), Energy(), ""),
    ],
)  # fmt: skip
def test_what_was_measured_is_said_and_what_was_not(total: Row, of: Energy, said: str) -> None:
    assert lead(total, of) == said


@given(st.lists(st.tuples(st.floats(0, 1e5), st.none() | st.floats(0, 1e3)), min_size=1, max_size=12))
def test_printed_rows_give_the_printed_total(used: list[tuple[float, float | None]]) -> None:
    teams = [row(f"team-{place}", *each) for place, each in enumerate(used)]
    teams.append(row("(nobody)", 12.0, coverage=None))
    sums: Row = {
        name: sum(known) if (known := [r[name] for r in teams if r[name] is not None]) else None
        for name in NAMES
    }
    table = energy([*teams, {"team": "(total)", **sums, "coverage": 0.5}], Energy()).table
    assert len(table.rows) == min(len(used), TEAMS_SHOWN)
    assert [line[0].text for line in table.rest][-1] == "Nobody"
    for place in range(1, len(table.columns) - 1):
        parts = [line[place].text for line in (*table.rows, *table.rest)]
        exact = [Decimal(text.replace(",", "")) for text in parts if text[0].isdigit()]
        assert sum(exact) == Decimal(table.total[place].text.replace(",", ""))


def test_nothing_measured_is_no_nought() -> None:
    section = energy([row("nlp", None, None, 0.0), row("(total)", None, None, 0.0)], Energy())
    assert section.table.rows == ()
    assert section.empty.startswith("Not measured")
