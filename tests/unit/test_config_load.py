"""The configuration: found in order, every fault at once with its line, secrets never shown."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costlab.config.charging import Basis, Energy
from costlab.config.examples import example, write_examples
from costlab.config.faults import dotted
from costlab.config.load import load
from costlab.config.section import Section, format_duration, parse_duration
from costlab.config.servers import Engine
from costlab.config.settings import Configuration, Settings
from costlab.config.values import values
from costlab.domain.errors import ConfigError, ExitCode

SECRET = "s3cret-canary"  # noqa: S105 - it opens nothing
CLUSTER = "clusters:\n  - id: prod\n    prometheus:\n      url: http://prometheus:9090\n"


def written(folder: Path, text: str, name: str = "costlab.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def faults(path: Path, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    assert caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE
    lines = caught.value.message.replace(str(path.parent) + "/", "").splitlines()
    return [line.strip() for line in lines[1:]] if len(lines) > 1 else lines


WHOLE = """\
lake: ./lake
timezone: Europe/Berlin
clusters:
  - id: prod
    prometheus:
      url: http://prometheus.monitoring:9090/
      matchers: {cluster: prod}
      replica_labels: [prometheus_replica]
      engine: auto
      max_in_flight: 2
      headers: {X-Scope-OrgID: ml}
      bearer_token_file: token
accelerators: []
prices: {currency: EUR, gpu_hour: null, cpu_core_hour: 0.1, memory_gib_hour: 0.05, book: prices.yaml}
billing: {basis: request, resolution: 30s, max_gap: 5m}
owner: {labels: [team, owner], namespaces: {on: platform, 123: numbers}}
classes: {notebook: {names: ["jupyter-*"]}}
rightsizing: {window: 14d, risk: {training: low, inference: low, batch: medium, notebook: high}}
quota: {headroom: 0.15, horizon: 30d}
budgets: [{team: nlp, monthly: 20000, alert_at: [0.5, 0.8, 1.0]}]
report: {out: reports/out, keep: 90d}
notify: []
retention: {container_usage: 30d, gpu_usage: 30d, charges: 400d}
"""


def test_the_whole_documented_shape_is_accepted_and_typed(tmp_path: Path) -> None:
    written(tmp_path, "gpu_models: {NVIDIA L4: 0.8}\n", "prices.yaml")
    settings = load(written(tmp_path, WHOLE), {})
    [cluster] = settings.chosen("prod")
    assert cluster.prometheus.url == "http://prometheus.monitoring:9090"
    assert cluster.prometheus.engine is Engine.AUTO
    assert cluster.prometheus.bearer_token_file == tmp_path / "token"
    assert (settings.billing.basis, settings.billing.resolution_ms, settings.billing.max_gap_ms) == (
        Basis.REQUEST, 30_000, 300_000,
    )  # fmt: skip
    assert settings.owner.namespaces == {"on": "platform", "123": "numbers"}
    assert settings.prices.gpu_hour is None
    assert settings.book.gpu_models == {"NVIDIA L4": 0.8}
    assert (settings.lake, settings.report.out) == (tmp_path / "lake", tmp_path / "reports/out")
    assert (settings.report.keep_ms, settings.retention["charges"]) == (90 * 86_400_000, 400 * 86_400_000)


def test_what_init_writes_is_valid_and_holds_the_defaults(tmp_path: Path) -> None:
    write_examples(tmp_path / "new")
    settings = load(tmp_path / "new" / "costlab.yaml", {})
    bare = load(written(tmp_path, CLUSTER), {})
    assert (
        settings.model_copy(update={"clusters": ()}).config_hash == Settings(owner=settings.owner).config_hash
    )
    assert settings.prices.model_dump(exclude={"book"}) == bare.prices.model_dump(exclude={"book"})
    with pytest.raises(ConfigError, match="is there already"):
        write_examples(tmp_path / "new")


@pytest.mark.parametrize("name", ["costlab.yaml", "prices.yaml"])
def test_what_init_leaves_commented_out_is_valid_too(tmp_path: Path, name: str) -> None:
    uncommented = re.sub(
        r"^( *)# ?( *)(?=[\w-]+: |- match|- percent|hourly|capacity_type)",
        r"\1\2",
        example(name),
        flags=re.MULTILINE,
    )
    uncommented = re.sub(
        r"^#( +)(?=-|hourly|valid|capacity|NVIDIA|fast)", r" \1", uncommented, flags=re.MULTILINE
    )
    uncommented = re.sub(r"^# (?=\w+:$)", "", uncommented, flags=re.MULTILINE)
    text = re.sub(r": (\[\]|\{\}) *(#.*)?$", ":", uncommented, flags=re.MULTILINE)
    text = re.sub("(token_command|basic_auth|sigv4):", r"# \1:", text)  # instead of the token, not beside it
    path = written(tmp_path, text, name)
    if name == "prices.yaml":
        path = written(tmp_path, "prices: {book: prices.yaml}\n")
    else:
        written(tmp_path, "", "prices.yaml")
    settings = load(path, {})
    if name == "prices.yaml":
        assert (len(settings.book.nodes), len(settings.book.gpu_models), len(settings.book.discounts)) == (
            3,
            2,
            1,
        )
    else:
        assert settings.clusters[0].prometheus.headers
        assert settings.quality.min_coverage == 0.9
        assert settings.billing.max_gap_ms == 300_000
        assert len(settings.classes) == 2


def test_every_setting_is_in_what_init_writes() -> None:
    keys = set(_keys(Configuration, ()))
    text = example("costlab.yaml")
    missing = {
        dotted(place)
        for place in keys
        if not re.search(rf"\b{place[-1]}(: |:$| \()", text, re.MULTILINE)
        and place[:1] != ("accelerators",)  # an exporter's keys are in docs/exporters.md
    }
    assert not missing


def _keys(shape: type[Section], place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every key of a section and of the sections in it, lists and maps left out of the way."""
    for name, field in shape.model_fields.items():
        key = (*place, field.alias or name)
        yield key
        for inner in _sections(field.annotation):
            yield from _keys(inner, key)


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)


