"""Every named query: its form, its answer on an empty lake, and its cases."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from query_cases import rows, same, tables

from costlab import shipped
from costlab.store.warehouse import Warehouse

CASES = Path(__file__).with_name("cases")
FILES = sorted(shipped.folder("queries").rglob("*.sql"))
NAMED = [file for file in FILES if file.parent.name != "staging"]
PARAMETERS: dict[str, Any] = {
    "cluster": "c", "day": "2026-11-22", "days": 3, "most": 2,
    "start": "2026-11-22", "until": "2026-11-23", "timezone": "UTC", "provider": "Kubernetes",
    "policy": "costlab", "namespace": "", "team": "", "against": "",
}  # fmt: skip
OF_COSTS: dict[str, Any] = {
    **dict.fromkeys(("cluster", "namespace", "team", "labels", "namespaces", "teams"), ""),
    "start": "2026-11-22",
    "until": "2026-11-23",
    "by": "namespace",
    "share_idle": "none",
    "fees": "false",
    "method": "cost",
    "across": "cluster",
}
OF_ENERGY: dict[str, Any] = {
    **{name: OF_COSTS[name] for name in ("cluster", "namespace", "team", "start", "until", "by")},
    "clusters": "prod",
    "grams": "748.8",
}
OF_PAST = {name: OF_COSTS[name] for name in ("cluster", "namespace", "team", "start", "until")}
OF_SUGGESTIONS: dict[str, Any] = {
    **{name: PARAMETERS[name] for name in ("cluster", "day", "days")},
    "headroom": 0.15,
    **{name: [] for name in ("owners", "resources", "levels", "uppers", "after_p99", "after_peak")},
}
OF_QUERIES = {
    "quota_suggestions": OF_SUGGESTIONS,
    "startups": {
        "cluster": "c",
        "dates": ["2026-11-21", "2026-11-22"],
        "midnights_ms": [1795219200000, 1795305600000],
    },
    "subject_days": {**OF_PAST, "by": "team"},
    "audit": OF_PAST,
    "costs": OF_COSTS,
    "cost_history": {**OF_PAST, "by": "team"},
    "energy_use": OF_ENERGY,
    "requested_days": OF_PAST,
    "what_if": {
        **{name: OF_COSTS[name] for name in ("cluster", "start", "until", "by")},
        **dict.fromkeys(("cpu_core_hour", "memory_gib_hour", "storage_gib_hour", "gpu_hour"), ""),
        "gpu_models": "{}",
    },
    "gpu_hours": OF_PAST,
    "pod_requests": {**{name: OF_COSTS[name] for name in ("start", "until")}, "cluster": "c", "pools": []},
    "workload_hours": {**OF_PAST, "workload": ""},
}


def names(files: list[Path]) -> list[str]:
    return [file.stem for file in files]


def statement(file: Path) -> duckdb.Statement:
    (only,) = duckdb.extract_statements(file.read_text())
    return only


def arguments(file: Path, given: dict[str, str] | None = None) -> dict[str, Any]:
    usual = OF_QUERIES.get(file.stem, PARAMETERS)
    return {name: (given or {}).get(name, usual[name]) for name in statement(file).named_parameters}


def header(file: Path) -> dict[str, str]:
    comment = file.read_text().partition("*/")[0]
    return dict(re.findall(r"^(grain|inputs|params|units): (.+)$", comment, flags=re.MULTILINE))


@pytest.mark.parametrize("file", FILES, ids=names(FILES))
def test_a_query_says_what_it_is_and_is_one_ordered_select(file: Path) -> None:
    text = file.read_text()
    body = text.partition("*/")[2]
    said = header(file)
    assert text.startswith("/* ")
    assert set(said) == {"grain", "inputs", "params", "units"}
    assert statement(file).type == duckdb.StatementType.SELECT
    params = set() if said["params"] == "none" else set(said["params"].split(", "))
    assert params == statement(file).named_parameters
    assert set(re.findall(r"\b(?:from|join) (\w+)", body)) >= set(said["inputs"].split(", "))
    assert "*" not in re.sub(r"count\(\*\)|\*columns\(| \* ", "", body), "columns are listed"
    assert re.search(r"^order by\b", body, flags=re.MULTILINE)
    assert not re.search(r"\b(?:SELECT|FROM|WHERE|GROUP|ORDER|JOIN)\b", body), "keywords are in lower case"
    if file.parent.name == "staging":
        assert params == set(), "a view takes no parameters"


def test_names_of_queries_are_unique() -> None:
    assert len(set(names(FILES))) == len(FILES)


@pytest.mark.parametrize("file", NAMED, ids=names(NAMED))
def test_a_query_answers_on_an_empty_lake(file: Path, tmp_path: Path) -> None:
    answer = Warehouse.over_tables(tables(tmp_path)).query(file.stem, **arguments(file))
    always = {
        "daily_costs": 3,
        "month_costs": 31 + 22,
        "costs": 1,
        "energy_use": 1,
        "what_if": 1,
    }  # days of a calendar; a total
    assert answer.num_rows == always.get(file.stem, 0)


def test_every_named_query_has_a_case() -> None:
    assert {folder.name for folder in CASES.iterdir()} == set(names(NAMED))


def test_every_check_is_seen_to_find_something_guilty() -> None:
    for file in NAMED:
        if file.parent.name == "checks":
            assert any(rows(case / "expected.csv") for case in (CASES / file.stem).iterdir()), file.stem


@pytest.mark.parametrize(
    "case", sorted(CASES.glob("*/*")), ids=lambda case: f"{case.parent.name}-{case.name}"
)
def test_a_query_gives_what_its_case_expects(case: Path) -> None:
    (file,) = [each for each in NAMED if each.stem == case.parent.name]
    given = {row["name"]: row["value"] for row in rows(case / "params.csv")}
    answer = Warehouse.over_tables(tables(case)).query(file.stem, **arguments(file, given)).to_pylist()
    expected = rows(case / "expected.csv")
    assert (case / "expected.csv").exists()
    compared = [{name: row[name] for name in want} for row, want in zip(answer, expected, strict=False)]
    assert len(answer) == len(expected), answer
    for got, want in zip(compared, expected, strict=True):
        assert all(same(want[name], got[name]) for name in want), f"{got} is not {want}"


def test_a_day_of_the_calendar_is_a_date() -> None:
    file = next(file for file in NAMED if file.stem == "daily_costs")
    answer = Warehouse.over_tables(tables(CASES / "none")).query(file.stem, **arguments(file)).to_pylist()
    assert [row["date"] for row in answer] == [date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)]
    assert {row["status"] for row in answer} == {"missing"}
