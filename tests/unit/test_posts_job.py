"""When posts are made: never twice, only where there is news, and one that fails stops nobody."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pyarrow as pa
import pytest
import small_lake
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from costlab.config.destination import Channel, Destination, Weekday
from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError, ExitCode, LakeError, PostError, UnsurePost
from costlab.domain.findings import Finding, Severity
from costlab.domain.time import Day
from costlab.jobs import tours
from costlab.jobs.couriers import Couriers
from costlab.jobs.due import Asked
from costlab.jobs.enclosures import Enclosing
from costlab.jobs.nightly import nightly
from costlab.jobs.posts import Post, Postman, State
from costlab.jobs.report import FILES
from costlab.jobs.tours import week_end
from costlab.publish.address import Address
from costlab.publish.mailbox import Mailbox
from costlab.publish.thread import Thread
from costlab.render.messages.announcement import spoken
from costlab.render.messages.mail import Enclosures
from costlab.render.messages.message import Told, message
from costlab.render.messages.slack import slack
from costlab.render.messages.webhook import SIGNATURE, webhook
from costlab.store.lake import DayState, Lake
from costlab.store.posts import Posts, Record, Slot
from costlab.store.warehouse import Warehouse

DAY = small_lake.DAY
NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
LATER_S = 1_795_410_000  # hours after
ENVIRON = {"A": "https://a.example/T0KEN", "B": "http://b.example/T0KEN", "KEY": "a key"}


def advised(workload: str, saving: str | None = "100", **other: Any) -> dict[str, Any]:
    money = None if saving is None else Decimal(saving)
    return {
        "namespace": "ns", "workload_kind": "Deployment", "workload": workload, "container": "app",
        "resource": "cpu", "action": "request", "current_request": 2.0, "proposed_request": 1.0,
        "current_limit": None, "proposed_limit": None, "reason": "usage_below_request", "evidence": "measured",
        "policy": "costlab: p", "evidence_days": 14, "coverage": 1.0, "violation_rate": 0.0, "promised_rate": 0.01,
        "currency": "USD", "monthly_saving_gross": money, "monthly_saving_net": money, **other,
    }  # fmt: skip


def told(*workloads: str, team: str = "nlp", day: Day = DAY, **other: Any) -> Told:
    return Told("prod", team, day.date, "USD", advice=[advised(each) for each in workloads], **other)


@dataclass
class Chat:
    """Takes posts, or fails as it is told to."""

    fault: Exception | None = None
    fault_after: BaseException | None = None
    came: list[tuple[str, dict[str, Any], Mapping[str, str]]] = field(default_factory=list)

    def deliver(self, address: Address, body: bytes, headers: Mapping[str, str]) -> None:
        if self.fault:
            raise self.fault
        self.came.append((address.url, orjson.loads(body), headers))
        if self.fault_after:
            raise self.fault_after


@dataclass
class Issue:
    """Holds one comment for each marker; it counts how often it was asked."""

    fault: Exception | None = None
    comments: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def comment(self, thread: Thread, marker: str, body: str) -> None:
        assert (thread.token, body.startswith(marker)) == (ENVIRON["KEY"], True)
        self.asked += 1
        if self.fault:
            raise self.fault
        self.comments[marker] = body


@dataclass
class Desk:
    """A lake, its destinations, and what the lake tells of teams."""

    lake: Lake
    chat: Chat
    teams: dict[str, Told]
    destinations: list[Destination]
    issue: Issue = field(default_factory=Issue)

    def post(self, day: Day = DAY, *, dry: bool = False, send: Any = None, **other: Any) -> list[Post]:
        settings = Settings.model_construct(notify=tuple(self.destinations))
        couriers = Couriers(self.chat.deliver, send, self.issue.comment, send, lambda: LATER_S)
        postman = Postman(settings, ENVIRON, NOW, None if dry else couriers, **other)
        return list(postman.posts(self.lake, "prod", day))

    def states(self, day: Day = DAY, **other: Any) -> list[State]:
        return [post.state for post in self.post(day, **other)]


@contextmanager
def desk_in(folder: Path) -> Iterator[Desk]:
    made = Desk(Lake.create(folder / "lake"), Chat(), {"nlp": told("api")}, [])
    made.destinations = [Destination(channel=Channel.SLACK, url_env="A")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Warehouse, "over", lambda _: None)
        patch.setattr(tours, "of_teams", lambda *_: made.teams)
        yield made


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as made:
        yield made


def test_a_rerun_posts_nothing_twice(desk: Desk) -> None:
    assert desk.states() == [State.POSTED]
    assert desk.states() == desk.states() == [State.POSTED_BEFORE]
    desk.teams = {"nlp": told("api", "other")}  # the day was measured anew, and says something else
    [post] = desk.post()
    assert (post.state, "other content now" in post.note) == (State.POSTED_BEFORE, True)
    assert len(desk.chat.came) == 1
    assert desk.states(again=True) == [State.POSTED]


def test_a_delivery_is_signed_by_when_it_is_made_and_not_by_when_the_night_began(desk: Desk) -> None:
    signed = {"channel": "webhook", "url_env": "A", "secret_env": "KEY"}
    desk.destinations = [Destination.model_validate(signed)]
    assert desk.states() == [State.POSTED]
    [(_, _, headers)] = desk.chat.came
    assert headers["Costlab-Timestamp"] == str(LATER_S)


def test_a_dry_run_sends_and_remembers_nothing(desk: Desk) -> None:
    [post] = desk.post(dry=True)
    assert (post.state, post.address) == (State.DUE, "https://a.example/…")
    assert not (desk.lake.path / "_posts").exists()
    assert desk.states() == [State.POSTED]


def test_what_failed_is_posted_by_the_next_run(desk: Desk) -> None:
    desk.teams["vision"] = told("web", team="vision")
    desk.destinations.append(
        Destination.model_validate(
            {"channel": "webhook", "team": "vision", "url_env": "B", "secret_env": "KEY"}
        )
    )
    desk.destinations.append(Destination(channel=Channel.SLACK, team="nlp", url_env="NOT_SET"))
    real = desk.chat.deliver

    def first_down(address: Address, body: bytes, headers: Mapping[str, str]) -> None:
        if address.url == ENVIRON["A"]:
            down.append(1)
            raise PostError("https://a.example/… is not available", "again")
        real(address, body, headers)

    down: list[int] = []
    desk.chat.deliver = first_down  # type: ignore[method-assign]
    made = desk.post()
    assert [post.state for post in made] == [State.FAILED, State.FAILED, State.POSTED, State.FAILED]
    assert [post.exit_code for post in made] == [ExitCode.BUSY, ExitCode.BUSY, ExitCode.DONE, ExitCode.USAGE]
    assert len(down) == 1, "after its first fault nothing more is tried there"
    assert SIGNATURE in desk.chat.came[0][2]
    desk.chat.deliver = real  # type: ignore[method-assign]
    assert desk.states() == [State.POSTED, State.POSTED, State.POSTED_BEFORE, State.FAILED]
    assert "T0KEN" not in str(made)


def test_a_mail_is_a_post_like_any_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[bytes] = []
    fault: list[Exception] = []

    def send(mailbox: Mailbox, content: bytes) -> None:
        if fault:
            raise fault[0]
        assert (mailbox.port, mailbox.password) == (465, "a key")
        came.append(content)

    monkeypatch.setattr(Enclosing, "of", lambda *_: Enclosures(page="<p>", name="nlp.html"))
    desk.destinations = [
        Destination.model_validate({
            "channel": "mail", "to": "leads@example.org", "from": "c@example.org", "server": "smtps://mail.example",
            "user": "u", "secret_env": "KEY", "report_url": "https://reports.example",
        })
    ]  # fmt: skip
    [due] = desk.post(dry=True, send=send)
    assert (due.state, due.address) == (State.DUE, "smtps://mail.example:465 to l…@example.org")
    assert due.payload is not None
    fault.append(UnsurePost("no answer", "look there"))
    assert desk.states(send=send) == [State.FAILED]
    fault.clear()
    assert desk.states(send=send) == [State.POSTED_BEFORE]
    assert desk.states(send=send, again=True) == desk.states(send=send, again=True) == [State.POSTED]
    assert (len(came), came[0]) == (2, came[1]), "a second delivery is the same mail"
    read = message_from_bytes(came[0], policy=default)
    assert read["Subject"] == due.payload["subject"]
    assert [part.get_filename() for part in read.walk() if part.get_filename()] == ["nlp.html"]
    assert f"https://reports.example/prod/{DAY}/index.html".encode() in came[0]


def test_a_comment_is_kept_up_to_date_and_says_once_that_nothing_is_open(desk: Desk) -> None:
    common = {"channel": "github", "repository": "acme/ml", "issue": 12, "secret_env": "KEY"}
    desk.destinations = [Destination.model_validate(common)]
    desk.teams = {"nlp": told("api"), "vision": told(team="vision")}
    [due, _] = desk.post(dry=True)
    assert (due.state, due.address) == (State.DUE, "https://api.github.com/… acme/ml#12")
    assert desk.states() == [State.POSTED, State.QUIET], "what was never open has no comment"
    assert desk.states() == [State.POSTED_BEFORE, State.QUIET]
    [(marker, body)] = desk.issue.comments.items()
    assert due.payload == {"body": body}
    day = DAY.next
    desk.teams = {"nlp": told("api", day=day)}
    assert desk.states(day) == [State.POSTED], (
        "a comment that is changed disturbs nobody, and has no cooldown"
    )
    desk.teams = {"nlp": told("api", "other", day=day)}
    assert desk.states(day) == [State.POSTED], "it tells what the day is found to be now"
    assert list(desk.issue.comments) == [marker]
    assert "other" in desk.issue.comments[marker]
    desk.teams = {"nlp": told("api")}
    [old] = desk.post()
    assert (old.state, old.note) == (State.POSTED_BEFORE, f"the comment tells of {day} already")
    later = day.next
    desk.teams = {"nlp": told(day=later)}
    desk.issue.fault = PostError("not available", "again")
    assert desk.states(later) == [State.FAILED]
    desk.issue.fault = None
    assert desk.states(later) == [State.POSTED]
    assert "Nothing is open" in desk.issue.comments[marker]
    desk.teams = {"nlp": told(day=later.next)}
    asked = desk.issue.asked
    assert desk.states(later) == desk.states(later.next) == [State.QUIET]
    assert desk.issue.asked == asked
    desk.destinations = [Destination.model_validate({**common, "name": "renamed"})]
    desk.teams = {"nlp": told("api", day=later.next)}
    assert desk.states(later.next) == [State.POSTED]
    assert len(desk.issue.comments) == 2, "it is found by its destination's name"


def test_a_week_is_posted_once_and_a_night_that_was_missed_is_made_up_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake's day is a Sunday: the night after it, on Monday, is the first that posts its week."""
    assert DAY.date.weekday() == 6
    monkeypatch.setattr(
        tours, "_costs", lambda *_: {("USD", "workload", "cpu", "nlp", "n", "Job", "j"): Decimal(7)}
    )
    monkeypatch.setattr(tours, "alarms_in", lambda *_: [])
    monkeypatch.setattr(Warehouse, "over", lambda _: NoAdviceBefore())
    desk.destinations = [
        Destination.model_validate({"channel": "webhook", "url_env": "B", "weekly": "monday"})
    ]
    held: dict[date, DayState] = {}
    monkeypatch.setattr(Lake, "days", lambda *_: held)
    asked = []
    for after in range(22):  # Sunday's night, one that finds no day, and each up to the third Sunday after
        day = Day(DAY.date + timedelta(days=after))
        if after != 1:
            held[day.date] = DayState.COMPLETE
        desk.teams = {"nlp": told("api", day=day)}
        if after not in (0, 1, 7):  # the posts of these nights are missed
            asked.append((after, [(post.slot.day, post.state) for post in desk.post(day)]))
    weeks = [DAY.date + timedelta(days=7 * number) for number in range(4)]
    assert asked == [
        (after, [(weeks[after // 7], State.POSTED if after in (2, 8, 14, 21) else State.POSTED_BEFORE)])
        for after, _ in asked
    ]
    assert [(body["since"], body["date"]) for _, body, _ in desk.chat.came] == [
        (str(week - timedelta(days=6)), str(week)) for week in weeks
    ]
    assert "not compared" in desk.chat.came[0][1]["sentence"]
    assert (
        desk.chat.came[3][1]["sentence"]
        == "Team nlp cost $7.00 from 7 December to 13 December 2026, much as in the week before."
    )
    assert desk.chat.came[1][1]["notes"] == ["The lake has 6 of the week's 7 days."]


class NoAdviceBefore:
    """A lake in which nothing was advised the week before."""

    def query(self, name: str, **_: object) -> pa.Table:
        assert name == "settled_advice"
        return pa.table({})


def test_a_week_of_which_there_is_no_day_is_not_posted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.destinations = [
        Destination.model_validate({"channel": "webhook", "url_env": "B", "weekly": "monday", "team": "nlp"})
    ]
    monkeypatch.setattr(Lake, "days", lambda *_: {DAY.next.date: DayState.COMPLETE})
    [post] = desk.post(DAY.next)
    assert (post.state, post.slot.day) == (State.QUIET, DAY.date)
    assert "no day of the week" in post.note


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(Weekday))
def test_the_week_that_is_over_ended_the_day_before_its_weekday(day: date, weekday: Weekday) -> None:
    end = week_end(day, weekday)
    assert f"{end + timedelta(days=1):%A}".lower() == weekday
    assert 0 <= (day - end).days < 7


def test_what_may_have_arrived_is_posted_again_only_where_that_is_asked_for(desk: Desk) -> None:
    desk.chat.fault = UnsurePost("no answer", "look there")
    assert desk.states() == [State.FAILED]
    desk.chat.fault = None
    [post] = desk.post()
    assert (post.state, "not known" in post.note) == (State.POSTED_BEFORE, True)
    assert desk.states(again=True) == [State.POSTED]
    [post] = desk.post()
    assert (post.state, post.note) == (State.POSTED_BEFORE, "")


@pytest.mark.parametrize("ended", [KeyboardInterrupt, SystemExit, MemoryError])
def test_a_run_that_ends_while_a_receiver_answers_posts_nothing_twice(
    desk: Desk, ended: type[BaseException]
) -> None:
    desk.destinations = [
        Destination(channel=Channel.SLACK, url_env="A"),
        Destination(channel=Channel.WEBHOOK, url_env="B"),
    ]
    desk.chat.fault_after = ended()
    with pytest.raises(ended):
        desk.post()
    desk.chat.fault_after = None
    first, second = desk.post()
    assert (first.state, first.sure, "not known" in first.note) == (State.POSTED_BEFORE, False, True)
    assert second.state is State.POSTED
    assert [url for url, _, _ in desk.chat.came] == [ENVIRON["A"], ENVIRON["B"]]


def test_what_may_not_have_arrived_is_news_on_the_next_day(desk: Desk) -> None:
    desk.chat.fault = UnsurePost("no answer", "look there")
    assert desk.states() == [State.FAILED]
    desk.chat.fault = None
    assert desk.states() == [State.POSTED_BEFORE]
    days = [DAY.next, DAY.next.next]
    for day, state in zip(days, (State.POSTED, State.NO_NEWS), strict=True):
        desk.teams = {"nlp": told("api", day=day)}
        assert desk.states(day) == [state]


def test_what_surely_failed_leaves_what_is_remembered_as_it_was(desk: Desk) -> None:
    folder = Path(str(desk.lake.path), "_posts")

    def remembered() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.rglob("*.json")}

    for fault in (PostError("busy", "again"), ConfigError("gone", "mend it")):
        desk.chat.fault = fault
        assert desk.states() == [State.FAILED]
        assert remembered() == {}
    desk.chat.fault = None
    assert desk.states() == [State.POSTED]
    before = remembered()
    desk.chat.fault = PostError("busy", "again")
    assert desk.states(again=True) == [State.FAILED]
    assert remembered() == before
    assert desk.states() == [State.POSTED_BEFORE]


def test_nothing_is_sent_that_could_not_be_remembered(desk: Desk) -> None:
    Path(str(desk.lake.path), "_posts").write_text("a file where the folder should be")
    with pytest.raises(LakeError, match="_posts"):
        desk.post()
    assert desk.chat.came == []


def test_a_record_that_is_damaged_is_named(desk: Desk) -> None:
    desk.post()
    [record] = Path(str(desk.lake.path), "_posts").rglob("*.json")
    record.write_text("{")
    with pytest.raises(LakeError, match="is damaged"):
        desk.post()


def test_quiet_muted_and_unknown_teams_are_told_apart(desk: Desk) -> None:
    desk.teams = {"nlp": told(), "vision": told("web", team="vision")}
    mute = {"until": DAY.next.date, "reason": "being moved"}
    desk.destinations = [
        Destination.model_validate({"channel": "slack", "url_env": "A", "team": team, **more})
        for team, more in (
            ("nlp", {}),
            ("vision", {"mute": mute}),
            ("visoin", {}),
            ("vision", {"min_monthly": 101.0}),
        )
    ]
    made = desk.post()
    assert [post.state for post in made] == [State.QUIET, State.MUTED, State.NO_SUCH_TEAM, State.QUIET]
    assert f"until {DAY.next}: being moved" in made[1].note
    assert "did you mean 'vision'?" in made[2].note
    assert [post.state for post in desk.post(team="vision")] == [State.MUTED, State.QUIET]
    desk.destinations[1] = desk.destinations[1].model_copy(update={"cooldown_ms": 1})
    assert desk.post(DAY.next)[1].state is State.POSTED, "the day on which the mute ends is posted"


def test_an_alarm_and_a_budget_are_news_among_what_was_told(desk: Desk) -> None:
    budget = Finding(
        "budget_will_be_exceeded",
        Severity.WARNING,
        "budget of team nlp",
        "will be exceeded on 2026-11-28: $9",
    )
    alarm = Finding("cost_anomaly", Severity.INFO, "nlp", "Team nlp cost $9.", Decimal(9))
    assert desk.states() == [State.POSTED]
    day = DAY.next
    desk.teams = {"nlp": told("api", day=day)}
    assert desk.states(day) == [State.NO_NEWS]
    desk.teams = {"nlp": told("api", day=day, budgets=[budget])}
    assert desk.states(day) == [State.POSTED]
    day = day.next
    later = Finding(budget.rule, budget.severity, budget.subject, "will be exceeded on 2026-11-27: $10")
    desk.teams = {"nlp": told("api", day=day, budgets=[later])}
    assert desk.states(day) == [State.NO_NEWS], "another forecast of the same is no news"
    desk.teams = {"nlp": told("api", day=day, budgets=[later], alarms=[alarm])}
    assert desk.states(day) == [State.POSTED]
    assert desk.chat.came[-1][1]["blocks"][1]["text"]["text"] == alarm.message


def test_the_next_share_of_a_budget_is_news_and_more_of_the_same_is_not(desk: Desk) -> None:
    for after, (share, spent, state) in enumerate(
        (
            ("50%", 51, State.POSTED),
            ("50%", 60, State.NO_NEWS),
            ("80%", 81, State.POSTED),
            ("80%", 90, State.NO_NEWS),
        )
    ):
        day = Day(DAY.date + timedelta(days=after))
        text = f"{share} reached: ${spent} of $100 spent by {day}"
        reached = Finding("budget_share_reached", Severity.INFO, "budget of team nlp", text)
        desk.teams = {"nlp": told(day=day, budgets=[reached])}
        assert desk.states(day) == [state], (share, spent)


def test_an_action_has_the_patch_of_itself_alone_or_what_to_do_in_its_place() -> None:
    memory = {"resource": "memory", "current_request": 2.0 * 2**30, "proposed_request": 2.0**30}
    gpu = {
        "resource": "gpu", "action": "mig", "reason": "advised", "mig_profile": "1g.10gb", "current_request": 1.0,
        "proposed_request": 1.0, "current_limit": 1.0, "proposed_limit": 1.0, "violation_rate": None, "policy": "gpu",
    }  # fmt: skip
    rows = [
        advised("api", "500"),
        advised("api", "400", **memory),
        advised("api", "300", **gpu),
        advised("shell", "200", workload_kind="Pod"),
        advised("$(reboot)", "100"),
    ]
    found = message(Told("prod", "nlp", DAY.date, "USD", advice=rows), Decimal(0))
    assert found
    cpu, mem, mig, shell, odd = found.actions
    for action, resources in (
        (cpu, {"requests": {"cpu": "1"}}),
        (mem, {"requests": {"memory": "1Gi"}}),
    ):
        patch = orjson.loads(shlex.split(action.patch)[-1])
        assert patch["spec"]["template"]["spec"]["containers"] == [{"name": "app", "resources": resources}]
        assert spoken(action.patch) == action.patch, "chats have it, too"
    assert [each.patch for each in (mig, shell, odd)] == ["", "", ""]
    assert mig.change == "GPU: take a MIG slice instead of a whole GPU: 1g.10gb"
    assert mig.lines[-1].endswith("by gpu; measured by the metric that carries the claim")
    assert shell.lines[-1].startswith("No patch: nothing but itself makes this pod")
    assert all(form.count("No patch: ") == 1 for form in map(str, (slack(found), webhook(found))))


@limits(max_examples=50)  # each syncs some files
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sets(st.sampled_from("abcdef"), min_size=1, max_size=4)),
        min_size=1,
        max_size=12,
    )
)
def test_no_day_is_posted_twice_and_every_post_tells_something_new(
    runs: list[tuple[int, set[str]]],
) -> None:
    """Days come in their order with reruns among them; a plain model says which of them have news."""
    cooldown = 3
    posted: dict[int, set[str]] = {}
    with TemporaryDirectory() as folder, desk_in(Path(folder)) as desk:
        desk.destinations = [
            Destination.model_validate({"channel": "webhook", "url_env": "B", "cooldown": f"{cooldown}d"})
        ]
        for number, workloads in sorted(runs, key=lambda run: run[0]):
            day = Day(DAY.date + timedelta(days=number))
            desk.teams = {"nlp": told(*sorted(workloads), day=day)}
            recent = {each for d, names in posted.items() if number - cooldown < d < number for each in names}
            [state] = desk.states(day)
            if number in posted:
                assert state is State.POSTED_BEFORE
            elif workloads <= recent:
                assert state is State.NO_NEWS
            else:
                assert state is State.POSTED
                posted[number] = workloads
        assert [body["date"] for _, body, _ in desk.chat.came] == [
            str(DAY.date + timedelta(days=number)) for number in sorted(posted)
        ]