def test_every_fault_is_told_at_once_with_its_line_and_what_was_meant(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """\
lake: ./lake
timezone: Europe/Berln
clusters:
  - id: Prod
    prometheus: {url: "http://u:p@x:9", engine: remote_read, max_in_flight: 99}
  - id: two
    prometheus:
      urll: http://x
  - id: two
    prometheus: {url: "ftp://x"}
prices: {currency: usd, gpu_hour: -2.5, cpu_core_hour: "0.1", memory_gib_hour: yes, bok: 3}
billing: {basis: maxx, resolution: 7s, max_gap: 5}
device_resources: {foo: 1, requests.x.io/gpu: 1, "amd.com/*": 2}
classes: {trainin: {labels: {a: b}}}
retention: {chages: 3d}
quality: {min_coverage: .nan}
owner: [team]
lake: x
""",
    )
    told = faults(path, COSTLAB_PRICES__GPU="3", COSTLAB_QUOTA__HEADROOM="-1", COSTLAB_CONFIG="x")
    assert sorted(told) == sorted(
        [
            "costlab.yaml:18: lake: is here twice: first in line 1",
            "COSTLAB_PRICES__GPU: is no setting; did you mean 'COSTLAB_PRICES__GPU_HOUR'?",
            "costlab.yaml:2: timezone: is no time zone such as Europe/Berlin; did you mean 'Europe/Berlin'?",
            "costlab.yaml:4: clusters[0].id: must look like ^[a-z0-9-]{1,63}$",
            "costlab.yaml:5: clusters[0].prometheus.url: must not hold a password: use basic_auth or bearer_token_file",
            "costlab.yaml:5: clusters[0].prometheus.engine: must be 'auto', 'remote-read', 'json' or 'victoria-export'",
            "costlab.yaml:5: clusters[0].prometheus.max_in_flight: must not be more than 16",
            "costlab.yaml:7: clusters[1].prometheus.url: is missing",
            "costlab.yaml:8: clusters[1].prometheus.urll: is unknown; did you mean 'url'?",
            "costlab.yaml:9: clusters[2].id: is that of clusters[1] too",
            "costlab.yaml:10: clusters[2].prometheus.url: must be an address such as http://prometheus:9090",
            "costlab.yaml:11: prices.currency: must look like ^[A-Z]{3}$",
            "costlab.yaml:11: prices.gpu_hour: must not be less than 0",
            "costlab.yaml:11: prices.cpu_core_hour: must be a number",
            "costlab.yaml:11: prices.memory_gib_hour: must be a number",
            "costlab.yaml:11: prices.bok: is unknown; did you mean 'book'?",
            "costlab.yaml:12: billing.basis: must be 'max', 'request' or 'usage'",
            "costlab.yaml:12: billing.resolution: must divide 30 minutes: 60s, 30s, 5m, …",
            "costlab.yaml:12: billing.max_gap: must be a duration such as 60s, 5m, 1h or 14d",
            "costlab.yaml:13: device_resources.foo: must be as containers ask for it: domain/name, such as huawei.com/Ascend910",
            "costlab.yaml:13: device_resources.requests.x.io/gpu: must be as containers ask for it: domain/name, such as huawei.com/Ascend910",
            "costlab.yaml:14: classes.trainin: must be 'training', 'inference', 'notebook', 'batch' or 'service'",
            "costlab.yaml:15: retention: has no table 'chages'; did you mean 'charges'?",
            "costlab.yaml:16: quality.min_coverage: must be a finite number",
            "costlab.yaml:17: owner: must be `key: value` lines",
            "COSTLAB_QUOTA__HEADROOM: quota.headroom: must not be less than 0",
        ]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lake: [\n", r"costlab.yaml:2: is not YAML"),
        ("- a\n", r"costlab.yaml:1: must be `key: value` lines"),
        ("lake: !!python/object:os.system x\n", r"costlab.yaml:1: lake: is not a plain value"),
        ("owner: &a {labels: [x]}\nquality: *a\n", r"costlab.yaml:1: quality: is an alias"),
        ("a: *b\n", r"costlab.yaml:1: is not one YAML document"),
        ("lake: a\n---\nlake: b\n", r"costlab.yaml:2: is not one YAML document"),
        ("lake: a\x00b\n", r"costlab.yaml:1: is not YAML: it holds a control character"),
        ("? [a]\n: b\n", r"costlab.yaml:1: has a key that is not a word"),
        ("[" * 5000, r"costlab.yaml:1: is (nested too deeply|not YAML)"),
        ("lake: 2026-02-31\n", r"costlab.yaml:1: lake: is not a plain value"),
        ("lake:\n", r"costlab.yaml:1: lake: must be a path"),
        ('timezone: "a\\0b"\n', r"costlab.yaml:1: timezone: holds a NUL character"),
        ('prices: {book: "a\\0b"}\n', r"costlab.yaml:1: prices.book: holds a NUL character"),
        ("rightsizing:\n  min_days: 9999999999999999999\n", r"costlab.yaml:2: .*min_days: must not be more than 1000000000"),
        ("rightsizing: {step: {cpu: 1e400}}\n", r"costlab.yaml:1: .*step.cpu: must be whole millicores"),
        ("rightsizing: {step: {cpu: 1, memory: 1e400}}\n", r"costlab.yaml:1: .*step.memory: must be whole bytes"),
        ("forecast: {holidays: [2026-11-22 10:00:00]}\n", r"costlab.yaml:1: .*holidays\[0\]: must be a date such as 2026"),
        ("forecast: {holidays: [soon]}\n", r"costlab.yaml:1: forecast.holidays\[0\]: must be a date such as 2026-11-22"),
        ("forecast: {holidays: [true]}\n", r"costlab.yaml:1: forecast.holidays\[0\]: must be a date such as 2026-11-22"),
        ("retention: 30d\n", r"costlab.yaml:1: retention: must be `key: value` lines"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_refused_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    assert re.match(said, faults(written(tmp_path, text))[0])


def test_a_file_that_is_no_text_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"lake: \xff\xfe\n")
    assert faults(tmp_path / "binary.yaml") == ["binary.yaml:1: is not UTF-8 text"]
    assert "No such file" in faults(tmp_path / "none.yaml")[0]
    assert "Is a directory" in faults(tmp_path)[0]


def test_the_file_is_looked_for_in_the_documented_order(tmp_path: Path) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    environ = {"XDG_CONFIG_HOME": str(home)}

    def lake(path: Path | None = None, **more: str) -> str:
        return Path(load(path, {**environ, **more}, folder=here).lake).name

    assert lake() == "lake"
    written(home, "lake: of_home\n", "costlab/costlab.yaml")
    assert lake() == "of_home"
    written(here, "lake: of_here\n")
    assert lake() == "of_here"
    named = written(tmp_path, "lake: of_variable\n", "named.yaml")
    assert lake(COSTLAB_CONFIG=str(named)) == "of_variable"
    option = written(tmp_path, "lake: of_option\n", "option.yaml")
    assert lake(option, COSTLAB_CONFIG=str(named)) == "of_option"
    with pytest.raises(ConfigError, match=r"gone\.yaml cannot be read"):
        lake(COSTLAB_CONFIG=str(tmp_path / "gone.yaml"))


def test_without_a_file_the_places_are_named(tmp_path: Path) -> None:
    settings = load(None, {"HOME": str(tmp_path)}, folder=tmp_path)
    if settings.file is not None:
        pytest.skip("this machine has a configuration in /etc")
    with pytest.raises(ConfigError, match="no configuration found; looked in") as caught:
        settings.chosen()
    assert str(tmp_path / "costlab.yaml") in caught.value.message
    assert str(tmp_path / ".config/costlab/costlab.yaml") in caught.value.message
    assert "costlab init" in caught.value.hint


def test_a_cluster_is_chosen_by_its_id(tmp_path: Path) -> None:
    settings = load(written(tmp_path, CLUSTER), {})
    assert [cluster.id for cluster in settings.chosen()] == ["prod"]
    with pytest.raises(ConfigError, match="no cluster 'prd'; did you mean 'prod'"):
        settings.chosen("prd")
    with pytest.raises(ConfigError, match="names no cluster"):
        load(written(tmp_path, "lake: x\n"), {}).chosen()


def test_variables_lie_over_the_file_and_the_option_over_all(tmp_path: Path) -> None:
    path = written(tmp_path, CLUSTER + "prices: {gpu_hour: 1}\nlake: a\n")
    environ = {
        "COSTLAB_PRICES__GPU_HOUR": "3",
        "COSTLAB_PROMETHEUS__URL": "https://other:9090",
        "COSTLAB_OWNER__LABELS": "[squad]",
        "COSTLAB_BILLING__MAX_GAP": "2m",
        "COSTLAB_LAKE": "b",
        "COSTLAB_DEBUG": "1",
        "COSTLAB_PROMETHEUS_DIR": "/x",
        "COSTLAB_VICTORIA_METRICS_DIR": "/x",
        "COSTLAB_GOLDEN": "1",
        "COSTLAB_BENCH_DIR": "/x",
    }
    with pytest.raises(ConfigError, match=r"^--lake: lake: must be a path, or s3://bucket/folder without"):
        load(path, environ, lake="s3://user:secret@bucket/folder")
    settings = load(path, environ, folder=tmp_path / "cwd")
    assert settings.prices.gpu_hour == 3.0
    assert settings.clusters[0].prometheus.url == "https://other:9090"
    assert settings.owner.labels == ("squad",)
    assert settings.billing.max_gap_ms == 120_000
    assert settings.lake == tmp_path / "cwd" / "b"
    told = {value.key: (value.text, value.origin) for value in values(settings)}
    assert told["prices.gpu_hour"] == ("3.0", "COSTLAB_PRICES__GPU_HOUR")
    assert told["clusters[0].prometheus.url"] == ("https://other:9090", "COSTLAB_PROMETHEUS__URL")
    assert told["clusters[0].id"] == ("prod", f"{path}:2")
    assert told["billing.max_gap"] == ("2m", "COSTLAB_BILLING__MAX_GAP")
    assert told["billing.resolution"] == ("1m", "default")
    option = load(path, environ, lake=Path("c"), folder=tmp_path)
    assert (option.lake, option.origins["lake"]) == (tmp_path / "c", "--lake")


def test_a_variable_of_the_only_cluster_needs_exactly_one(tmp_path: Path) -> None:
    path = written(tmp_path, "lake: x\n")
    assert faults(path, COSTLAB_PROMETHEUS__URL="http://x") == [
        "COSTLAB_PROMETHEUS__URL: needs a configuration with exactly one cluster"
    ]


def test_a_cluster_may_have_electricity_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, CLUSTER + "    energy: {pue: 1.1}\nenergy: {grams_co2_per_kwh: 56}\n")
    settings = load(path, {})
    assert settings.electricity(settings.clusters[0].id) == Energy(grams_co2_per_kwh=56, pue=1.1)
    assert settings.electricity("another") == Energy(grams_co2_per_kwh=56)
    assert faults(written(tmp_path, CLUSTER + "energy: {pue: 0.9}\n"))[0].endswith(
        "energy.pue: must not be less than 1"
    )


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    path = written(tmp_path, CLUSTER + f"      headers: {{Authorization: {SECRET}}}\n")
    settings = load(path, {})
    assert settings.clusters[0].prometheus.headers["Authorization"].get_secret_value() == SECRET
    shown = [repr(settings), str(settings.clusters), *(value.text for value in values(settings))]
    assert not [text for text in shown if SECRET in text]
    for bad in (
        f"      headers: [{SECRET}]\n",
        f"      headers: {{a: [{SECRET}]}}\n",
        f"      headers: *{SECRET}\n",
        f"      headers: {{a: !{SECRET} b}}\n",
    ):
        assert SECRET not in "".join(faults(written(tmp_path, CLUSTER + bad)))
    for variable, value in (
        ("HEADERS", f"{{a: [{SECRET}"),
        ("URL", f"http://u:{SECRET}@x"),
        ("TIMEOUT", SECRET),
    ):
        assert SECRET not in "".join(
            faults(written(tmp_path, CLUSTER), **{f"COSTLAB_PROMETHEUS__{variable}": value})
        )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("bearer_token_file: t, basic_auth: {username: u, password_file: p}",
         ": takes one way to authenticate, not bearer_token_file and basic_auth"),
        ("token_command: [a], sigv4: {region: r}, headers: {AUTHORIZATION: x}",
         ": takes one way to authenticate, not token_command, sigv4 and headers.AUTHORIZATION"),
        ("client_key: k", ": has a client_key without client_cert"),
        ("token_command: []", ".token_command: must not be empty"),
        ("token_command: gcloud auth", ".token_command: must be a list"),
        ("token_command: [gcloud, 1]", ".token_command[1]: must be text: put it in quotes"),
        ("sigv4: {profile: p}", ".sigv4.region: is missing"),
        ("sigv4: {region: ''}", ".sigv4.region: must not be empty"),
        ("sigv4: {region: r, servce: aps}", ".sigv4.servce: is unknown; did you mean 'service'?"),
        ("engine: remote", ".engine: must be 'auto', 'remote-read', 'json' or 'victoria-export'"),
    ],
)  # fmt: skip
def test_the_way_in_is_one_and_whole(tmp_path: Path, settings: str, said: str) -> None:
    path = written(
        tmp_path, f"clusters:\n  - id: prod\n    prometheus: {{url: 'http://p:9090', {settings}}}\n"
    )
    assert faults(path) == [f"costlab.yaml:3: clusters[0].prometheus{said}"]


