"""The command line: what each command prints, how each fault ends, and that nothing leaks."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small_bill import line, written
from typer.testing import CliRunner, Result

from costlab import __version__
from costlab.cli.app import app
from costlab.cli.frame import COMMON, Desk, hoisted
from costlab.config.settings import Settings
from costlab.domain import errors
from costlab.domain.errors import ConfigError, CostlabError, ExitCode
from costlab.jobs.due import Asked
from costlab.jobs.outcome import Outcome
from costlab.store.lake import DayState, Lake

NOW = datetime(2026, 11, 21, 1, tzinfo=UTC)  # after the synthetic cluster's last day
CONFIG = "lake: lake\nclusters:\n  - id: prod\n    prometheus: {url: 'http://127.0.0.1:9'}\nreport: {out: reports}\n"


def run(*args: str | Path, stdin: str | None = None, **environ: str) -> Result:
    desk = Desk({"HOME": "/nonexistent", **environ}, NOW)
    return CliRunner().invoke(app, [str(arg) for arg in args], obj=desk, input=stdin)


def says(result: Result, code: int, error: str, hint: str = "") -> None:
    """The process ended so: nothing on stdout, and on stderr two lines after what a job may have logged."""
    assert result.exit_code == code, result.output
    assert not result.stdout
    *logged, first, second = result.stderr.splitlines()
    assert all("[info " in line for line in logged)
    assert first.startswith("error: ")
    assert error in first
    assert second.startswith("hint: ")
    assert hint in second


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "d"
    done = run("demo", folder, "--days", "1")
    assert done.exit_code == 0, done.output
    page = Path(done.stdout.strip())
    assert page == folder / "reports" / "demo" / "latest" / "index.html"
    assert page.is_file()
    return folder


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "costlab.yaml").write_text(CONFIG)
    return tmp_path


def test_cost_gives_the_envelope_and_a_total_that_the_rows_give(demo: Path) -> None:
    done = run(
        "cost", "--lake", demo / "lake", "--by", "team,resource", "--window", "yesterday", "-o", "json"
    )
    assert (done.exit_code, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["schema"], told["currency"]) == ("costlab.cost/1", "USD")
    assert told["window"] == {"start": "2026-11-20", "end": "2026-11-21"}
    assert (told["quality"]["complete_days"], told["quality"]["days"]) == (1, 1)
    *rows, total = told["rows"]
    assert total["team"] == "(total)"
    for name in ("cost", "cost_used", "cost_unused", "cost_unobserved"):
        assert sum(Decimal(row[name] or 0) for row in rows) == Decimal(total[name])
    sold = run("sql", "select sum(cost) as cost from charges", "--lake", demo / "lake", "-o", "csv")
    assert Decimal(sold.stdout.splitlines()[1]) == Decimal(total["cost"])


def test_energy_gives_the_envelope_and_a_total_that_is_what_the_gpus_used(demo: Path) -> None:
    done = run("energy", "--lake", demo / "lake", "--window", "yesterday", "-o", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["schema"], told["currency"]) == ("costlab.energy/1", None)
    *rows, total = told["rows"]
    assert {"nlp", "vision", "recsys", "(nobody)"} <= {row["team"] for row in rows}
    assert sum(row["energy_kwh"] for row in rows) == pytest.approx(total["energy_kwh"])
    sold = run("sql", "select sum(energy_kwh) from gpus", "--lake", demo / "lake", "-o", "csv")
    assert float(sold.stdout.splitlines()[1]) == pytest.approx(total["energy_kwh"])
    assert total["co2_kg"] == pytest.approx(total["energy_kwh"] * 1.56 * 0.48)
    none = run("energy", "--lake", demo / "lake", "--window", "2026-11-01")
    assert none.stderr.splitlines()[-1].startswith("warning: nothing tells of energy")


def test_a_run_of_a_pipeline_has_its_cost(demo: Path) -> None:
    done = run(
        "cost",
        "--lake",
        demo / "lake",
        "--by",
        "pipeline,pipeline_run",
        "--window",
        "yesterday",
        "-o",
        "json",
    )
    runs = [row for row in json.loads(done.stdout)["rows"] if row["pipeline"] == "nightly_etl"]
    assert [row["pipeline_run"][:22] for row in runs] == ["scheduled__2026-11-19T"]
    assert Decimal(runs[0]["cost"]) > 0


README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize(
    "line", re.findall(r"^ {4}\.venv/bin/costlab (.+)$", README.read_text(), re.MULTILINE)
)
def test_the_demo_is_asked_as_the_readme_says(demo: Path, line: str) -> None:
    done = run(*shlex.split(line.replace("costlab-demo", shlex.quote(str(demo)))))
    assert done.exit_code == 0, done.stderr
    assert len(done.stdout.splitlines()) > 5


def test_cost_and_the_report_round_alike(demo: Path) -> None:
    page = (demo / "reports" / "demo" / "latest" / "report.md").read_text()
    said = dict(
        re.findall(
            r"^\| \+? ?(Used|Reserved, not used|Not observed|Idle|System|Volumes, network, fees) \|.* ([\d,.]+) \|$",
            page,
            re.MULTILINE,
        )
    )
    drawn = run("cost", "--lake", demo / "lake", "--by", "kind", "--window", "yesterday").stdout
    cells = {line.split()[0]: line.split()[1:] for line in drawn.splitlines()[2:]}
    assert cells["(total)"][1:4] == [said["Used"], said["Reserved, not used"], said["Not observed"]]
    for name, part in (
        ("idle", "Idle"),
        ("system", "System"),
    ):  # parts of another sum, and so a cent apart at most
        assert abs(amount(cells[name][0]) - amount(said[part])) <= Decimal("0.01")
    owned = amount(cells["workload"][0]) + amount(cells["volume"][0])
    assert f"**{owned:,.0f}**" in page
    beside = amount(cells["volume"][0]) + amount(cells["fee"][0])
    assert f"{amount(said['Volumes, network, fees']):,.2f}" == f"{beside:,.2f}"


def amount(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def test_cost_warns_of_days_that_are_not_there(demo: Path) -> None:
    done = run("cost", "--lake", demo / "lake", "--window", "7d")
    assert done.exit_code == 0
    assert done.stderr == "warning: 1 of 7 days are complete\n"
    assert done.stdout.splitlines()[-1].startswith(" (total)")


def test_a_bill_is_imported_and_held_against_the_charges(demo: Path, config: Path) -> None:
    shutil.copytree(demo / "lake", config / "lake")
    (config / "costlab.yaml").write_text(CONFIG.replace("id: prod", "id: demo"))
    bill = written(
        config / "b.csv", line("cpu-1", "10"), line("", "2", ChargeCategory="Tax", ServiceName="tax")
    )
    month = written(
        config / "month.csv",
        line("cpu-1", "10"),
        *(line("cpu-1", "9", f"2026-11-{day}T00", f"2026-11-{day + 1}T00") for day in (17, 18)),
    )
    dry = run("bill", "import", bill, "--dry-run", "-o", "json")
    assert (dry.exit_code, dry.stderr) == (
        0, "nothing was written: --dry-run\nnext: costlab compute --cluster demo --window 2026-11-20\n",
    )  # fmt: skip
    assert run("bill", "import", bill, "-o", "json").stdout == dry.stdout
    told = json.loads(dry.stdout)
    assert (told["schema"], told["currency"]) == ("costlab.bill/1", "USD")
    assert [row["matched_cost"] for row in told["rows"]] == ["10.000000", "10.000000"]
    again = run("compute", "--cluster", "demo", "--window", "2026-11-20")
    assert (again.exit_code, again.stdout.count("committed")) == (0, 1), again.output
    done = run("bill", "reconcile", "--window", "2026-11-20", "-o", "json")
    rows = {row["node"] or row["service"]: row for row in json.loads(done.stdout)["rows"]}
    assert (rows["cpu-1"]["reason"], rows["cpu-1"]["charged_cost"]) == ("settled", "10.000000")
    assert (rows["cpu-2"]["reason"], rows["tax"]["reason"]) == ("not in the bill", "tax")
    assert done.stderr == ""
    run("bill", "import", month)
    done = run("bill", "reconcile", "--window", "2026-11")
    assert done.stderr == "warning: billed days of demo, missing: 2026-11-17, 2026-11-18\n"
    bill.write_text("ResourceId\n")
    says(run("bill", "import", bill), 2, "are missing", "FOCUS")
    (config / "costlab.yaml").write_text(
        CONFIG.replace("  - id", "  - {id: x, prometheus: {url: 'http://y'}}\n  - id")
    )
    says(run("bill", "import", bill), 2, "the bill may be of any of x, prod", "--cluster")


def test_a_pipeline_asks_what_is_advised_and_what_is_new_of_it(demo: Path, tmp_path: Path) -> None:
    """One day is too little by default; held against itself nothing differs, and against nothing all of it does."""
    ask = ("recommend", "--lake", demo / "lake", "--dry-run", "-o", "json")
    reasons = {row["reason"] for row in json.loads(run(*ask).stdout)["rows"]}
    assert "too_little_data" in reasons
    assert not reasons & {"usage_below_request", "usage_above_request"}
    once = {"COSTLAB_RIGHTSIZING__MIN_DAYS": "1", "COSTLAB_RIGHTSIZING__POLICY": "krr-simple"}
    done = run(*ask, "--fail-on", "changes>0", "--out", tmp_path / "now.json", **once)
    assert (done.exit_code, done.stdout) == (10, "")
    assert re.fullmatch(r"fail-on: changes are \d+\.00, above 0\n", done.stderr)
    told = json.loads((tmp_path / "now.json").read_text())
    assert told["schema"] == "costlab.recommend/1"
    assert told["window"] == {"start": "2026-11-07", "end": "2026-11-21"}
    advised = [row for row in told["rows"] if row["proposed_request"] is not None]
    assert all(Decimal(row["monthly_saving_net"]) <= Decimal(row["monthly_saving_gross"]) for row in advised)
    same = run(*ask, "--baseline", tmp_path / "now.json", "--fail-on", "changes>0", **once)
    assert (same.exit_code, json.loads(same.stdout)["rows"]) == (0, [])
    (tmp_path / "none.json").write_text(json.dumps({**told, "rows": []}))
    new = run(*ask, "--baseline", tmp_path / "none.json", "--namespace", "nlp", **once)
    found = json.loads(new.stdout)["rows"]
    assert {(row["namespace"], row["difference"]) for row in found} == {("nlp", "new")}
    assert len(found) == sum(row["namespace"] == "nlp" for row in advised)


def test_quotas_are_suggested_and_written_as_manifests(demo: Path) -> None:
    lake = ("--lake", demo / "lake")
    done = run("quota", *lake, "-o", "json")
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == "costlab.quota/1"
    assert answer["window"]["start"] < answer["window"]["end"]
    assert {row["resource"] for row in answer["totals"]} == {"cpu", "memory", "gpu"}
    large = next(
        row
        for row in answer["rows"]
        if (row["namespace"], row["resource"]) == ("vision", "requests.nvidia.com/gpu")
    )
    assert (large["hard_now"], large["used_now"]) == (64, 20)  # 16 of them wait for a node
    table = run("quota", *lake, "-n", "nlp", "--dry-run")
    assert "requests.nvidia.com/gpu" in table.stdout
    assert "vision" not in table.stdout
    assert "demo GPUs: quotas allow" in table.stderr
    written = demo / "quotas.yaml"
    assert run("quota", *lake, "--out", written).exit_code == 0
    found = [each for each in yaml.safe_load_all(written.read_text()) if each]
    assert {each["kind"] for each in found} == {"ResourceQuota", "LimitRange"}
    assert {each["metadata"]["namespace"] for each in found} >= {"nlp", "vision", "recsys"}
    assert "kube-system" not in {each["metadata"]["namespace"] for each in found}
    nothing = run("quota", *lake, "-n", "nobody", "-o", "yaml")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "no quota to write" in nothing.stderr


def test_what_is_idle_adds_up_to_the_bills_parts(demo: Path) -> None:
    lake = ("--lake", demo / "lake")
    *rows, total = json.loads(run("idle", *lake, "--window", "yesterday", "-o", "json").stdout)["rows"]
    assert sum(Decimal(row["cost"]) for row in rows) == Decimal(total["cost"])
    text = "select sum(if(kind = 'idle', cost, cost_unused)) as c from charges where kind in ('idle', 'workload')"
    assert json.loads(run("sql", *lake, text, "-o", "json").stdout)["rows"][0]["c"] == total["cost"]
    gpus = json.loads(run("idle", "--gpus", *lake, "--window", "yesterday", "-o", "json").stdout)["rows"]
    assert {row["state"] for row in gpus[:-1]} == {"idle", "barely busy"}
    says(run("idle", "--gpus", "-n", "nlp", *lake), 2, "--gpus goes with neither", "owner")


def test_what_is_watched_has_its_envelope_and_ends_with_10_when_told_to(demo: Path) -> None:
    lake = ("--lake", demo / "lake", "--window", "yesterday")
    done = run("anomalies", *lake, "-o", "json")
    assert (done.exit_code, json.loads(done.stdout)["schema"]) == (0, "costlab.anomalies/1")
    assert json.loads(done.stdout)["rows"] == []
    assert "could be judged: that takes 18 complete days before" in done.stderr
    assert run("anomalies", *lake, "--fail").exit_code == 0
    says(
        run("anomalies", *lake, "--by", "pod"), 2, "--by pod: no such dimension", "team, namespace, workload"
    )
    told = json.loads(run("audit", *lake, "-o", "json").stdout)
    assert (told["schema"], told["currency"]) == ("costlab.audit/1", "USD")
    assert {"request_missing", "owner_missing"} <= {row["rule"] for row in told["rows"]}
    assert all(row["finding"] and row["remedy"] and "{" not in row["remedy"] for row in told["rows"])
    amounts = [Decimal(row["amount"] or 0) for row in told["rows"]]
    assert amounts == sorted(amounts, reverse=True)
    assert run("audit", *lake, "--fail").exit_code == ExitCode.POLICY_HIT
    assert run("audit", *lake, "--fail", "-n", "nowhere").exit_code == 0


def test_a_manifest_is_priced_before_it_is_applied(demo: Path) -> None:
    pod = "kind: Pod\nmetadata: {name: p}\nspec: {containers: [{resources: {requests: {cpu: 2}}}]}\n"
    args = ("predict", "-f", "-", "--lake", demo / "lake", "-o", "json")
    told = json.loads(run(*args, stdin=f"{pod}---\nkind: RayCluster\n").stdout)
    assert (told["schema"], told["currency"]) == ("costlab.predict/1", "USD")
    assert [row["monthly_cost"] for row in told["rows"]] == [
        "146.000000",
        "146.000000",
    ]  # 2 cores, 730 h, 0.1
    assert (
        told["notes"][0] == "stdin:5 RayCluster/(no name) is not priced: costlab does not know what it runs"
    )
    says(run(*args, stdin="kind: Pod"), 2, "stdin:1: document 1: spec has no containers", "spec.containers")
    says(run("predict", "-f", demo / "none.yaml"), 2, "none.yaml cannot be read", "- for stdin")


def test_sql_takes_text_stdin_and_names(demo: Path) -> None:
    lake = demo / "lake"
    assert run("sql", "select $a as a", "--param", "a=x=y", "--lake", lake, "-o", "csv").stdout == "a\nx=y\n"
    assert run("sql", "-", "--lake", lake, "-o", "jsonl", stdin="select 1 as a").stdout == '{"a":1}\n'
    named = run(
        "sql", "@teams", "--param", "cluster=demo", "--param", "day=2026-11-20", "--lake", lake, "-o", "json"
    )
    assert {row["team"] for row in json.loads(named.stdout)["rows"]} >= {"nlp", "vision", "recsys"}


def test_what_can_be_asked_is_listed() -> None:
    named = json.loads(run("queries", "-o", "json").stdout)["rows"]
    assert {"query": "teams", "params": "cluster day"}.items() <= next(
        r for r in named if r["query"] == "teams"
    ).items()
    assert run("queries", "teams").stdout.startswith("/* What each team owed on the day")
    [teams] = json.loads(run("queries", "@teams", "-o", "json").stdout)["rows"]
    assert teams["params"] == "cluster day"
    assert teams["units"].startswith("*_cost in currency; used_ratio")
    assert teams["notes"].startswith("A team that was there")
    tables = json.loads(run("tables", "-o", "json").stdout)["rows"]
    assert "charges" in {row["table"] for row in tables}
    columns = json.loads(run("tables", "charges", "-o", "json").stdout)["rows"]
    assert next(row for row in columns if row["column"] == "cost")["unit"] == "currency"


def test_init_then_check_then_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init").stdout == "wrote costlab.yaml\nwrote prices.yaml\n"
    says(run("init"), 2, "costlab.yaml is there already", "costlab init FOLDER")
    assert run("config", "check").stdout.endswith("costlab.yaml: clusters: prod\n")
    shown = json.loads(run("config", "show", "-o", "json", COSTLAB_PRICES__GPU_HOUR="4").stdout)["rows"]
    assert {"key": "prices.gpu_hour", "value": "4.0", "origin": "COSTLAB_PRICES__GPU_HOUR"} in shown
    schema = json.loads(run("config", "schema").stdout)
    assert schema["properties"]["lake"]["type"] == "string"
    assert schema["$defs"]["Report"]["properties"]["out"]["format"] == "path"
    assert schema["$defs"]["Billing"]["properties"]["resolution"]["type"] == "string"
    assert schema["additionalProperties"] is False


def test_faults_of_the_configuration_come_all_at_once(config: Path) -> None:
    (config / "costlab.yaml").write_text(CONFIG + "prices: {gpu_hour: -1}\nlakes: x\n")
    done = run("config", "check")
    assert done.exit_code == 2
    assert "error: 2 faults" in done.stderr
    assert "costlab.yaml:6: prices.gpu_hour: must not be less than 0" in done.stderr
    assert "costlab.yaml:7: lakes: is unknown; did you mean 'lake'?" in done.stderr


def test_without_a_configuration_the_job_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if Path("/etc/costlab/costlab.yaml").exists():
        pytest.skip("this machine has a configuration in /etc")
    for command in ("nightly", "extract", "compute"):
        says(run(command), 2, "no configuration found; looked in", "costlab init")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("args", "code", "error", "hint"),
    [
        (["nightli"], 2, "No such command 'nightli'. Did you mean 'nightly'?", "costlab --help"),
        (["cost", "--bye", "team"], 2, "No such option: --bye", "--help"),
        (["cost", "-o", "xml"], 2, "value for '-o' / '--output': 'xml' is not one of 'table'", "--help"),
        (["recommend", "--fail-on", "saving>1"], 2, "--fail-on 'saving>1' is not MEASURE>NUMBER", "savings, net"),
        (["recommend", "--baseline", "none.json"], 2, "none.json cannot be read: No such file", "--baseline"),
        (["recommend", "--baseline", "costlab.yaml"], 2, "costlab.yaml is no JSON", "costlab recommend -o json"),
        (["sql"], 2, "Missing argument", "--help"),
        (["cost"], 2, "there is no lake at", "--lake"),
        (["report"], 2, "there is no lake at", "--lake"),
        (["sql", "select 1"], 2, "there is no lake at", "--lake"),
        (["sql", "select 1", "--param", "x"], 2, "--param 'x' is not NAME=VALUE", "--param cluster=prod"),
        (["queries", "costz"], 2, "there is no query 'costz'", "did you mean costs?"),
        (["tables", "charge"], 2, "there is no table 'charge'; did you mean 'charges'?", "costlab tables"),
        (["nightly", "--date", "2026-11-31"], 2, "'2026-11-31' is not a date", "yesterday"),
        (["extract", "--date", "soon"], 2, "'soon' is not a date", "-2d"),
        (["extract", "--cluster", "prd"], 2, "there is no cluster 'prd'; did you mean 'prod'?", "configured: prod"),
        (["compute", "--date", "-3d"], 2, "2026-11-18 of cluster prod is not in the lake", "costlab extract"),
        (["compute", "--window", "2026-11"], 2, "no day from 2026-11-01 to before 2026-12-01 of prod is in", "--since"),
        (["compute", "--window", "2026-13"], 2, "'2026-13' is not a window", "2026-11"),
        (["compute", "--window", "7d", "--date", "-2d"], 2, "--date and --window exclude each other", "a date too"),
        (["nightly", "--date", "-2d", "--since", "-9d"], 2, "--date and --since exclude each other", "leave one"),
        (["extract", "--date", "today"], 5, "2026-11-21 is not over yet", "run it again after"),
        (["extract"], 3, "127.0.0.1:9 is not reachable", "prometheus.url"),
        (["nightly"], 3, "127.0.0.1:9 is not reachable", "prometheus.url"),
        (["--config", "none.yaml", "nightly"], 2, "none.yaml cannot be read: No such file", "--config"),
        (["demo", "costlab.yaml"], 2, "costlab.yaml is not a folder", "costlab demo FOLDER"),
        (["init", "costlab.yaml"], 2, "cannot be written", "costlab init FOLDER"),
    ],
)  # fmt: skip
def test_every_fault_is_two_lines_and_a_code(args: list[str], code: int, error: str, hint: str) -> None:
    says(run(*args), code, error, hint)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["cost", "--window", "2026-13"], "'2026-13' is not a window"),
        (["cost", "--window", "today..yesterday"], "holds no day"),
        (["cost", "--by", "temm"], "did you mean 'team'?"),
        (["cost", "--by", "label:"], "--by label:: no such dimension"),
        (["cost", "--out", "none/x.csv"], "none/x.csv cannot be written"),
        (["sql", " "], "SQL: nothing is asked"),
        (["deploy", "cron", "--out", "/"], "/ cannot be written"),
        (["cost", "--out", "."], ". cannot be written: Is a directory"),
        (["quota", "--date", "2026-11-20", "--dry-run", "-o", "yaml", "--out", "/"], "/ cannot be written"),
        (["statement", "--team", "nlp", "--out", "/"], "/ cannot be written"),
        (["sql", "selec 1"], "SQL: Parser Error"),
        (["sql", "select * from read_csv('/etc/passwd')"], "SQL: Permission Error"),
        (["sql", "@team"], "there is no query 'team'"),
        (["sql", "@teams"], "lacks $cluster, $day"),
        (["report", "--date", "2026-11-01"], "2026-11-01 of cluster demo is not in the lake"),
        (["recommend", "--date", "2026-11-01"], "2026-11-01 of cluster demo is not in the lake"),
        (["recommend", "--policy", "costlap"], "there is no policy 'costlap'; did you mean 'costlab'?"),
        (["recommend", "--date", "-2d", "--window", "7d"], "--date and --window exclude each other"),
    ],
)
def test_questions_that_cannot_be_answered(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    says(run("--lake", demo / "lake", *args), 2, error)
    assert not list(tmp_path.iterdir())


FAULTS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CostlabError)]


@pytest.mark.parametrize(
    "command",
    [
        "cost", "energy", "recommend --dry-run", "savings", "idle", "explain api", "patch", "backtest", "bill reconcile",
        "export focus", "quota --dry-run", "forecast", "anomalies", "audit --fail", "whatif --cores 4 --gib 8",
        "report", "report --window 2026-10",
    ],
)  # fmt: skip
def test_a_cluster_that_nobody_knows_is_refused(demo: Path, command: str) -> None:
    done = run(*command.split(), "--cluster", "dmo", "--lake", demo / "lake")
    says(done, 2, "there is no cluster 'dmo'; did you mean 'demo'?", "known: demo")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("cost -n nlpp", "no charge of the window is of namespace 'nlpp'; did you mean 'nlp'?"),
        (
            "energy --team zzz",
            "no charge of the window is of team 'zzz'; `costlab cost --by team` lists them",
        ),
        (
            "idle -n nlp --team vision",
            "no charge of the window is of namespace 'nlp' and team 'vision' at once",
        ),
        (
            "cost --by label:apq",
            "no pod shows the label 'apq'; kube-state-metrics shows those of --metric-labels-allowlist",
        ),
        ("savings --team visio", "no charge is of team 'visio'; did you mean 'vision'?"),
        ("audit -n nlpp", "no charge of the window is of namespace 'nlpp'; did you mean 'nlp'?"),
        ("anomalies -n nlpp", "no charge of the window is of namespace 'nlpp'; did you mean 'nlp'?"),
        ("forecast -n nlpp", "no charge of the window is of namespace 'nlpp'; did you mean 'nlp'?"),
        ("quota --dry-run -n nlpp", "no charge is of namespace 'nlpp'; did you mean 'nlp'?"),
        ("recommend --dry-run -n nlpp", "no charge is of namespace 'nlpp'; did you mean 'nlp'?"),
    ],
)
def test_a_filter_that_fits_nothing_is_said(demo: Path, args: str, said: str) -> None:
    done = run(*args.split(), "--lake", demo / "lake")
    assert done.exit_code == 0
    assert f"warning: {said}" in done.stderr.splitlines()
    assert "fits what was asked for" not in done.stderr


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_ends_with_its_own_code(
    monkeypatch: pytest.MonkeyPatch, kind: type[CostlabError]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise kind("it broke\x1b[31m", "mend it")

    monkeypatch.setattr("costlab.jobs.nightly.nightly", fails)
    says(run("nightly"), kind.exit_code, "it broke\\x1b[31m", "mend it")
    told = run("nightly", "--debug")
    assert "Traceback" in told.stderr
    assert told.exit_code == kind.exit_code


@pytest.mark.usefixtures("config")
def test_a_day_below_the_threshold_ends_with_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "costlab.jobs.nightly.nightly", lambda *_, **__: Outcome("prod: incomplete", ExitCode.INCOMPLETE)
    )
    done = run("nightly")
    assert (done.exit_code, done.stdout) == (4, "prod: incomplete\n")
    line = json.loads(run("nightly", "--log-format", "json").stdout)
    assert (line["log.level"], line["process.exit_code"]) == ("warning", 4)


@pytest.mark.usefixtures("config")
def test_an_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("costlab.jobs.nightly.nightly", stops)
    done = run("nightly")
    assert (done.exit_code, done.stderr) == (130, "interrupted\n")


def test_the_jobs_get_what_was_asked(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    posting: list[bool] = []

    def listens(
        settings: Settings,
        wanted: Asked,
        *,
        now: datetime,
        source_of: object,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        fail: Callable[[str], None],
        step: Callable[[str], None],
        posts: object,
        crew: object,
        ended: object,  # noqa: ARG001 - passed by its name
        index: object,  # noqa: ARG001
    ) -> Outcome:
        assert crew is None
        say("a line\nof two")
        warn("odd")
        fail("broken")
        step("a step")
        posting.append(posts is not None)
        asked.append((str(wanted.date), str(wanted.since), wanted.force, now, settings.lake, source_of))
        return Outcome("done")

    monkeypatch.setattr("costlab.jobs.nightly.nightly", listens)
    done = run("nightly", "--since", "2026-11-01", "--force", "it was wrong", "--log-format", "json")
    assert asked[0][:5] == ("None", "2026-11-01", "it was wrong", NOW, config / "lake")
    lines, [last] = [json.loads(line) for line in done.stderr.splitlines()], done.stdout.splitlines()
    told = [(line["log.level"], line["message"]) for line in lines]
    assert told == [("info", "a line␊of two"), ("warning", "odd"), ("error", "broken")]
    assert (json.loads(last)["message"], json.loads(last)["process.exit_code"]) == ("done", 0)
    quiet = run("nightly", "-v", "--date", "-2d", "--no-notify", "--log-format=json")
    assert (len(quiet.stderr.splitlines()), asked[1][:2]) == (4, ("2026-11-19", "None"))
    assert posting == [True, False]
    unset = run("nightly", "--date", "-2d", "--force", " ")
    assert (unset.exit_code, len(asked)) == (2, 2)
    assert "a reason is needed" in unset.stderr


@pytest.mark.parametrize(
    ("words", "fault", "told"),
    [
        (("nightly",), ConfigError("the token secret-7\nis bad", "mend it"), {"costlab.hint": "mend it", "process.exit_code": 2}),
        (("nightly",), RuntimeError("secret-7"), {"message": "unexpected RuntimeError", "process.exit_code": 1}),
        (("nightly", "--debug"), RuntimeError("secret-7"), {"error.stack_trace": "RuntimeError: secret-7"}),
        (("nightly",), KeyboardInterrupt(), {"message": "interrupted", "process.exit_code": 130}),
        (("nightly", "--no-such"), None, {"message": "No such option", "process.exit_code": 2}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("asked", [("--log-format", "json"), ("--log-format=json",)])
@pytest.mark.usefixtures("config")
def test_a_fault_is_one_object_of_json_too(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], fault: BaseException | None,
    told: dict[str, str | int], asked: tuple[str, ...],
) -> None:  # fmt: skip
    def fails(*_: object, **__: object) -> None:
        if fault:
            raise fault

    monkeypatch.setattr("costlab.jobs.nightly.nightly", fails)
    done = run(*words, *asked)
    [line] = done.stderr.splitlines()
    found = json.loads(line)
    assert datetime.fromisoformat(found["@timestamp"]).tzinfo is not None
    assert (found["log.level"], found["event.dataset"]) == ("error", "costlab.log")
    for name, value in told.items():
        assert value == found[name] if isinstance(value, int) else value in found[name]
    assert done.stdout == ""
    assert ("secret-7" in line) == (isinstance(fault, ConfigError) or "--debug" in words)


def test_the_main_job_runs_step_by_step_and_twice(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from costlab.sources.synthetic import SyntheticCluster, SyntheticSource

    story = SyntheticCluster(days=1)
    monkeypatch.setattr("costlab.cli.running._sources", lambda *_: lambda *_: SyntheticSource(story))
    assert run("nightly", "--dry-run").stdout == "prod: 2026-11-20\n"
    (config / "late.yaml").write_text((config / "costlab.yaml").read_text() + "billing: {max_gap: 2h}\n")
    early = run("--config", "late.yaml", "nightly", "--dry-run").stdout
    assert early == "prod: 2026-11-20 (not before 2026-11-21 02:00 UTC)\n"
    assert not (config / "lake").exists()
    extracted = run("extract", "--date", "2026-11-20")
    assert (extracted.exit_code, "extracted" in extracted.stdout) == (0, True), extracted.output
    assert run("compute", "--date", "2026-11-20").exit_code == 0
    assert run("recommend", "--date", "2026-11-20").exit_code == 0
    shown = json.loads(run("savings", "--date", "2026-11-20", "-o", "json").stdout)
    *advised, total = shown["rows"]
    assert (shown["schema"], total["cluster"]) == ("costlab.savings/1", "(total)")
    assert {row["resource"] for row in advised} == {"gpu"}, "a day is enough for a GPU, not for a request"
    written = run("report", "--date", "2026-11-20", "--cluster", "prod")
    assert Path(written.stdout.strip()).is_file(), written.output
    front = Path(written.stdout.strip()).parents[2] / "index.html"
    assert 'href="prod/index.html"' in front.read_text()
    every = run("report", "--all", "--cluster", "prod", "--date", "2026-11-20")
    says(every, 2, "--date, --window and --all exclude each other")
    for window, fault in (
        ("2026-W47", "2026-W47 is not over: its last day is 2026-11-22"),
        ("7d", "2026-11-14..2026-11-21 is neither a week nor a month"),
        ("last-week", "no day of 2026-W46 of cluster prod is in the lake"),
    ):
        says(run("report", "--window", window, "--cluster", "prod"), 2, fault)
    again = run("nightly", "--date", "2026-11-20")
    assert (again.exit_code, "nothing committed" in again.stdout) == (0, True), again.output
    assert run("nightly").stdout == "nothing was due\n"


@pytest.fixture
def november(config: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Outcome | BaseException]:
    """How each day that the lake of `prod` holds ends, whoever computes it."""
    ends: dict[str, Outcome | BaseException] = {
        f"2026-11-{day:02}": Outcome(f"prod 2026-11-{day:02}: complete") for day in (18, 19, 20)
    }

    def computes(_lake: object, _settings: object, _cluster: str, day: object) -> Outcome:
        end = ends[str(day)]
        if isinstance(end, Outcome):
            return end
        raise end

    Lake.create(config / "lake")
    monkeypatch.setattr("costlab.jobs.recompute.computed", computes)
    monkeypatch.setattr("costlab.jobs.recompute.put_computed", lambda ended, *_: ended)
    monkeypatch.setattr(
        Lake, "days", lambda *_: dict.fromkeys(map(date.fromisoformat, ends), DayState.COMPLETE)
    )
    return ends


def test_a_window_is_computed_day_by_day_and_one_s_fault_stops_no_other(
    november: dict[str, Outcome | BaseException],
) -> None:
    done = run("compute", "--window", "2026-11-19..2026-11-30")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "prod 2026-11-19: complete\nprod 2026-11-20: complete\n"
    november["2026-11-18"] = errors.ReconcileError("it differs", "report it")
    november["2026-11-19"] = errors.ConfigError("not as a whole", "read it first")
    november["2026-11-20"] = Outcome("prod 2026-11-20: incomplete", ExitCode.INCOMPLETE)
    done = run("compute", "--window", "2026-11")
    assert done.exit_code == 7
    assert done.stdout.splitlines() == [
        "prod 2026-11-18: not computed: it differs",
        "prod 2026-11-19: not computed: not as a whole",
        "prod 2026-11-20: incomplete",
    ]
    assert done.stderr == "error: not computed: prod 2026-11-18, prod 2026-11-19\nhint: report it\n"
    assert run("compute", "--window", "2026-11-20").exit_code == 4
    says(run("compute", "--window", "2026-11-18"), 7, "it differs", "report it")


def test_a_window_that_is_interrupted_has_said_what_is_done_and_frees_the_lake(
    november: dict[str, Outcome | BaseException], config: Path
) -> None:
    november["2026-11-19"] = KeyboardInterrupt()
    done = run("compute", "--window", "2026-11")
    assert (done.exit_code, done.stdout) == (130, "prod 2026-11-18: complete\n")
    assert done.stderr.strip() == "interrupted"
    with Lake.open(config / "lake").locked():
        pass


words = st.sampled_from(["cost", "--by", "team", "-o", "json", "sql", "select 1", "--window=7d", "-n", "x"])
common = st.sampled_from(
    [["--config", "c"], ["--lake=l"], ["-v"], ["-vv"], ["--debug"], ["--log-format", "json"]]
)


@given(st.lists(words, max_size=5), st.lists(common, max_size=4), st.data())
def test_common_options_may_stand_anywhere(
    rest: list[str], options: list[list[str]], data: st.DataObject
) -> None:
    line = list(rest)
    for option in options:
        # Never between an option and its value: the words of `rest` stay as they are.
        place = data.draw(st.integers(0, len(line)))
        while 0 < place < len(line) and line[place - 1] in [
            name for name, has_value in COMMON.items() if has_value
        ]:
            place += 1
        line[place:place] = option
    moved = hoisted(line)
    assert moved[len(moved) - len(rest) :] == rest
    assert sorted(moved) == sorted(line)
    assert hoisted(moved) == moved


def test_nothing_moves_behind_two_dashes() -> None:
    assert hoisted(["sql", "--", "--lake", "-v"]) == ["sql", "--", "--lake", "-v"]


@pytest.mark.parametrize("name", [name for name, has_value in COMMON.items() if has_value])
@pytest.mark.parametrize("rest", [["doctor"], ["doctor", "--files"], ["cost", "-v", "--by", "team"]])
def test_a_common_option_without_its_value_is_said_and_takes_no_other_word(
    name: str, rest: list[str]
) -> None:
    done = run(*rest, name)
    assert (done.exit_code, done.stdout) == (ExitCode.USAGE, "")
    assert f"error: Option '{name}' requires an argument." in done.stderr


def test_a_bare_call_shows_help_and_a_version_says_it() -> None:
    assert (run().exit_code, "Main job" in run().stdout) == (2, True)
    assert (run("config").exit_code, run("config").stderr) == (2, "")
    assert run("--version").stdout == f"costlab {__version__}\n"
    assert run("version").stdout.startswith(f"costlab {__version__}, Python 3.")


def shell(command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("costlab ", f"{shlex.quote(sys.executable)} -m costlab ")],
        capture_output=True, text=True, check=False, env={**os.environ, **environ},
    )  # fmt: skip


def test_a_reader_that_has_had_enough_is_no_fault(demo: Path) -> None:
    done = shell(f"costlab sql --lake {demo / 'lake'} 'from range(300000)' -o csv | head -1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "range\n", "")


@pytest.mark.parametrize(
    "args", [["--help"], ["cost", "--help"], ["config"], ["--version"], ["queries", "-o", "csv"]]
)
def test_a_reader_that_has_gone_is_no_fault(args: list[str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as nowhere:  # noqa: PTH123 - a descriptor
        done = subprocess.run(
            [sys.executable, "-m", "costlab", *args],
            stdout=nowhere,
            stderr=subprocess.PIPE,
            check=False,
            cwd=tmp_path,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_that_is_not_of_utf_8_is_shown_what_it_can(demo: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shown = shell("costlab cost --help", **ascii_only)
    assert (shown.returncode, shown.stdout.isascii(), shown.stderr) == (0, True, "")
    asked = shell(f"costlab cost --lake {demo / 'lake'} --window 2026-11 -o csv", **ascii_only)
    assert (asked.returncode, asked.stdout.startswith("team,cost")) == (0, True)


def test_off_a_terminal_nothing_is_coloured_or_cut(demo: Path) -> None:
    done = shell(
        f"costlab cost --lake {demo / 'lake'} --window 2026-11 --by workload", COLUMNS="40", TERM="xterm"
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "…" not in done.stdout
    assert len({line.index("Deployment") for line in done.stdout.splitlines() if "Deployment" in line}) == 1


def test_off_a_terminal_no_sentence_is_cut(tmp_path: Path) -> None:
    told = json.loads(run("queries", "-o", "json").stdout)["rows"]
    drawn = run("queries").stdout
    texts = [row["answers"] for row in told]
    assert max(map(len, texts)) > 96
    assert [text for text in texts if text not in drawn] == []
    far = tmp_path / ("a" * 60) / ("b" * 60)
    far.mkdir(parents=True)
    (far / "costlab.yaml").write_text(CONFIG)
    done = run("doctor", "--config", far / "costlab.yaml")
    assert str(far / "costlab.yaml") in done.stdout


def test_data_is_utf_8_whatever_the_locale(demo: Path) -> None:
    done = shell(
        f"costlab sql --lake {demo / 'lake'} \"select 'é–␊' as a\" -o csv",
        LC_ALL="C",
        PYTHONIOENCODING="ascii",
    )
    assert (done.returncode, done.stdout) == (0, "a\né–␊\n")


CRASH = """
import sys
from costlab import __main__
from costlab.config import load
def crash(*_, **__):
    token = "s3cret-" + "canary"
    raise ValueError(token)
