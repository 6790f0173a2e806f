"""What Prometheus is told of a night: as text that reads back, of every end that a night can have."""

import json
import math
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import DAY, DEFAULT, World

from costlab.config.load import load
from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError, CostlabError, ExitCode, SourceUnavailable
from costlab.domain.metrics import METRICS, SAVING, TEAM_COST, Sample
from costlab.domain.signals import Signal
from costlab.jobs.due import Asked
from costlab.jobs.nightly import ClusterEnd, nightly
from costlab.jobs.outcome import Outcome
from costlab.jobs.telling import day_samples, told
from costlab.publish.metrics import push
from costlab.render.exposition import exposition
from costlab.sources import Source
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
BUDGETED = Settings.model_validate(
    {
        "budgets": [
            {"team": "nlp", "monthly": 20_000},
            {"namespace": "recsys", "monthly": 10},
            {"cluster": "demo", "monthly": 1_000_000},
            {"cluster": "another", "monthly": 10},
            {"team": "nobody", "monthly": 10},
        ]
    }
)
Found = dict[tuple[str, frozenset[tuple[str, str]]], float]

# The format as Prometheus documents it; shares nothing with what writes it.
LINE = re.compile(r'(?P<name>\w+)\{(?P<labels>(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\} (?P<value>\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parsed(text: str) -> Found:
    found = {}
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        labels = {
            name: re.sub(r"\\(.)", lambda escaped: {"n": "\n"}.get(escaped[1], escaped[1]), value)
            for name, value in LABEL.findall(match["labels"])
        }
        found[match["name"], frozenset(labels.items())] = float(match["value"])
    return found


def value(found: Found, name: str, **labels: str) -> float | None:
    return found.get((f"costlab_{name}", frozenset(labels.items())))


@given(
    st.lists(
        st.tuples(st.text(), st.floats() | st.decimals(allow_nan=False, allow_infinity=False, places=6)),
        unique_by=lambda pair: pair[0],
    )
)
def test_what_is_told_reads_back_whatever_a_team_is_called(pairs: list[tuple[str, float | Decimal]]) -> None:
    samples = [SAVING.sample(amount, "c", team, "USD") for team, amount in pairs]
    found = parsed(exposition(samples).decode())
    assert len(found) == len(pairs)
    for team, amount in pairs:
        back = value(found, "advised_saving_monthly", cluster="c", team=team, currency="USD")
        assert back == float(amount) or (back is not None and math.isnan(back) and math.isnan(amount))


def test_a_metric_stands_together_whatever_order_its_samples_come_in() -> None:
    mixed: list[Sample] = [
        metric.sample(1, cluster, *["x"] * (len(metric.labels) - 1)) for cluster in "ab" for metric in METRICS
    ]
    lines = exposition(mixed).decode().splitlines()
    assert [line.split()[2] for line in lines if line.startswith("# TYPE")] == [one.name for one in METRICS]
    names = [line.partition("{")[0] for line in lines if not line.startswith("#")]
    assert names == [metric.name for metric in METRICS for _ in "ab"]


def test_promtool_finds_nothing_to_say(prometheus_folder: Path, demo_cache: Path) -> None:
    (lake,) = demo_cache.glob("costlab/demo-*/lake")
    samples = [
        *(metric.sample(1, "demo") for metric in METRICS if metric.labels == ("cluster",)),
        *(
            each
            for each in day_samples(Lake.open(lake), BUDGETED, "demo")
            if each.metric.labels != ("cluster",)
        ),
    ]
    assert {sample.metric for sample in samples} == {*METRICS}
    checked = subprocess.run(
        [prometheus_folder / "promtool", "check", "metrics"],
        input=exposition(samples), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_the_demo_is_told_as_its_charges_say(demo_cache: Path) -> None:
    (path,) = demo_cache.glob("costlab/demo-*/lake")
    lake = Lake.open(path)
    found = parsed(exposition(day_samples(lake, BUDGETED, "demo")).decode())
    [charged] = (
        Warehouse.over(lake)
        .sql(
            "select sum(cost) as cost, sum(cost) filter (kind = 'idle') as idle, epoch(max(date)) as day from charges "
            "where date = (select max(date) from charges)"
        )
        .to_pylist()
    )
    of_parts = {
        dict(labels)["part"]: amount for (name, labels), amount in found.items() if name == "costlab_day_cost"
    }
    assert sum(of_parts.values()) == pytest.approx(float(charged["cost"]), abs=1e-6)
    assert of_parts["idle"] == float(charged["idle"])
    assert value(found, "day_timestamp_seconds", cluster="demo") == charged["day"]
    for part in ("used", "unused", "unobserved"):
        teams = [
            amount
            for (name, labels), amount in found.items()
            if name == TEAM_COST.name and ("part", part) in labels
        ]
        assert len(teams) > 3
        assert sum(teams) == pytest.approx(of_parts[part], abs=1e-6)


def test_budgets_are_told_as_the_charges_and_the_forecast_say(demo_cache: Path) -> None:
    (path,) = demo_cache.glob("costlab/demo-*/lake")
    found = parsed(exposition(day_samples(Lake.open(path), BUDGETED, "demo")).decode())
    subjects = {dict(labels)["subject"] for (name, labels) in found if name == "costlab_budget_monthly"}
    assert subjects == {"nlp", "recsys", "demo"}  # one is of another cluster, and of one there is no charge

    def told(what: str, dimension: str, subject: str) -> float | None:
        return value(
            found, f"budget_{what}", cluster="demo", dimension=dimension, subject=subject, currency="USD"
        )

    [spent] = (
        Warehouse.over(Lake.open(path))
        .sql("select sum(cost) as cost from charges where namespace = 'recsys' and date >= date '2026-11-01'")
        .to_pylist()
    )
    assert told("spent", "namespace", "recsys") == float(spent["cost"])
    assert (
        told("exhausted_timestamp_seconds", "namespace", "recsys") is None
    )  # it was exceeded on the first day
    expected, cost = told("expected", "team", "nlp"), told("spent", "team", "nlp")
    assert expected is not None
    assert cost is not None
    assert expected > 20_000 > cost
    day_s, ends_s = (
        datetime(2026, 11, 21, tzinfo=UTC).timestamp(),
        datetime(2026, 12, 1, tzinfo=UTC).timestamp(),
    )
    at_s = told("exhausted_timestamp_seconds", "team", "nlp")
    assert at_s is not None
    assert day_s < at_s <= ends_s
    assert told("exhausted_timestamp_seconds", "cluster", "demo") is None


def settings_in(folder: Path) -> Settings:
    content = {
        "lake": "lake",
        "report": {"out": "reports"},
        "metrics": {"textfile": "costlab.prom"},
        "clusters": [{"id": name, "prometheus": {"url": "http://127.0.0.1:9"}} for name in ("good", "bad")],
    }
    return Settings.model_validate(content, context={"folder": folder})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture(scope="module")
def whole_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after a night in which all went well."""
    folder = tmp_path_factory.mktemp("night")
    settings = settings_in(folder)
    assert watched(settings, night_of(settings))[1] == []
    return folder


@pytest.fixture
def after_a_night(whole_night: Path, tmp_path: Path) -> Settings:
    shutil.copytree(whole_night, tmp_path, dirs_exist_ok=True)
    return settings_in(tmp_path)


def world() -> World:
    team = {"namespace": "ns", "pod": "a", "uid": "a-uid", "label_team": 'the "A"\\team'}
    return World().node().pod("a").use("a").add(Signal.POD_LABELS, team, 1)


def watched(
    settings: Settings, night: Callable[..., Outcome], now: datetime = NOW
) -> tuple[Found, list[str]]:
    """What the file says after the night, and what was said on the way."""
    said: list[str] = []
    seconds = iter(range(5, 500, 5))
    try:
        told(night, settings, now=now, elapsed_s=lambda: next(seconds), say=said.append)
    except (CostlabError, ZeroDivisionError, KeyboardInterrupt):
        said.append("raised")
    path = settings.metrics.textfile
    assert path
    return parsed(path.read_text()) if path.exists() else {}, said


def night_of(settings: Settings, *broken: str) -> Callable[..., Outcome]:
    def source_of(cluster: object, _: object) -> Source:
        if getattr(cluster, "id", "") in broken:
            raise SourceUnavailable("it is not reachable", "mend it")
        return world()

    return lambda ended: nightly(
        settings, Asked(date=DAY), now=NOW, source_of=source_of, say=lambda _: None, ended=ended
    )


def test_one_cluster_fails_and_the_other_is_told_as_it_is(settings: Settings) -> None:
    found, said = watched(settings, night_of(settings, "bad"))
    assert said == ["raised"]
    began = NOW.timestamp()
    told_of = {
        name: (value(found, name, cluster="good"), value(found, name, cluster="bad"))
        for name in (
            "last_success_timestamp_seconds", "last_run_timestamp_seconds", "last_run_exit_code",
            "last_run_duration_seconds", "last_run_measured", "day_timestamp_seconds",
        )
    }  # fmt: skip
    assert told_of == {
        "last_success_timestamp_seconds": (began + 5, None),
        "last_run_timestamp_seconds": (began + 5, began + 10),
        "last_run_exit_code": (0, 3),
        "last_run_duration_seconds": (5, 5),
        "last_run_measured": (1, 0),
        "day_timestamp_seconds": (DAY.window.start_ms / 1000, None),
    }
    cost = [amount for (name, _), amount in found.items() if name == "costlab_day_cost"]
    assert sum(cost) == pytest.approx(DEFAULT)
    labels = {"cluster": "good", "team": 'the "A"\\team', "part": "used", "currency": "USD"}
    assert value(found, "day_team_cost", **labels) == pytest.approx(0.5 * 24 * 0.1 + 0.5 * 24 * 0.05)
    assert value(found, "day_coverage_ratio", cluster="good") == pytest.approx(1, abs=0.01)


def stopped(_: object) -> Outcome:
    raise KeyboardInterrupt


def surprised(_: object) -> Outcome:
    raise ZeroDivisionError


def refused(_: object) -> Outcome:
    raise ConfigError("no", "")


@pytest.mark.parametrize(("failing", "code"), [(stopped, 130), (surprised, 1), (refused, 2)])
def test_a_night_that_fails_keeps_the_last_success_and_the_last_day(
    after_a_night: Settings, failing: Callable[..., Outcome], code: int
) -> None:
    settings = after_a_night
    path = settings.metrics.textfile
    assert path
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert sorted(each.name for each in path.parent.iterdir()) == ["costlab.prom", "lake", "reports"]
    well = parsed(path.read_text())
    path.unlink()  # what it remembers is in the lake
    later = NOW.replace(hour=9)
    found, said = watched(settings, failing, later)
    assert said == ["raised"]
    for cluster in ("good", "bad"):
        assert value(found, "last_run_exit_code", cluster=cluster) == code
        assert value(found, "last_run_timestamp_seconds", cluster=cluster) > later.timestamp()  # type: ignore[operator]  # is there
    same = [key for key in well if "last_run" not in key[0]]
    assert {key: found[key] for key in same} == {key: well[key] for key in same}


def test_what_fails_after_all_clusters_is_told_of_each_and_their_days_are_a_success(
    settings: Settings,
) -> None:
    def night(ended: Callable[[ClusterEnd], None]) -> Outcome:
        for name in ("good", "bad"):
            ended(ClusterEnd(name, ExitCode.DONE))
        raise ConfigError("the front page cannot be written", "")

    Lake.create(settings.lake)
    found, _ = watched(settings, night)
    for cluster in ("good", "bad"):
        assert value(found, "last_run_exit_code", cluster=cluster) == ExitCode.USAGE
        assert value(found, "last_success_timestamp_seconds", cluster=cluster)


def test_what_hinders_the_metrics_is_said_and_ends_nothing(after_a_night: Settings) -> None:
    settings = after_a_night
    (Path(settings.lake) / "lake.json").write_text("{")
    (Path(settings.lake) / "_successes.json").write_text("[]")
    found, said = watched(settings, lambda ended: (ended(ClusterEnd("good", 0)), Outcome("done"))[1])  # type: ignore[arg-type]  # 0 is DONE
    assert value(found, "last_run_exit_code", cluster="good") == 0
    assert value(found, "last_run_exit_code", cluster="bad") == 0
    assert not [key for key in found if "_day_" in key[0]]
    assert {line.partition(": ")[0] for line in said} == {"metrics"}
    assert all("lake.json is damaged" in line for line in said)
    assert json.loads((Path(settings.lake) / "_successes.json").read_text()).keys() == {"good", "bad"}
    nowhere = settings.model_copy(
        update={
            "metrics": settings.metrics.model_copy(update={"textfile": Path(settings.lake) / "no" / "x.prom"})
        }
    )
    assert "x.prom cannot be written: No such file" in watched(nowhere, lambda _: Outcome("done"))[1][-1]


def test_without_a_place_nothing_is_left_anywhere(settings: Settings, tmp_path: Path) -> None:
    bare = settings.model_copy(update={"metrics": type(settings.metrics)()})
    told(lambda _: Outcome("done"), bare, now=NOW, elapsed_s=lambda: 1, say=lambda _: None)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def gateway(status: int) -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    got: list[tuple[str, str, bytes]] = []

    class Gateway(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, self.headers["Content-Type"], body))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", got
        finally:
            server.shutdown()
            thread.join(5)


def test_a_gateway_gets_each_cluster_as_a_group_of_its_own(settings: Settings) -> None:
    Lake.create(settings.lake)
    with gateway(202) as (url, got):
        pushing = settings.metrics.model_copy(update={"pushgateway": url})
        found, said = watched(settings.model_copy(update={"metrics": pushing}), lambda _: Outcome("done"))
    assert said == []
    assert [(path, kind) for path, kind, _ in got] == [
        (f"/metrics/job/costlab/cluster/{name}", "text/plain; version=0.0.4; charset=utf-8")
        for name in ("good", "bad")
    ]
    pushed: Found = {}
    for _, _, body in got:
        pushed |= parsed(body.decode())
    assert pushed == found


@pytest.mark.parametrize("status", [302, 400, 503])
def test_a_gateway_that_refuses_is_named(status: int) -> None:
    with gateway(status) as (url, got), pytest.raises(ConfigError, match=f"refused the metrics: {status}"):
        push(url, "c", b"")
    assert len(got) == 1
    with pytest.raises(ConfigError, match="cannot be pushed to: ConnectionError"):
        push(url, "c", b"")


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("{textfile: /x/costlab.txt}", "metrics.textfile: must end with .prom: the collector reads no other"),
        ("{pushgateway: gateway}", "metrics.pushgateway: must be an address such as http://pushgateway:9091"),
        ("{pushgateway: 'http://u:secret@x'}", "metrics.pushgateway: must not hold a password"),
        ("{file: x}", "metrics.file: is unknown"),
    ],
)
def test_a_place_that_nobody_reads_is_refused(tmp_path: Path, metrics: str, said: str) -> None:
    (tmp_path / "costlab.yaml").write_text(f"metrics: {metrics}\n")
    with pytest.raises(ConfigError) as refusal:
        load(tmp_path / "costlab.yaml", {})
    assert f"costlab.yaml:1: {said}" in refusal.value.message
    assert "secret" not in refusal.value.message


def test_the_page_lists_every_metric_as_it_is_told() -> None:
    page = (Path(__file__).parents[2] / "docs/deploy.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `costlab_")]
    assert rows == [f"| `{one.name}` | {', '.join(one.labels)} | {one.doc} |" for one in METRICS]