def test_ways_in_that_go_together_are_taken(tmp_path: Path) -> None:
    more = "      client_cert: c\n      client_key: k\n      ca_file: a\n      headers: {X-Scope-OrgID: t}\n"
    path = written(tmp_path, CLUSTER + more + "      token_command: [bin/token, 'a b']\n")
    prometheus = load(path, {}).clusters[0].prometheus
    assert prometheus.token_command == (str(tmp_path / "bin/token"), "a b"), "beside the file that names it"
    bare = {
        "COSTLAB_PROMETHEUS__TOKEN_COMMAND": "[gcloud, auth]",
        "COSTLAB_PROMETHEUS__ENGINE": "remote-read",
    }
    prometheus = load(path, bare).clusters[0].prometheus
    assert (prometheus.token_command, prometheus.engine) == (("gcloud", "auth"), Engine.REMOTE_READ)
    signed = load(written(tmp_path, CLUSTER), {"COSTLAB_PROMETHEUS__SIGV4__REGION": "eu-central-1"})
    assert signed.clusters[0].prometheus.sigv4 is not None
    assert signed.clusters[0].prometheus.sigv4.service == "aps"


def test_the_hash_follows_what_shapes_figures_and_nothing_else(tmp_path: Path) -> None:
    def hashed(text: str = "", **environ: str) -> str:
        return load(written(tmp_path, CLUSTER + text), environ).config_hash

    assert hashed() == hashed("report: {out: elsewhere}\nlake: z\nprices: {gpu_hour: 9}\n")
    assert hashed() == hashed("billing: {share: {namespaces: [kube-system], fees: true}}\n")
    assert hashed() == hashed(COSTLAB_PROMETHEUS__URL="http://moved:1", COSTLAB_PROMETHEUS__TIMEOUT="5")
    different = [
        hashed(), hashed("timezone: Asia/Tokyo\n"), hashed("billing: {basis: usage}\n"),
        hashed("billing: {resolution: 30s}\n"), hashed("owner: {labels: [squad]}\n"),
        hashed("quality: {min_coverage: 0.5}\n"), hashed("classes: {batch: {names: [x]}}\n"),
        hashed("      matchers: {cluster: a}\n"),
    ]  # fmt: skip
    assert len(set(different)) == len(different)


