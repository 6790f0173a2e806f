"""An explanation's numbers come out of the lake's rows, and its words and figure out of the numbers."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import yaml
from test_manifests import advice
from typer.testing import CliRunner, Result

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.domain.errors import ConfigError
from costlab.jobs.asked import Filters
from costlab.jobs.rightsizing.explain import explained, explanation_table
from costlab.jobs.rightsizing.named import Wanted, advice_named
from costlab.render.explanation import Explanation, as_markdown, text
from costlab.render.explanation_chart import drawn
from costlab.store.lake import Lake
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

LAST = date(2026, 11, 20)
HALF_CORE = 0x3F000000 >> 17  # the upper bits of float32
HOUR = 3_600_000


def profile(days_ago: int, key: int, peak: float, hours: int = 1) -> dict[str, Any]:
    """A replica's day of 24 hours, half of them seen: at its peak for some hours, else at half a core."""
    top = int(pa.array([peak], pa.float32()).view(pa.int32())[0].as_py()) >> 17
    spent = {HALF_CORE: (24 - hours) * HOUR, top: hours * HOUR}
    known = {
        "cluster": "prod", "date": LAST - timedelta(days=days_ago), "container_key": key, "namespace": "shop",
        "workload_kind": "Deployment", "workload": "api", "pod": f"api-{key}", "container": "web", "resource": "cpu",
        "occupied_s": 86400.0, "observed_s": 43200.0, "max": peak, "sketch_buckets": sorted(spent),
        "sketch_ms": [spent[bucket] for bucket in sorted(spent)],
    }  # fmt: skip
    return known | dict.fromkeys(("mean", "p50", "p90", "p95", "p99"), 0.5)


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=arrow_schema(name))


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    rows = [
        advice(workload="api", replicas=2.0),
        advice(date=LAST - timedelta(days=1), proposed_request=9.0),
        advice(workload="ray", workload_kind="RayCluster", namespace="ml", team="ml", reason="hpa_managed",
               proposed_request=None, monthly_saving_gross=None, monthly_saving_net=None, violation_rate=None),
    ]  # fmt: skip
    profiles = [profile(ago, key, 1.0 if ago != 3 or key != 1 else 1.5) for ago in range(6) for key in (1, 2)]
    profiles[4] = profile(2, 1, 1.5, 12)
    charge = {
        "cluster": "prod", "date": LAST, "kind": "workload", "resource": "cpu", "namespace": "shop",
        "workload_kind": "Deployment", "workload": "api", "container": "web",
    }  # fmt: skip
    charges = [
        charge | {"billed_quantity": 30.0, "unit_price": 0.1},
        charge | {"billed_quantity": 10.0, "unit_price": 0.5},
    ]
    raw = {"cluster": "prod", "date": LAST, "container_key": 1, "dt_s": 60.0, "memory_bytes": float("nan")}
    at = datetime(2026, 11, 20, 3, tzinfo=UTC)
    used = [
        raw | {"ts": at + timedelta(minutes=20 * i), "cpu_cores": value}
        for i, value in enumerate((0.25, 0.75, float("nan"), 0.5))
    ]
    return Warehouse.over_tables(
        {
            "advice": table("advice", rows), "profiles": table("profiles", profiles),
            "charges": table("charges", charges), "container_usage": table("container_usage", used),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def told(warehouse: Warehouse) -> Explanation:
    [found] = explained(warehouse, advice_named(warehouse, Filters(), [Wanted.parse("api")]), 5, "UTC")
    return found


def test_the_latest_day_answers_and_so_does_a_name_in_each_form(warehouse: Warehouse) -> None:
    for name in ("api", "shop/api", "shop/deployment/api"):
        [row] = advice_named(warehouse, Filters(), [Wanted.parse(name)])
        assert (row["date"], row["proposed_request"]) == (LAST, 1.2)
    [row] = advice_named(warehouse, Filters(), (), LAST - timedelta(days=1))
    assert row["proposed_request"] == 9.0
    assert [row["workload"] for row in advice_named(warehouse, Filters(team="ml"))] == ["ray"]


@pytest.mark.parametrize(
    ("name", "day", "says", "mend"),
    [
        ("apo", None, "no advice for 'apo'; did you mean 'api'?", "costlab sql"),
        ("ml/api", None, "did you mean", "costlab sql"),
        ("a/b/c/d", None, "names no workload", "NAMESPACE/WORKLOAD"),
        ("shop/", None, "names no workload", "NAMESPACE/WORKLOAD"),
        ("api", date(2026, 1, 1), "no advice on 2026-01-01", "costlab recommend --date 2026-01-01"),
    ],
)
def test_what_is_not_there_is_said_with_what_was_meant(
    warehouse: Warehouse, name: str, day: date | None, says: str, mend: str
) -> None:
    with pytest.raises(ConfigError) as fault:
        advice_named(warehouse, Filters(), [Wanted.parse(name)], day)
    assert says in fault.value.message
    assert mend in fault.value.hint


def test_replicas_are_pooled_and_nothing_outside_the_window_counts(told: Explanation) -> None:
    assert [day.date for day in told.days] == [LAST - timedelta(days=ago) for ago in range(4, -1, -1)]
    day = told.days[1]  # three days ago: one hour of 48 at 1.5, one at 1, 46 at a half
    assert (day.occupied_hours, day.observed_hours, day.max) == (48.0, 24.0, 1.5)
    assert day.p50 == day.p95 == pytest.approx(0.5, rel=1 / 64)
    assert day.p99 == pytest.approx(1.5, rel=1 / 64)
    assert told.whole is not None
    # 21 hours of 240 are above a half, 13 above 1
    assert told.whole.p90 == pytest.approx(0.5, rel=1 / 64)
    assert told.whole.p95 == 1.5
    assert [day.date for day in told.violations] == [
        date(2026, 11, 18)
    ]  # a quarter of the time; the day before for an hour
    assert told.unit_price == Decimal("0.2")  # 30 hours at .1, 10 at .5
    assert [(when.hour, value) for when, value in told.peaks] == [(3, 0.75), (4, 0.5)]


def test_hours_are_told_by_the_clock_of_the_lake(warehouse: Warehouse) -> None:
    rows = advice_named(warehouse, Filters(), [Wanted.parse("api")])
    [found] = explained(warehouse, rows, 5, "Asia/Kolkata")  # five hours and a half ahead
    assert [(when.hour, value) for when, value in found.peaks] == [(8, 0.75), (9, 0.5)]


@pytest.mark.parametrize(
    ("reason", "advised", "why"),
    [
        (
            "advised",
            "Scale down at these hours: 19:00 to 08:00, by the clock of Europe/Berlin.",
            "did next to nothing",
        ),
        ("hpa_managed", "None; it looks idle at these hours: 19:00 to 08:00", "would scale it up again"),
        ("ignored", "None; it looks idle", "It is ignored"),
    ],
)
def test_a_schedule_is_told_in_hours_with_its_money_beside(reason: str, advised: str, why: str) -> None:
    facts = {"down": "19:00 to 08:00", "timezone": "Europe/Berlin"}
    facts |= {"monthly_saving": "12.50"} if reason == "advised" else {}
    row = advice(action="schedule", container="", reason=reason, facts=facts, policy="schedule", currency="USD",
                 proposed_request=None, monthly_saving_gross=None, monthly_saving_net=None)  # fmt: skip
    told = text([Explanation(row, [])])
    assert "all containers, CPU" in told
    assert advised in told
    assert why in told
    assert ("12.50 a month at its own prices, not to be added" in told) == (reason == "advised")


def test_throttling_is_pooled_by_time_and_said() -> None:
    ratios = {1: 0.5, 2: 0.125, 3: None, 4: float("nan")}
    profiles = [profile(0, key, 1.0) | {"throttled_ratio": ratio} for key, ratio in ratios.items()]
    profiles[0]["observed_s"] = 3 * profiles[1]["observed_s"]
    names = ("charges", "container_usage")
    tables = {"profiles": table("profiles", profiles), **{name: table(name, []) for name in names}}
    [found] = explained(Warehouse.over_tables(tables), [advice(workload="api")], 5, "UTC")
    assert found.whole is not None
    assert found.whole.throttled_ratio == (3 * 0.5 + 0.125) / 4
    assert "Its CPU limit throttled it in 41% of its periods, at most in 41% on 20 Nov." in text([found])


def test_the_words_hold_every_number(told: Explanation) -> None:
    said = text([told])
    for words in (
        "shop/Deployment/api in cluster prod: web, CPU",
        "Friday, 20 November 2026",
        "It uses less than it asks for.",
        "costlab chose p95 of 7 days.",
        "Measured by the metric that carries the claim; 14 days, 98% of their time observed.",
        "On 1 of 5 days usage was above 1.2 cores for a tenth of the time: 18 Nov (1.5 cores); for moments on 2.",
        # .8 cores on two replicas for 730 hours at .2
        "(2 − 1.2 cores) × 2 replicas × 730 hours × 0.2 USD = $234 a month between the requests",
        "+$58.40; net of capacity that stays while its nodes do, +$20.00; of $438 a month now.",
    ):
        assert words in said
    assert [line.split()[-3:] for line in said.splitlines() if line.strip().startswith("2026-11-18")] == [
        ["above", "the", "proposal"]
    ]
    assert "| 2026-11-18 | 0.504 | 1.50 | 1.50 | 1.50 | 50% | above the proposal |" in as_markdown([told])


def test_a_refusal_is_explained_too(warehouse: Warehouse) -> None:
    [refused] = explained(warehouse, advice_named(warehouse, Filters(), [Wanted.parse("ray")]), 5, "UTC")
    said = text([refused])
    assert "None: the request of 2 cores stays." in said
    assert "HorizontalPodAutoscaler" in said
    assert "None was observed." in said
    assert "Saving" not in said
    assert drawn([refused], "svg").startswith(b"<?xml")


def test_programs_get_the_row_the_words_and_the_days(told: Explanation) -> None:
    [row] = explanation_table([told]).to_pylist()
    assert (row["proposed_request"], row["unit_price"], row["days"][1]["max"]) == (1.2, 0.2, 1.5)
    assert dict(row["words"])["Why"] == "It uses less than it asks for."


def test_the_figure_has_every_line_and_is_the_same_every_time(told: Explanation) -> None:
    image = drawn([told], "svg")
    assert image == drawn([told], "svg")
    shown = image.decode()
    for words in (
        "limit 4 cores ↑",
        "request 2 cores",
        "proposal 1.2 cores",
        "hourly maximum",
        "violation",
        "17 Nov",
    ):
        assert words in shown
    assert drawn([told, told], "png").startswith(b"\x89PNG")


def test_a_figure_of_nothing_and_one_of_endless_names_are_read(told: Explanation) -> None:
    limits = dict.fromkeys(("current_request", "current_limit", "proposed_request"))
    row = {**told.row, **limits, "namespace": "n" * 63, "workload": "w" * 63}
    drawing = drawn([replace(told, row=row, days=(), whole=None, peaks=())], "svg").decode()
    texts = re.findall(r"<text[^>]*>([^<]*)</text>|<tspan[^>]*>([^<]*)</tspan>", drawing)
    said = [first or second for first, second in texts]
    assert max(map(len, said)) <= 85, "what is longer is cut at the edge of the figure"
    assert [text for text in said if text in {"0.5", "1"}]
    assert not [text for text in said if "e-" in text]


def test_the_line_of_hours_is_broken_where_nothing_was_observed(told: Explanation) -> None:
    def strokes(hours: tuple[int, ...]) -> int:
        peaks = [(datetime(2026, 11, 19, hour, tzinfo=UTC), 0.5 + hour / 10) for hour in hours]
        shown = drawn([replace(told, peaks=peaks)], "svg").decode()
        line, *_ = re.findall(r'<path d="(M [^"]*)"[^>]*stroke: #1b2430; stroke-width: 0.8;', shown)
        return int(line.count("M "))

    assert strokes((3, 4, 5, 6)) == 1
    assert strokes((3, 4, 6, 7)) == 2


@pytest.fixture
def ask(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """The command line over these rows, in place of a lake's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Lake, "open", lambda _: SimpleNamespace(timezone="UTC"))
    monkeypatch.setattr(Warehouse, "over", lambda _: warehouse)
    desk = Desk({"HOME": "/nonexistent"}, datetime(2026, 11, 21, tzinfo=UTC))
    return lambda *args: CliRunner().invoke(app, args, obj=desk)


def test_patches_go_to_a_stream_a_file_or_a_folder(ask: Callable[..., Result], tmp_path: Path) -> None:
    streamed = ask("patch", "shop/api")
    assert (streamed.exit_code, streamed.stderr) == (0, "")
    assert yaml.safe_load(streamed.stdout)["metadata"]["name"] == "api"
    assert ask("patch", "--out", "one.yaml").exit_code == 0
    assert "--patch-file ./one.yaml" in Path("one.yaml").read_text()
    assert ask("patch", "--format", "kustomize", "--out", "overlay").exit_code == 0
    assert (tmp_path / "overlay/patches/shop.deployment.api.yaml").is_file()
    nothing = ask("patch", "ml/ray")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "no advice to write" in nothing.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["patch", "shop/apo"], "did you mean 'shop/api'?"),
        (["patch", "--format", "kustomize"], "several files"),
        (["patch", "--cuts-only", "--raises-only"], "exclude each other"),
        (["patch", "--min-saving", "nan"], "no amount"),
        (["patch", "--cpu-step", "0"], "above 0"),
        (["patch", "--memory-step", "1 Gi"], "not a Kubernetes quantity"),
        (["explain", "api", "--plot", "x.gif"], "no image"),
    ],
)
def test_what_cannot_be_is_said_in_two_lines(ask: Callable[..., Result], args: list[str], says: str) -> None:
    done = ask(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    error, hint = done.stderr.splitlines()
    assert says in error
    assert hint.startswith("hint: ")


def test_explain_answers_in_words_json_and_a_figure(ask: Callable[..., Result]) -> None:
    done = ask("explain", "api", "-o", "json", "--plot", "api.svg")
    assert (done.exit_code, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["schema"], told["rows"][0]["words"]["Why"]) == (
        "costlab.explain/1",
        "It uses less than it asks for.",
    )
    assert "proposal 1.2 cores" in Path("api.svg").read_text()
    assert ask("explain", "api", "-o", "md").stdout.startswith("## shop/Deployment/api in cluster prod")