load.load = crash
sys.argv = ["costlab", "config", "check", *sys.argv[1:]]
__main__.main()
"""


def test_an_unexpected_fault_is_two_lines_without_its_words() -> None:
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert re.fullmatch(r"error: unexpected ValueError at frame\.py:\d+", first)
    assert second == "hint: this is a fault of costlab: run it again with --debug and report what it says"
    told = subprocess.run(
        [sys.executable, "-c", CRASH, "--debug"], capture_output=True, text=True, check=False
    )
    assert (told.returncode, "Traceback" in told.stderr, "token =" in told.stderr) == (1, True, False)
    assert "ValueError: s3cret-canary" in told.stderr


INTERRUPTED_IMPORT = """
import os, signal, sys
class Interrupts:
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
from costlab import __main__
__main__.main()
"""


def test_an_interruption_while_costlab_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("number", "after_s", "code", "said"),
    [
        (signal.SIGINT, 2.5, 130, "interrupted\n"),  # after two seconds DuckDB would draw how far it is
        (signal.SIGTERM, 0.2, 143, ""),
    ],
)
def test_a_signal_ends_a_query_with_its_own_code(
    demo: Path, number: signal.Signals, after_s: float, code: int, said: str
) -> None:
    """The clock runs from when the lake is open and the query is next."""
    endless = "select count(*) from range(1000000000000) as r(n) where hash(n) % 7 = 3"
    script = ENDLESS.format(after_s=after_s, number=int(number))
    done = subprocess.run(
        [sys.executable, "-c", script, "sql", endless, "--lake", demo / "lake"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


ENDLESS = """
import os, threading
from costlab import __main__
from costlab.store.warehouse import Warehouse
asked = Warehouse.sql
def ask(*args, **options):
    threading.Timer({after_s}, os.kill, (os.getpid(), {number})).start()
    return asked(*args, **options)