@pytest.mark.parametrize(
    ("destination", "fault"),
    [
        ("{channel: slack}", "one of url_env and url_file"),
        ("{channel: slack, url_env: A, url_file: b}", "one of url_env and url_file"),
        ("{channel: slack, url: 'https://hooks.example/T0KEN'}", "notify[0].url: is unknown"),
        ("{channel: slack, url_env: COSTLAB_CONFIG}", "which would be a setting"),
        ("{channel: slack, url_env: 'https://hooks.example/T0KEN'}", "must look like"),
        ("{channel: slack, url_env: A, secret_env: B}", "signs what goes to a webhook"),
        (
            "{channel: webhook, url_env: A, secret_env: B, secret_file: c}",
            "one of secret_env and secret_file",
        ),
        ("{channel: pager, url_env: A}", "'mail', 'github', 'gitlab' or 'apprise'"),
        ("{channel: mail, url_env: A}", "has no url_env or url_file"),
        ("{channel: mail, to: a@b.c, from: a@b.c}", "needs each of to, from and server"),
        ("{channel: slack, url_env: A, to: a@b.c}", "has to, which is of mail, not slack"),
        ("{channel: github, repository: a/b, issue: 1}", "needs a token"),
        ("{channel: apprise}", "one of url_env and url_file"),
        ("{channel: apprise, url_env: A, secret_env: T}", "signs what goes to a webhook"),
        ("{channel: apprise, url_env: A, ca_file: c}", "set REQUESTS_CA_BUNDLE"),
        ("{channel: github, repository: a/b, secret_env: T}", "needs repository and issue"),
        (
            "{channel: github, repository: a/.., issue: 1, secret_env: T}",
            "notify[0].repository: must look like",
        ),
        ("{channel: gitlab, project: a/../b, issue: 1, secret_env: T}", "notify[0].project: must look like"),
        ("{channel: gitlab, project: a/b, secret_env: T}", "one of issue and merge_request"),
        ("{channel: gitlab, project: a/b, issue: 1, merge_request: 1, secret_env: T}", "one of issue and"),
        ("{channel: github, repository: a/b, issue: 0, secret_env: T}", "must not be less than 1"),
        (
            "{channel: github, repository: a/b, issue: 1, merge_request: 2, secret_env: T}",
            "which is of gitlab",
        ),
        (
            "{channel: github, repository: a/b, issue: 1, url_env: A, secret_env: T}",
            "is github, which goes to an issue",
        ),
        (
            "{channel: gitlab, project: a, issue: 1, secret_env: T, api_url: 'https://u:T0KEN@b'}",
            "must look like",
        ),
        ("{channel: mail, to: a@b.c, from: a@b.c, server: 'smtp://b', user: u}", "not both"),
        ("{channel: mail, to: a@b.c, from: a@b.c, server: 'smtp://b', secret_env: S}", "not both"),
        (
            "{channel: mail, to: a@b.c, from: a@b.c, server: 'smtp://u:T0KEN@b'}",
            "notify[0].server: must look like",
        ),
        (
            '{channel: mail, to: ["a@b.c", "a@b.c\\r\\nBcc: x@y.z"], from: a@b.c, server: \'smtp://b\'}',
            "to[1]: must look like",
        ),
        ("{channel: slack, url_env: A, mute: {until: 2026-12-01}}", "notify[0].mute.reason: is missing"),
        (
            "{channel: slack, url_env: A, mute: {until: 2026-12-01, reason: ' '}}",
            "notify[0].mute.reason: must say something",
        ),
        *(
            (
                f"{{channel: slack, url_env: A, mute: {{until: {until}, reason: r}}}}",
                "notify[0].mute.until: must be a date such as 2026-11-22",
            )
            for until in ("0", "'0'", "86400", "true")  # seconds since 1970 are no date
        ),
        ("{channel: slack, url_env: A, report_url: 'ftp://x'}", "must look like"),
        (
            "{channel: slack, url_env: A}, {channel: slack, url_env: B}",
            "has the name of notify[0], 'slack all'",
        ),
    ],
)
def test_a_destination_that_is_no_good_is_told_with_its_line(
    tmp_path: Path, destination: str, fault: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, CLUSTER + f"notify: [{destination}]\n"), {})
    assert fault in caught.value.message
    assert "costlab.yaml:5: notify[" in caught.value.message
    assert "T0KEN" not in caught.value.message + caught.value.hint


