"""What deploys costlab: valid by schema, with the least privileges by policies of our own, and printed as it ships."""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
import typer.main
import yaml
from typer.testing import CliRunner

from costlab import __version__
from costlab.cli.app import app
from costlab.config.book import plain_label
from costlab.config.load import load
from costlab.config.settings import Settings
from costlab.domain.deployment import DeployFile
from costlab.domain.errors import ExitCode
from costlab.domain.metrics import METRICS
from costlab.domain.signals import SIGNALS, Exporter, Signal
from costlab.jobs.pipelines import _ENGINES
from costlab.render.deployment import PATHS
from costlab.sources.prometheus.catalogue import built_in
from costlab.store.place import BucketPath, workshop

TERRAFORM = shutil.which("terraform") or ""
ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
# Files that nothing prints: what tests the rules, and what says which files an image is made of.
BESIDE = {"prometheus/costlab.rules.test.yaml", "Dockerfile.dockerignore"}
FINAL = {
    ExitCode.USAGE,
    ExitCode.INCOMPLETE,
    ExitCode.LAKE_DAMAGED,
    ExitCode.NOT_RECONCILED,
    ExitCode.DOCTOR_FAILED,
}
Row = dict[str, Any]


def printed(*words: str) -> str:
    done = CliRunner().invoke(app, ["deploy", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def objects() -> Iterator[Row]:
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text())


def the(kind: str, name: str = "costlab") -> Row:
    [found] = [each for each in objects() if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


JOBS = ("costlab", "costlab-prune")


def pod_of(cronjob: Row) -> Row:
    pod: Row = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("file", DeployFile)
def test_what_is_printed_is_what_ships(file: DeployFile, tmp_path: Path) -> None:
    shipped = (DEPLOY / PATHS[file]).read_text()
    assert printed(file.value) == shipped
    assert printed(file.value, "--out", str(tmp_path / "x")) == ""
    assert (tmp_path / "x").read_text() == shipped


def test_every_file_is_printed_by_some_name() -> None:
    assert [line.split()[0] for line in printed().splitlines()] == [*DeployFile]
    there = {str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*") if path.is_file()}
    assert there == {*PATHS.values()} | BESIDE
    assert PATHS.keys() == {*DeployFile}


def test_a_namespace_an_image_and_a_schedule_of_ones_own() -> None:
    mine = printed(
        "cronjob", "--namespace", "finops", "--image", "r.example.com:5000/x/costlab@sha256:ab", "--schedule", "0 3 * * *"
    )  # fmt: skip
    documents = list(yaml.safe_load_all(mine))
    assert {each["metadata"]["namespace"] for each in documents} == {"finops"}
    night, prune = documents[-2:]
    assert (night["spec"]["schedule"], prune["spec"]["schedule"]) == ("0 3 * * *", "0 8 * * 0")
    for job in (night, prune):
        assert pod_of(job)["containers"][0]["image"] == "r.example.com:5000/x/costlab@sha256:ab"
    for file in ("rbac", "networkpolicy"):
        assert yaml.safe_load(printed(file, "--namespace", "finops"))["metadata"]["namespace"] == "finops"
    assert 'CronTriggerTimetable("0 3 * * *", ' in printed("airflow", "--schedule", "0 3 * * *")
    assert "\n0 3 * * *  costlab  " in printed("cron", "--schedule", "0 3 * * *")


@pytest.mark.parametrize("name", ["123", "1e5", "true", "null", "on", "0x1f", "1-1"])
def test_a_name_that_yaml_would_take_for_something_else_stays_a_name(name: str) -> None:
    for file in ("rbac", "networkpolicy", "cronjob"):
        for each in yaml.safe_load_all(printed(file, "--namespace", name)):
            assert each["metadata"]["namespace"] == name
            kubernetes_validate.validate(each, "1.33", strict=True)
    assert yaml.safe_load(printed("kustomization", "--namespace", name))["namespace"] == name
    cronjob = list(yaml.safe_load_all(printed("cronjob", "--image", name)))[-1]
    assert pod_of(cronjob)["containers"][0]["image"] == name


@pytest.mark.parametrize(
    "schedule",
    ["30 1 * * *", "01 01 * * *", "*/15 1,2 1-5/2 JAN-MAR *", "0 3 * * mon-fri", "0 3 29 2 *", "0 3 31 2 1", "59 23 31 12 6"],
)  # fmt: skip
def test_a_schedule_that_all_three_take_is_printed(schedule: str) -> None:
    for file, before in (("cronjob", '  schedule: "'), ("cron", "\n"), ("airflow", 'CronTriggerTimetable("')):
        assert f"{before}{schedule}" in printed(file, "--schedule", schedule)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("99 99 * * *", "99 is no minute (0-59); 99 is no hour (0-23)"),
        ("60 24 0 13 *", "60 is no minute (0-59); 24 is no hour (0-23); 0 is no day of the month (1-31); 13 is no month (1-12)"),
        ("30 1 * * 7", "7 is no day of the week (0-6; Sunday is 0)"),
        ("30 1 * * 8", "8 is no day of the week (0-6; Sunday is 0)"),
        ("30 1 * foo *", "foo is no month (1-12)"),
        ("30 1 * * jan", "jan is no day of the week (0-6; Sunday is 0)"),
        ("5-1 1 * * *", "5-1 ends before it begins"),
        ("30 1 * * fri-sun", "fri-sun ends before it begins"),
        ("*/0 1 * * *", "*/0 is no step of the minute"),
        ("0 */24 * * *", "*/24 is no step of the hour"),
        ("1/5 1 * * *", "'1/5' is no minute"),
        ("30 jan/2 * * *", "'jan/2' is no hour"),
        ("*5 1 * * *", "'*5' is no minute"),
        ("1,,2 1 * * *", "'1,,2' is no minute"),
        ("- 1 * * *", "'-' is no minute"),
        ("1-5-7 1 * * *", "'1-5-7' is no minute"),
        ("\N{SUPERSCRIPT TWO}0 1 * * *", "is no minute"),
        ("\N{FULLWIDTH DIGIT TWO} 1 * * *", "is no minute"),
        ("30 1 ? * *", "'?' is no day of the month"),
        ("30 1 L * *", "L is no day of the month (1-31)"),
        ("30 1 * * 5#2", "'5#2' is no day of the week"),
        ("30 1 31 2 *", "no such month has that day, so it never comes"),
        ("30 1 30-31 feb *", "no such month has that day, so it never comes"),
        ("30 1 31 4,6,9,nov *", "no such month has that day, so it never comes"),
        ("30 1 * *", "it needs five fields"),
        ("30  1 * * *", "it needs five fields"),
        ("30 1 * * * root", "it needs five fields"),
        ("TZ=UTC 30 1 * * *", "it needs five fields"),
        ("@daily", "it needs five fields"),
        ("", "it needs five fields"),
        ("30 1 * * *\n", r"'*\n' is no day of the week"),
        ('30 1 * * *"', "is no day of the week"),
    ],
)  # fmt: skip
def test_a_schedule_that_cron_or_kubernetes_refuses_is_refused(schedule: str, said: str) -> None:
    for file in ("cronjob", "cron", "airflow"):
        done = CliRunner().invoke(app, ["deploy", file, "--schedule", schedule])
        assert done.exit_code == ExitCode.USAGE
        assert done.stdout == ""
        assert done.stderr.startswith(f"error: --schedule {schedule!r} is no schedule: ")
        assert said in done.stderr
        assert "hint: write it as in --schedule '30 1 * * *'" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cronjob", "--namespace", "Fin_Ops"), "--namespace 'Fin_Ops' is no namespace"),
        (("rbac", "--namespace", ""), "--namespace '' is no namespace"),
        (("cronjob", "--image", "a b"), "--image 'a b' is no image"),
        (("cronjob", "--image", "x:"), "--image 'x:' is no image"),
        (("cronjob", "--image", "-"), "--image '-' is no image"),
        (("cronjob", "--image", "x\nprivileged: true"), "is no image"),
        (("cron", "--schedule", "0 3 * *"), "--schedule '0 3 * *' is no schedule"),
        (("cron", "--schedule", "0 3 * * * root"), "is no schedule"),
        (("rbac", "--image", "x"), "rbac has no image"),
        (("cronjobs",), "cronjobs"),
        (("--image", "x"), "no file is named"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, ["deploy", *words])
    assert done.exit_code == ExitCode.USAGE
    assert said in done.stderr
    assert done.stdout == ""


def terraformed(folder: Path, *variables: str) -> dict[str, Row]:
    """The objects that Terraform would apply; what applies them is left out, for it needs a provider and a cluster."""
    text, applying, _ = printed("terraform").partition("\nterraform {")
    assert applying
    (folder / "main.tf").write_text(f'{text}\noutput "objects" {{\n  value = local.objects\n}}\n')
    given = [f"-var={each}" for each in (f"manifests={DEPLOY / 'kubernetes'}", *variables)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "CHECKPOINT_DISABLE": "1"}

    def run(*words: str) -> str:
        done = subprocess.run(
            [TERRAFORM, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("apply", "-auto-approve", "-input=false", *given)
    found: dict[str, Row] = json.loads(run("output", "-json", "objects"))
    return found


def as_terraform_has_them() -> dict[str, Row]:
    found = {
        f"{each['kind']} {each['metadata']['name']}".removesuffix(" costlab"): deepcopy(each)
        for each in objects()
    }
    assert found["NetworkPolicy"]["spec"].pop("ingress") == []
    return found


@pytest.mark.skipif(not TERRAFORM, reason="there is no terraform")
def test_terraform_applies_the_objects_that_ship(tmp_path: Path) -> None:
    assert terraformed(tmp_path) == as_terraform_has_them()


@pytest.mark.skipif(not TERRAFORM, reason="there is no terraform")
def test_terraform_s_variables_change_one_place_each(tmp_path: Path) -> None:
    changed = terraformed(
        tmp_path, "namespace=finops", "image=r.example.com/costlab:2", "schedule=0 3 * * *", "storage=100Gi",
        "configuration=timezone: UTC\n",
    )  # fmt: skip
    expected = as_terraform_has_them()
    for each in expected.values():
        each["metadata"]["namespace"] = "finops"
    for name in ("CronJob", "CronJob costlab-prune"):
        pod_of(expected[name])["containers"][0]["image"] = "r.example.com/costlab:2"
    expected["CronJob"]["spec"]["schedule"] = "0 3 * * *"
    expected["PersistentVolumeClaim"]["spec"]["resources"]["requests"]["storage"] = "100Gi"
    expected["ConfigMap"]["data"]["costlab.yaml"] = "timezone: UTC\n"
    assert changed == expected
    for each in changed.values():
        kubernetes_validate.validate(each, "1.33", strict=True)


@pytest.mark.skipif(not TERRAFORM, reason="there is no terraform")
def test_terraform_finds_its_file_well_formed() -> None:
    done = subprocess.run(
        [TERRAFORM, "fmt", "-check", "-diff", DEPLOY / "terraform"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("version", ["1.30", "1.33"])
def test_every_object_is_valid_by_the_strict_schema(version: str) -> None:
    kinds = []
    for each in objects():
        kubernetes_validate.validate(deepcopy(each), version, strict=True)
        kinds.append(each["kind"])
    assert sorted(kinds) == [
        "ConfigMap",
        "CronJob",
        "CronJob",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "ServiceAccount",
    ]
    base = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())
    there = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert {*base["resources"]} == there - {"kustomization.yaml"}
    assert {each["metadata"]["namespace"] for each in objects()} == {base["namespace"]}


def privileges(pod: Row) -> set[str]:
    """What a pod has or may do, and does not need: Kubernetes' restricted standard, and more."""
    held = {
        "token": pod.get("automountServiceAccountToken") is not False,
        "environment of Services": pod.get("enableServiceLinks") is not False,
        "host": any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")),
        "root": not pod.get("securityContext", {}).get("runAsNonRoot")
        or not pod["securityContext"].get("runAsUser"),
        "seccomp": pod.get("securityContext", {}).get("seccompProfile") != {"type": "RuntimeDefault"},
        "default account": pod.get("serviceAccountName") in (None, "default"),
        "volumes": any(
            not volume.keys() <= {"name", "configMap", "secret", "persistentVolumeClaim", "emptyDir"}
            for volume in pod["volumes"]
        ),
        "boundless scratch": any(volume.get("emptyDir") == {} for volume in pod["volumes"]),
    }
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        context = container.get("securityContext", {})
        held |= {
            "escalation": context.get("allowPrivilegeEscalation") is not False,
            "privileged": bool(context.get("privileged")),
            "writable root": not context.get("readOnlyRootFilesystem"),
            "capabilities": context.get("capabilities") != {"drop": ["ALL"]},
            "boundless memory": "memory" not in container.get("resources", {}).get("limits", {}),
            "secrets in the environment": any("valueFrom" in each for each in container.get("env", [])),
        }
    return {name for name, has in held.items() if has}


def test_the_pods_have_no_privilege_and_the_policy_would_see_each() -> None:
    pod = pod_of(the("CronJob"))
    assert [privileges(pod_of(the("CronJob", name))) for name in JOBS] == [set(), set()]
    bare = {"containers": [{"name": "x"}], "volumes": [{"name": "h", "hostPath": {}}, {"emptyDir": {}}]}
    assert len(privileges(bare)) == 11
    worse = deepcopy(pod) | {"hostPID": True}
    worse["containers"][0]["securityContext"]["privileged"] = True
    worse["containers"][0]["env"].append({"name": "T", "valueFrom": {}})
    assert privileges(worse) == {"host", "privileged", "secrets in the environment"}
    account = the("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert account["metadata"]["name"] == pod["serviceAccountName"]


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_tried_again_only_where_that_can_help(name: str) -> None:
    cronjob = the("CronJob", name)["spec"]
    job = cronjob["jobTemplate"]["spec"]
    assert cronjob["concurrencyPolicy"] == "Forbid"
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    fails, ignores = job["podFailurePolicy"]["rules"]
    assert (fails["action"], fails["onExitCodes"]["operator"]) == ("FailJob", "In")
    assert fails["onExitCodes"]["containerName"] == job["template"]["spec"]["containers"][0]["name"]
    assert fails["onExitCodes"]["values"] == sorted(FINAL)
    assert ignores["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert {ExitCode.SOURCE_FAILED, ExitCode.BUSY} & FINAL == set()


def test_the_prune_is_the_night_s_pod_with_another_word_and_begins_when_no_night_can_hold_the_lake() -> None:
    night, prune = (deepcopy(the("CronJob", name)) for name in JOBS)
    for each, word in ((night, "nightly"), (prune, "prune")):
        container = pod_of(each)["containers"][0]
        assert container["args"].pop() == word
        understood(["costlab", *container["args"], word])
    assert (
        night["spec"]["jobTemplate"]["spec"]["template"] == prune["spec"]["jobTemplate"]["spec"]["template"]
    )
    assert night["spec"]["timeZone"] == prune["spec"]["timeZone"]
    [begin_s, prune_s] = [
        (int(hour) * 60 + int(minute)) * 60
        for minute, hour, *_ in (each["spec"]["schedule"].split() for each in (night, prune))
    ]
    assert begin_s + night["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] <= prune_s
    [when] = [line for line in printed("cron").splitlines() if line.endswith(" prune")]
    assert when.startswith(prune["spec"]["schedule"] + " ")


def environment_of(pod: Row) -> dict[str, str]:
    return {each["name"]: each["value"] for each in pod["containers"][0]["env"]}


def test_the_configuration_is_taken_and_writes_only_to_volumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = the("ConfigMap")["data"]["costlab.yaml"]
    pod = pod_of(the("CronJob"))
    settings, mounts = Settings(), pod["containers"][0]["volumeMounts"]
    for name, value in environment_of(pod).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", "/")  # of a user without an entry in /etc/passwd
    for shown in (text, re.sub(r"# (?=bearer|metrics)", "", text)):
        (tmp_path / "costlab.yaml").write_text(shown)
        settings = load(tmp_path / "costlab.yaml", {})
        writable = [mount["mountPath"] for mount in mounts if not mount.get("readOnly")]
        for path in (Path(settings.lake), settings.report.out):
            assert any(path.is_relative_to(mount) for mount in writable)
        assert {mount["name"] for mount in mounts} == {volume["name"] for volume in pod["volumes"]}
        for wanted in (*environment_of(pod).values(), workshop(BucketPath.at("s3://b/c?region=us-east-1"))):
            assert any(Path(str(wanted)).is_relative_to(mount) for mount in writable), wanted
    token = settings.clusters[0].prometheus.bearer_token_file
    secret = next(mount["mountPath"] for mount in mounts if mount["name"] == "secrets")
    keys = re.findall(r"# - \{name: AWS_SHARED_CREDENTIALS_FILE, value: (.+)\}", printed("cronjob"))
    assert [Path(key).is_relative_to(secret) for key in keys] == [True] * len(JOBS)
    assert token is not None
    assert token.is_relative_to(secret)
    assert settings.metrics.pushgateway
    cronjob = the("CronJob")["spec"]
    assert cronjob["timeZone"].removeprefix("Etc/") == settings.timezone
    understood(["costlab", *pod["containers"][0]["args"]])


def test_pods_speak_to_dns_and_to_the_prometheus_of_the_configuration_alone() -> None:
    policy = the("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == []
    template = the("CronJob")["spec"]["jobTemplate"]["spec"]["template"]
    assert policy["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    namespaces = {}
    for rule in policy["egress"]:
        [peer] = rule["to"]  # a rule without `to` allows everything
        place = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        assert peer["podSelector"]["matchLabels"]
        namespaces[place] = {(port["protocol"], port["port"]) for port in rule["ports"]}
    settings = Settings.model_validate(yaml.safe_load(the("ConfigMap")["data"]["costlab.yaml"]))
    host, port = re.findall(r"//([^:]+):(\d+)", settings.clusters[0].prometheus.url)[0]
    assert namespaces == {
        "kube-system": {("UDP", 53), ("TCP", 53)},
        host.split(".")[1]: {("TCP", int(port))},
    }


def test_what_the_policy_has_as_a_comment_opens_named_peers_and_ports_alone() -> None:
    text, count = re.subn(r"^    # (?=- | )", "    ", printed("networkpolicy"), flags=re.MULTILINE)
    assert count
    policy = yaml.safe_load(text)
    kubernetes_validate.validate(deepcopy(policy), "1.33", strict=True)
    rules = policy["spec"]["egress"]
    assert len(rules) == 2 + 5  # a Prometheus outside, Pushgateway, Elasticsearch, dask, everything else
    for rule in rules:
        assert rule["ports"]
        for peer in rule["to"]:
            assert any(place.get("matchLabels") or place.get("cidr") for place in peer.values())
    everywhere = [
        peer["ipBlock"] for rule in rules for peer in rule["to"] if peer.get("ipBlock", {}).get("except")
    ]
    closed = [ip_network(each) for each in everywhere[0]["except"]]
    # Nodes, pods, Services, and the metadata that gives away a node's rights.
    for address in ("10.96.0.1", "172.20.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254"):
        assert any(ip_address(address) in each for each in closed)


def understood(words: list[str]) -> None:
    """The command line takes them, up to where a job would begin."""
    assert Path(words.pop(0)).name == "costlab"
    command: Any = typer.main.get_command(app)
    place = next(i for i, word in enumerate(words) if word in command.commands)
    command.make_context("costlab", [*words[:place], words[place]])
    command.commands[words[place]].make_context(words[place], words[place + 1 :])


def test_the_lines_of_crontab_are_understood() -> None:
    lines = [line for line in printed("cron").splitlines() if re.match(r"[\d*]", line)]
    assert len(lines) == 2
    for line in lines:
        *when, user, command = line.split(maxsplit=6)
        assert len(when) == 5
        assert user == "costlab"
        understood(shlex.split(command))


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch) -> Row:
    """The DAGs' module, run with as much of Airflow as it names; `tasks` has their tasks, `settings` what each was given."""
    made: Row = {"tasks": [], "settings": {}}

    def decorator(**settings: Any) -> Callable[[Any], Any]:
        def mark(function: Any) -> Any:
            made["settings"][function.__name__] = settings
            if not function.__name__.startswith("costlab_"):
                made["tasks"].append(function)
                return lambda: None
            return function

        return mark

    sdk, faults = ModuleType("airflow.sdk"), ModuleType("airflow.sdk.exceptions")
    sdk.dag = sdk.task = decorator  # type: ignore[attr-defined]  # a module of our own
    sdk.CronTriggerTimetable = lambda *given, **named: (given, named)  # type: ignore[attr-defined]  # the same
    faults.AirflowException = type("AirflowException", (Exception,), {})  # type: ignore[attr-defined]  # the same
    faults.AirflowFailException = type("AirflowFailException", (Exception,), {})  # type: ignore[attr-defined]  # the same
    for module in (ModuleType("airflow"), sdk, faults):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return runpy.run_path(str(DEPLOY / PATHS[DeployFile.AIRFLOW])) | made


def test_the_dag_measures_the_day_before_its_logical_date(dag: Row) -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    understood(dag["command"](late))
    assert dag["command"](late)[-3:] == ["nightly", "--date", "2026-11-21"]
    assert dag["command"](None)[-1] == "nightly"
    dag["command"].__globals__["TIMEZONE"] = "Europe/Berlin"
    assert dag["command"](late)[-1] == "2026-11-22"  # half past midnight of the 23rd there
    for name, schedule in (
        ("nightly", "30 1 * * *"),
        ("prune", the("CronJob", "costlab-prune")["spec"]["schedule"]),
    ):
        task, whole = dag["settings"][name], dag["settings"][f"costlab_{name}"]
        assert task["retries"] == 3
        assert (whole["max_active_runs"], whole["catchup"]) == (1, False)
        # A bare text would get the dates of intervals wherever Airflow is set so, which are a night earlier.
        assert whole["schedule"] == ((schedule,), {"timezone": "UTC"})


@pytest.mark.parametrize("code", ExitCode)
def test_the_dag_tries_again_only_where_that_can_help(
    dag: Row, code: ExitCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dag["FINAL_CODES"] == FINAL
    ended: subprocess.CompletedProcess[str] = subprocess.CompletedProcess([], code)
    started: list[list[str]] = []

    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        started.append(words)
        return ended

    monkeypatch.setattr(subprocess, "run", run)
    for task in dag["tasks"]:
        if not code:
            task()
            continue
        with pytest.raises(Exception, match=f"costlab ended with {code}\\b") as fault:
            task()
        assert type(fault.value).__name__ == ("AirflowFailException" if code in FINAL else "AirflowException")
    assert [words[-1] for words in started] == ["nightly", "prune"]
    understood(started[-1])


def test_the_image_is_pinned_and_runs_as_nobody_in_particular() -> None:
    text = (DEPLOY / "Dockerfile").read_text().replace("${LOCK}", "requirements.lock")
    assert f"costlab:{__version__} " in text
    assert pod_of(the("CronJob"))["containers"][0]["image"] == f"costlab:{__version__}"
    steps = [line.split(maxsplit=1) for line in re.sub(r"\\\n", " ", text).splitlines() if line[:1].isupper()]
    bases = {words.split()[0] for step, words in steps if step == "FROM"}
    assert all(re.fullmatch(r"\w+:\d[\w.-]+", base) for base in bases)
    assert {step for step, _ in steps} <= {
        "FROM",
        "WORKDIR",
        "ARG",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "ENTRYPOINT",
        "CMD",
    }
    last = next(i for i in reversed(range(len(steps))) if steps[i][0] == "FROM")
    runtime = dict(steps[last + 1 :])
    assert "RUN" not in runtime
    context = pod_of(the("CronJob"))["securityContext"]
    of_image = dict(each.split("=") for each in runtime["ENV"].split())
    assert environment_of(pod_of(the("CronJob"))).items() <= of_image.items()
    assert runtime["USER"] == f"{context['runAsUser']}:{context['runAsGroup']}"
    installs = [words for step, words in steps if step == "RUN"]
    assert sum("--require-hashes -r requirements.lock" in words for words in installs) == 1
    assert all(
        "--no-deps" in words or "--require-hashes" in words for words in installs if "pip install" in words
    )
    copied = {
        source for step, words in steps if step == "COPY" and "--from" not in words for source in words.split()[:-1]
    }  # fmt: skip
    assert all((ROOT / source).exists() for source in copied)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    extras = "requirements-extras.lock"  # which a build argument names in the place of the other
    assert dict(steps)["ARG"] == "LOCK=requirements.lock"
    assert f"--build-arg LOCK={extras}" in text
    assert {line[1:] for line in ignored if line.startswith("!")} == copied | {extras}
    included = re.findall(r'^"([\w/]+)" = "costlab/', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert {*included} <= copied  # else the wheel could not be built there


def scrape_jobs() -> dict[str, Row]:
    jobs = yaml.safe_load((DEPLOY / PATHS[DeployFile.SCRAPE]).read_text())["scrape_configs"]
    return {job["job_name"]: job for job in jobs}


def kept(job: Row, metric: str) -> bool:
    return all(
        re.fullmatch(rule["regex"], metric)
        for rule in job["metric_relabel_configs"]
        if rule["action"] == "keep"
    )


def test_what_is_scraped_is_all_that_costlab_and_its_alerts_read() -> None:
    jobs = scrape_jobs()
    of_exporters = {
        "kube_": "kube-state-metrics", "container_": "cadvisor", "kubelet_": "kubelet", "DCGM_": "dcgm-exporter",
    }  # fmt: skip
    read = {metric.name for signal in Signal for metric in built_in().metrics(signal)}
    rules = (DEPLOY / PATHS[DeployFile.PROMETHEUS]).read_text()
    read |= set(re.findall(r"\b(?:kube|kubelet)_\w+", rules))
    seen = set()
    for metric in read:
        for start, name in of_exporters.items():
            if metric.startswith(start):
                assert kept(jobs[name], metric), metric
                seen.add(name)
    assert seen == {*of_exporters.values()}
    assert not kept(jobs["cadvisor"], "container_fs_reads_total")
    named = set(re.findall(r"\bcostlab_\w+", rules))
    assert named
    assert named <= {metric.name for metric in METRICS}
    for signal in Signal:  # whatever comes from kube-state-metrics is named as its own
        if SIGNALS[signal].exporter is Exporter.KUBE_STATE_METRICS:
            assert all(metric.name.startswith("kube_") for metric in built_in().metrics(signal))


def test_promtool_takes_the_scrape_configuration(prometheus_folder: Path, tmp_path: Path) -> None:
    # Debian's build has no discovery by Kubernetes; the rest of the file is checked.
    text = (DEPLOY / PATHS[DeployFile.SCRAPE]).read_text()
    static, count = re.subn(
        r"kubernetes_sd_configs: \[\{role: (node|pod|endpoints)\}\]", "static_configs: []", text
    )
    assert count == len(scrape_jobs())
    (tmp_path / "scrape.yml").write_text(static)
    command = [str(prometheus_folder / "promtool"), "check", "config", "--syntax-only", "scrape.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_label_that_costlab_knows_is_let_through() -> None:
    values = yaml.safe_load((DEPLOY / PATHS[DeployFile.KUBE_STATE_METRICS]).read_text())
    lists = dict(re.fullmatch(r"(\w+)=\[(.*)\]", one).groups() for one in values["metricLabelsAllowlist"])  # type: ignore[union-attr,misc]  # all match
    allowed = {plain_label(name) for name in lists["pods"].split(",")}
    known = {
        name for engine in _ENGINES for names in (engine.pipeline, engine.task, engine.run) for name in names
    }
    known |= {*Settings().owner.labels, "costlab.io/ignore", "costlab.io/mute-until", "costlab.io/reason"}
    assert allowed == {plain_label(name) for name in known}
    assert lists["namespaces"].split(",") == list(Settings().owner.labels)
    assert lists["nodes"] == "*"