Warehouse.sql = ask
__main__.main()
"""


STOPPED = """
import os, signal, sys
from costlab import __main__
from costlab.config import load
def compiles(*_, **__):
    try:
        os.kill(os.getpid(), NUMBER)
        signal.pause()
    except BaseException as stopped:
        raise SystemError("as numba does") from stopped
load.load = compiles
sys.argv = ["costlab", "config", "check", *sys.argv[1:]]
__main__.main()
"""


@pytest.mark.parametrize(("number", "code", "said"), [(2, 130, "interrupted\n"), (15, 143, "")])
def test_a_signal_of_which_a_library_makes_an_error_of_its_own(number: int, code: int, said: str) -> None:
    script = STOPPED.replace("NUMBER", str(number))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


@pytest.mark.parametrize(("number", "code", "said"), [(2, 130, "interrupted"), (15, 143, "ended by SIGTERM")])
@pytest.mark.parametrize("how", ["by itself", "in a library's error"])
def test_the_last_line_of_a_json_log_says_what_ended_it(number: int, code: int, said: str, how: str) -> None:
    script = STOPPED.replace("NUMBER", str(number)).replace('["costlab",', '["costlab", "--log-format=json",')
    if how == "by itself":
        script = script.replace('raise SystemError("as numba does") from stopped', "raise")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    [line] = done.stderr.splitlines()
    told = json.loads(line)
    assert (done.returncode, told["process.exit_code"], told["message"]) == (code, code, said)
    assert told["log.level"] == "error"


def test_sigterm_unwinds_and_ends_with_143() -> None:
    script = (
        "import os, signal; from costlab.cli.frame import on_signals; on_signals()\n"
        "try: os.kill(os.getpid(), signal.SIGTERM); signal.pause()\n"
        "finally: print('unwound')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "unwound\n", "")