def test_at_most_five_actions_and_those_that_were_killed_come_first() -> None:
    advice = [advised(f"w{i}", str(10 * i)) for i in range(1, 9)]
    advice += [advised("killed", "-50", reason="oom_killed", proposed_request=4.0), advised("raised", "-50")]
    advice += [advised("unpriced", None), advised("$(evil)\n", "85", proposed_request=1.0)]
    found = message(Told("prod", "nlp", DAY.date, "USD", advice=advice), Decimal(20))
    assert found
    assert [action.facts["workload"] for action in found.actions] == ["killed", "$(evil)\n", "w8", "w7", "w6"]
    assert found.more == "4 more changes would save $140 a month."
    assert found.actions[1].patch == "", "what is no name of Kubernetes is nothing to paste into a shell"
    assert found.actions[2].patch.startswith("kubectl patch deployment/w8 --namespace=ns ")
    assert found.actions[2].lines == (
        "CPU: request 2 cores to 1 core; limit none stays",
        "Saves $80.00 a month, $80.00 net of capacity that stays; new",
        "Risk: exceeded on at most 1% of days, 0% of past days exceeded it",
        "Evidence: 14 days, 100% observed, by costlab: p; it uses less than it asks for",
    )


@pytest.mark.parametrize(
    ("cost", "sentence"),
    [
        (None, "Team nlp has no cost that is known on Sunday, 22 November 2026."),
        (("120", None), ("Team nlp cost $120 on Sunday, 22 November 2026; there is no Sunday of the last four weeks to "
                        "compare it with.")),
        (("120", "119"), "Team nlp cost $120 on Sunday, 22 November 2026, much like a usual Sunday."),
        (("120", "100"), ("Team nlp cost $120 on Sunday, 22 November 2026, $20 more than on a usual Sunday ($100), led by "
                         "GPU cost of nlp's Job train (+$15.00).")),
        (("0", "100"), "Team nlp cost nothing on Sunday, 22 November 2026, $100 less than on a usual Sunday ($100)."),
        (("0", "0"), "Team nlp cost nothing on Sunday, 22 November 2026, much like a usual Sunday."),
    ],
)  # fmt: skip
def test_the_sentence_compares_and_names_the_one_cause(
    cost: tuple[str, str | None] | None, sentence: str
) -> None:
    row, changes = None, []
    if cost:
        usual = None if cost[1] is None else Decimal(cost[1])
        row = {"total_cost": Decimal(cost[0]), "usual_cost": usual, "unpriced_charges": 0}
        common = {
            "kind": "workload",
            "team": "nlp",
            "workload_kind": "Job",
            "namespace": "ns",
            "price_cost": Decimal(0),
        }
        changes = [
            {**common, "workload": "train", "resource": "gpu", "total_cost": Decimal(75), "usual_cost": Decimal(60)},
            {**common, "workload": "eval", "resource": "cpu", "total_cost": Decimal(45), "usual_cost": Decimal(40)},
        ] if cost[0] == "120" else []  # fmt: skip
    found = message(Told("prod", "nlp", DAY.date, "USD", row, changes, advice=[advised("a")]), Decimal(0))
    assert found
    assert found.sentence == sentence


