"""What a night makes of days that rest on others, and of servers that let nobody in; and how loud it says so."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from small_world import BEFORE, DAY, World
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.config.settings import Cluster, Settings
from costlab.domain.errors import ConfigError, CostlabError, ExitCode
from costlab.domain.time import HOUR_MS, Day
from costlab.jobs.due import Asked
from costlab.jobs.nightly import ClusterEnd, nightly
from costlab.jobs.outcome import Outcome
from costlab.jobs.posts import Post, State
from costlab.sources import Source
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.prometheus.answer import AccessRefused
from costlab.store.content import content_hash
from costlab.store.lake import Lake
from costlab.store.posts import Slot

DAYS = (DAY, DAY.next)
NOW = datetime.fromtimestamp(DAYS[-1].window.end_ms / 1000, UTC) + timedelta(hours=12)


def world(*, used: bool) -> World:
    """Two days of a pod that uses most on the first one; or only what it asks for."""
    ends = DAYS[-1].window.end_ms + HOUR_MS
    made = World().node(end_ms=ends).pod("a", requests={"cpu": 2.0, "memory": 4 * 2**30}, end_ms=ends)

    def memory(at_ms: int) -> float:
        return 2**30 * (2 if at_ms < DAYS[0].window.end_ms else 1)

    return made.use("a", memory=memory, start_ms=BEFORE, end_ms=ends) if used else made


WHOLE, BARE = world(used=True), world(used=False)


def settings_in(folder: Path, **more: Any) -> Settings:
    told = {
        "lake": str(folder / "lake"), "report": {"out": str(folder / "reports")}, "rightsizing": {"min_days": 1},
        "clusters": [{"id": "test", "prometheus": {"url": "http://127.0.0.1:9", "timeout": 0.2}}], **more,
    }  # fmt: skip
    return Settings.model_validate(told)


def whole(*_: object) -> Source:
    return WHOLE


def early(_: Cluster, day: Day) -> Source:
    """The usage of the first day has not come yet."""
    return BARE if day == DAYS[0] else WHOLE


def night(folder: Path, source_of: Callable[[Cluster, Day], Source] = whole, **more: Any) -> Outcome:
    asked = Asked(since=DAYS[0])
    return nightly(
        settings_in(folder), asked, **{"now": NOW, "source_of": source_of, "say": lambda _: None, **more}
    )


def left_in(folder: Path) -> dict[str, Any]:
    """What was advised on each day, and every byte that was told."""
    lake = Lake.open(folder / "lake")
    rows = {
        f"{table} {day}": content_hash(lake.read(table, "test", day))
        for table in ("charges", "advice", "quota_advice")
        for day in DAYS
    }
    files = {
        str(path.relative_to(folder)): path for path in (folder / "reports").rglob("*") if path.is_file()
    }
    return {**rows, **{name: path.read_bytes() for name, path in files.items()}}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a night leaves that finds both days whole."""
    folder = tmp_path_factory.mktemp("undisturbed")
    night(folder)
    return left_in(folder)