@given(st.integers(1, 10**6), st.sampled_from("smhd"))
def test_a_duration_is_read_back_as_it_was(count: int, unit: str) -> None:
    duration_ms = parse_duration(f"{count}{unit}")
    assert parse_duration(format_duration(duration_ms)) == duration_ms


@given(st.text(max_size=6).filter(lambda text: not re.fullmatch(r"[1-9][0-9]*[smhd]", text)))
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(text)


@given(st.integers(1, 4000))
def test_a_resolution_divides_half_an_hour(seconds: int) -> None:
    content = {"billing": {"resolution": f"{seconds}s"}}
    if 1800 % seconds:
        with pytest.raises(ValueError, match="must divide 30 minutes"):
            Settings.model_validate(content)
    else:
        assert Settings.model_validate(content).billing.resolution_ms == seconds * 1000


def test_budgets_are_of_one_owner_each_and_each_owner_has_one(tmp_path: Path) -> None:
    budgets = (
        "budgets:\n"
        "  - {team: nlp, monthly: 100}\n"
        "  - {namespace: nlp, monthly: 100, alert_at: [1.5]}\n"
        "  - {team: nlp, monthly: 200}\n"
    )
    assert faults(written(tmp_path, budgets)) == [
        "costlab.yaml:4: budgets[2].team: 'nlp' has a budget in budgets[0] already"
    ]
    wrong = "budgets:\n  - {team: a, cluster: b, monthly: 1}\n  - {monthly: 1}\n  - {team: a, monthly: 0, alert_at: []}\n"
    assert faults(written(tmp_path, wrong)) == [
        "costlab.yaml:2: budgets[0]: names one of team, namespace, pipeline and cluster",
        "costlab.yaml:3: budgets[1]: names one of team, namespace, pipeline and cluster",
        "costlab.yaml:4: budgets[2].monthly: must be greater than 0",
        "costlab.yaml:4: budgets[2].alert_at: must not be empty",
    ]
    [budget] = load(written(tmp_path, "budgets: [{pipeline: etl, monthly: 5}]\n"), {}).budgets
    assert (budget.dimension, budget.subject, budget.alert_at) == ("pipeline", "etl", (0.5, 0.8, 1.0))