def test_a_night_posts_its_last_day_and_a_failed_post_does_not_fail_the_day(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    for day in (DAY.previous, DAY):
        small_lake.commit(lake, small_lake.findings("a", day=day), day)
        folder = tmp_path / "reports" / "prod" / str(day)
        folder.mkdir(parents=True)
        for name in FILES:
            (folder / name).touch()
    content = {
        "lake": "lake", "report": {"out": "reports"}, "notify": [{"channel": "slack", "url_env": "A"}],
        "clusters": [{"id": "prod", "prometheus": {"url": "http://127.0.0.1:9"}}],
    }  # fmt: skip
    settings = Settings.model_validate(content, context={"folder": tmp_path})
    asked: list[date] = []
    said: list[str] = []

    def posts(_: Lake, cluster: str, day: Day) -> Iterator[Post]:
        asked.append(day.date)
        slot = Slot(cluster, day.date, "nlp", "slack all")
        yield Post(slot, State.POSTED)
        yield Post(slot, State.QUIET)
        yield Post(slot, State.FAILED, note="not reachable", exit_code=ExitCode.BUSY)
        yield Post(slot, State.POSTED_BEFORE, note="as before")
        yield Post(slot, State.POSTED_BEFORE, note="it may not have arrived", sure=False)

    def no_source(*_: object) -> Any:
        raise AssertionError("nothing is due")

    outcome = nightly(settings, Asked(), now=NOW, source_of=no_source, say=said.append, posts=posts)
    assert (outcome.exit_code, asked) == (ExitCode.BUSY, [DAY.date])
    where = f"prod {DAY}: post for nlp to slack all"
    posted = [line for line in said if "post for" in line]  # it writes the week's edition, too
    assert posted == [
        f"{where}: posted",
        f"{where}: failed: not reachable",
        f"{where}: posted before: it may not have arrived",
    ]

    def broken(*_: object) -> Iterator[Post]:
        raise ConfigError("no budget adds up", "mend it")

    outcome = nightly(settings, Asked(), now=NOW, source_of=no_source, say=said.append, posts=broken)
    assert (outcome.exit_code, said[-1]) == (ExitCode.USAGE, "prod: posts: no budget adds up")
    long_after = NOW + timedelta(days=60)
    with pytest.raises(AssertionError, match="nothing is due"):
        nightly(settings, Asked(), now=long_after, source_of=no_source, say=said.append, posts=posts)
    assert len(asked) == 1, "a day that is long gone is no news"


def test_posts_of_other_clusters_count_as_told_and_not_as_made(desk: Desk) -> None:
    slots = [Slot(cluster, DAY.date, "nlp", "slack all") for cluster in ("prod", "test")]
    ledger = Posts(desk.lake.path)
    ledger.record(slots[0], Record(("budget",), "c", "now", sure=True))
    assert ledger.find(slots[1]) is None
    assert ledger.told(slots[1], 1) == {"budget"}
    assert ledger.told(slots[0], 1) == set()