@pytest.fixture(scope="module")
def too_early(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a night was that found the first day without its usage."""
    folder = tmp_path_factory.mktemp("early")
    assert night(folder, early).exit_code is ExitCode.INCOMPLETE
    return folder


@pytest.mark.parametrize("killed", [False, True])
def test_days_after_one_that_came_late_are_told_anew_in_order(
    undisturbed: dict[str, Any], too_early: Path, tmp_path: Path, killed: bool
) -> None:
    """Also by the next night, where the one that read it was killed."""
    folder = copytree(too_early, tmp_path / "late")
    before = left_in(folder)
    for rests_on_it in (f"advice {DAYS[1]}", f"reports/test/{DAYS[1]}/report.json"):
        assert before[rests_on_it] != undisturbed[rests_on_it]
    if killed:
        steps: list[str] = []

        def step(what: str) -> None:
            steps.append(what)
            if steps.count("advise") == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            night(folder, step=step)
    said: list[str] = []
    assert night(folder, say=said.append).exit_code is ExitCode.DONE
    assert left_in(folder) == undisturbed
    again = "its report was missing" if killed else "told anew, for a day before it has changed"
    assert f"test {DAYS[1]}: {again}" in said
    assert night(folder, source_of=nobody).line == "nothing was due"


def nobody(*_: object) -> Source:
    raise ConfigError("nobody is asked", "")


def refused(*_: object) -> Source:
    raise AccessRefused("it refused access (403)", "check the token")


def unreachable(cluster: Cluster, _: Day) -> Source:
    return PrometheusSource(cluster.prometheus)


@pytest.mark.parametrize("shut", [unreachable, refused])
def test_a_server_that_lets_nobody_in_ends_its_days_but_not_what_needs_none(
    too_early: Path, tmp_path: Path, shut: Callable[[Cluster, Day], Source]
) -> None:
    folder = copytree(too_early, tmp_path / "shut")
    page = folder / "reports" / "test" / str(DAYS[1]) / "index.html"
    page.unlink()
    asked, ends = list[Day](), list[ClusterEnd]()
    said: dict[str, list[str]] = {voice: [] for voice in ("say", "warn", "fail")}
    due = [DAYS[1].next, DAYS[1].next.next, DAYS[1].next.next.next]

    def source_of(cluster: Cluster, day: Day) -> Source:
        asked.append(day)
        return shut(cluster, day)

    with pytest.raises(CostlabError) as fault:
        night(
            folder, source_of, now=NOW + timedelta(days=3), ended=ends.append,
            **{voice: lines.append for voice, lines in said.items()},
        )  # fmt: skip
    assert fault.value.message == (
        f"not measured: test {due[0]}; not tried: test {due[1]}, test {due[2]}; in the lake: test {DAYS[0]}, test {DAYS[1]}"
    )
    assert ends == [ClusterEnd("test", ExitCode.SOURCE_FAILED, 0)]
    assert asked == [DAYS[0], due[0]], "what was incomplete, and the first that is due"
    assert page.is_file()
    assert [[line[:16] for line in lines] for lines in said.values()] == [
        [f"test {DAYS[1]}:"], [f"test {DAYS[0]}:"], [f"test {due[0]}:"]
    ]  # fmt: skip


def test_the_only_fault_of_several_clusters_says_whose_it_is(too_early: Path, tmp_path: Path) -> None:
    """What a server says, such as that it has no pods, is true of any."""
    folder = copytree(too_early, tmp_path / "two")
    two = [{"id": name, "prometheus": {"url": "http://127.0.0.1:9"}} for name in ("test", "other")]
    nightly(settings_in(folder), Asked(DAYS[0]), now=NOW, source_of=whole, say=lambda _: None)
    with pytest.raises(AccessRefused) as fault:
        nightly(settings_in(folder, clusters=two), Asked(), now=NOW, source_of=refused, say=lambda _: None)
    assert fault.value.message == f"other {DAYS[1]}: it refused access (403)"


def test_what_failed_is_louder_than_what_was_done(too_early: Path, tmp_path: Path) -> None:
    """A shipper goes by the level alone."""
    folder = copytree(too_early, tmp_path / "posts")
    slot = Slot("test", DAYS[1].date, "nlp", "slack all")

    def posts(*_: object) -> Iterator[Post]:
        yield Post(slot, State.POSTED)
        yield Post(slot, State.NO_SUCH_TEAM)
        yield Post(slot, State.POSTED_BEFORE, sure=False)
        yield Post(slot, State.FAILED, exit_code=ExitCode.BUSY)
        raise ConfigError("no ledger", "")

    said: dict[str, list[str]] = {voice: [] for voice in ("say", "warn", "fail")}
    notify = [{"channel": "slack", "url_env": "A"}]
    nightly(
        settings_in(folder, notify=notify), Asked(), now=NOW, source_of=early, posts=posts,
        **{voice: lines.append for voice, lines in said.items()},  # type: ignore[arg-type]  # they are voices
    )  # fmt: skip
    assert [[line.rpartition(": ")[2] for line in lines] for lines in said.values()] == [
        ["posted"], ["no such team", "posted before"], ["failed", "no ledger"],
    ]  # fmt: skip

    prometheus = {"url": "http://127.0.0.1:9", "timeout": 0.2}
    config = {"lake": "lake", "clusters": [{"id": "prod", "prometheus": prometheus}]}
    (tmp_path / "costlab.yaml").write_text(json.dumps(config))
    command = [
        "--config",
        str(tmp_path / "costlab.yaml"),
        "--log-format",
        "json",
        "nightly",
        "--since",
        str(DAYS[0]),
    ]
    done = CliRunner().invoke(app, command, obj=Desk({}, NOW))
    assert done.exit_code == ExitCode.SOURCE_FAILED
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["log.level"], line["message"].partition(": ")[0]) for line in lines] == [
        ("error", f"prod {DAYS[0]}"), ("error", "not measured")
    ]  # fmt: skip
