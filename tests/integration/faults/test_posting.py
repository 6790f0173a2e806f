"""Deliveries to servers of the tests' own: what is tried again, what is not, and what nobody is shown."""

import hmac
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from ssl import SSLContext

import pytest
from authority import Authority
from code_host import TOKEN, hosting
from listening import Clock, listening
from mail_office import open_office
from typer.testing import CliRunner, Result

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.domain.errors import ConfigError, CostlabError, ExitCode, PostError, UnsurePost
from costlab.jobs.demo import demo
from costlab.publish.address import Address
from costlab.publish.posting import TRIES, post
from costlab.render.messages.webhook import signature

SECRET = "T0KEN-of-the-webhook"  # noqa: S105 - it leads nowhere
NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
LAST_DAY = date(2026, 11, 20)
BODY = b'{"title":"nlp"}'

# Status, headers, body; None hangs up without an answer.
Reply = tuple[int, Mapping[str, str], bytes] | None


@dataclass
class Receiver:
    """Answers each post with the next of its replies, the last one again and again; it keeps what came."""

    replies: list[Reply]
    port: int = 0
    scheme: str = "http"
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def address(self) -> Address:
        return Address("notify[0]", f"{self.scheme}://127.0.0.1:{self.port}/services/{SECRET}?sig={SECRET}")

    def reply(self) -> Reply:
        return self.replies[min(len(self.came), len(self.replies)) - 1]


@contextmanager
def receiving(*replies: Reply, delay_s: float = 0, tls: SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.came.append((dict(self.headers), body))
            time.sleep(delay_s)
            if (reply := receiver.reply()) is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, content = reply
            with suppress(OSError):  # whoever was too impatient has hung up
                self.send_response_only(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

    with listening(Handler, tls) as (receiver.scheme, receiver.port):
        yield receiver


OK: Reply = (200, {}, b"ok")


def test_a_post_arrives_as_it_was_made_and_signed() -> None:
    headers = {"Idempotency-Key": "k", **signature(BODY, "key", 1_800_000_000)}
    with receiving((202, {}, b"")) as receiver:
        post(receiver.address, BODY, headers, Clock().patience)
    [(told, body)] = receiver.came
    assert body == BODY
    assert told["Content-Type"] == "application/json"
    assert told["Idempotency-Key"] == "k"
    version, _, digest = told["Costlab-Signature"].partition("=")
    stamped = told["Costlab-Timestamp"].encode() + b"." + body
    assert (version, digest) == ("v1", hmac.new(b"key", stamped, sha256).hexdigest())


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_may_pass_is_tried_again_each_time_later(status: int) -> None:
    clock = Clock()
    with receiving((status, {}, b""), (status, {}, b""), OK) as receiver:
        post(receiver.address, BODY, {}, clock.patience)
    assert [body for _, body in receiver.came] == [BODY] * 3
    assert clock.slept == [0.5, 1.0]


def test_it_waits_as_long_as_it_is_asked_to() -> None:
    clock = Clock()
    until = {"Retry-After": "Sun, 22 Nov 2026 00:00:09 GMT", "Date": "Sun, 22 Nov 2026 00:00:02 GMT"}
    undated = {
        "Retry-After": formatdate(time.time() + 20, usegmt=True)
    }  # the receiver tells no clock of its own
    with receiving((429, {"Retry-After": "30"}, b""), (503, until, b""), (429, undated, b""), OK) as receiver:
        post(receiver.address, BODY, {}, clock.patience)
    assert clock.slept[:2] == [30.0, 7.0]
    assert 15 < clock.slept[2] <= 20


def test_it_does_not_wait_longer_than_a_night_may() -> None:
    clock = Clock()
    with (
        receiving((429, {"Retry-After": "3600"}, b"")) as receiver,
        pytest.raises(PostError, match="asks to wait 3,600 s") as caught,
    ):
        post(receiver.address, BODY, {}, clock.patience)
    assert (len(receiver.came), clock.slept, caught.value.exit_code) == (1, [], ExitCode.BUSY)


def test_it_gives_up_after_four_tries() -> None:
    clock = Clock()
    with receiving((503, {}, b"")) as receiver, pytest.raises(PostError, match="not available"):
        post(receiver.address, BODY, {}, clock.patience)
    assert (len(receiver.came), len(clock.slept)) == (TRIES, TRIES - 1)


def test_nobody_there_is_tried_again() -> None:
    clock = Clock()
    with receiving(OK) as receiver:
        pass
    with pytest.raises(PostError, match="is not reachable"):
        post(receiver.address, BODY, {}, clock.patience)
    assert len(clock.slept) == TRIES - 1


@pytest.mark.parametrize(
    ("replies", "delay_s"),
    [([None], 0.0), ([OK], 1.5), ([(504, {}, b"")], 0.0)],
    ids=["it hangs up", "it says nothing", "a proxy waited for it in vain"],
)
def test_what_may_have_arrived_is_not_sent_again(replies: list[Reply], delay_s: float) -> None:
    clock = Clock()
    with receiving(*replies, delay_s=delay_s) as receiver, pytest.raises(UnsurePost):
        post(receiver.address, BODY, {}, replace(clock.patience, answer_s=0.3))
    assert (len(receiver.came), clock.slept) == (1, [])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with (
        receiving(OK) as elsewhere,
        receiving((status, {"Location": elsewhere.address.url}, b"")) as receiver,
        pytest.raises(ConfigError, match="another address"),
    ):
        post(receiver.address, BODY, {}, Clock().patience)
    assert (len(receiver.came), elsewhere.came) == (1, [])


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ((404, {}, b"no_service"), "(404: no_service)"),
        ((400, {}, b"invalid_blocks\n"), "(400: invalid_blocks)"),
        ((403, {}, b"<html>" + SECRET.encode()), "(403)"),
    ],
)
def test_a_refusal_is_told_and_not_repeated(reply: Reply, told: str) -> None:
    with receiving(reply) as receiver, pytest.raises(ConfigError) as caught:
        post(receiver.address, BODY, {}, Clock().patience)
    assert told in caught.value.message
    assert len(receiver.came) == 1


def test_only_a_certificate_that_is_trusted_is_posted_to(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    clock = Clock()
    with receiving(OK, tls=authority.issue("IP:127.0.0.1").server()) as receiver:
        post(replace(receiver.address, authority=authority.cert), BODY, {}, clock.patience)
        assert len(receiver.came) == 1
        for trusted in (None, stranger.cert):
            with pytest.raises(ConfigError, match="TLS with https://"):
                post(replace(receiver.address, authority=trusted), BODY, {}, clock.patience)
        with pytest.raises(ConfigError, match="ca_file"):
            post(replace(receiver.address, authority=tmp_path / "none.pem"), BODY, {}, clock.patience)
        assert len(receiver.came) == 1
    with receiving(OK, tls=authority.issue("DNS:elsewhere.example").server()) as receiver:
        with pytest.raises(ConfigError, match="TLS with https://"):
            post(replace(receiver.address, authority=authority.cert), BODY, {}, clock.patience)
        assert receiver.came == []


def test_no_fault_shows_the_address(tmp_path: Path) -> None:
    def fails(work: Callable[[Address], None], address: Address) -> CostlabError:
        with pytest.raises(CostlabError) as caught:
            work(address)
        return caught.value

    def sent(address: Address) -> None:
        post(address, BODY, {}, replace(Clock().patience, answer_s=0.2))

    faults, gone = [], Address("", "")
    replies: tuple[Reply, ...] = (
        (503, {}, b""),
        (404, {}, SECRET.encode()),
        (302, {"Location": f"/{SECRET}"}, b""),
        None,
    )
    for reply in replies:
        with receiving(reply) as receiver:
            gone = receiver.address
            faults.append(fails(sent, gone))
    faults.append(fails(sent, gone))
    faults.append(fails(sent, replace(gone, authority=tmp_path / "none.pem")))
    assert len(faults) == 6
    for fault in faults:
        assert SECRET not in f"{fault.message} {fault.hint} {fault!r} {fault.__cause__!r}"
        assert fault.hint
    assert SECRET not in repr(gone)
    assert gone.shown == f"http://127.0.0.1:{gone.url.split(':')[2].split('/')[0]}/…"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic cluster's last day."""
    folder = tmp_path_factory.mktemp("posts") / "demo"
    demo(folder, days=1, say=lambda _: None)
    return folder / "lake"


@pytest.fixture
def desk(lake: Path, tmp_path: Path) -> Path:
    """A folder with a lake, a budget that is exceeded, and a webhook at $HOOK."""
    shutil.copytree(lake, tmp_path / "lake")
    (tmp_path / "costlab.yaml").write_text(
        "budgets: [{team: nlp, monthly: 1}]\n"
        "notify: [{channel: webhook, team: nlp, url_env: HOOK, secret_env: KEY, min_monthly: 1000000}]\n"
    )
    return tmp_path


def notified(folder: Path, receiver: Receiver, *args: str) -> Result:
    environ = {"HOOK": receiver.address.url, "KEY": SECRET, "HOME": str(folder)}
    command = ["notify", "--config", str(folder / "costlab.yaml"), "--date", str(LAST_DAY), *args]
    return CliRunner().invoke(app, command, obj=Desk(environ, NOW))


def test_the_command_posts_once_and_shows_no_secret(desk: Path) -> None:
    with receiving(OK) as receiver:
        dry = notified(desk, receiver, "--dry-run", "-o", "json")
        [message] = json.loads(dry.stdout)["messages"]
        assert (dry.exit_code, receiver.came) == (0, [])
        assert "budget of team nlp: exceeded" in message["payload"]["alerts"][0].lower()
        first, second = notified(desk, receiver, "-o", "json"), notified(desk, receiver, "-o", "json")
        states = [json.loads(done.stdout)["rows"][0]["state"] for done in (first, second)]
        assert states == ["posted", "posted_before"]
        [(headers, body)] = receiver.came
        assert json.loads(body) == message["payload"]
        assert headers["Costlab-Signature"].startswith("v1=")
        assert notified(desk, receiver, "--again").exit_code == 0
        assert len(receiver.came) == 2
        assert receiver.came[1][0]["Idempotency-Key"] == headers["Idempotency-Key"]
    gone = notified(desk, receiver, "--again", "-v")
    assert gone.exit_code == ExitCode.BUSY
    for done in (dry, first, second, gone):
        assert SECRET not in done.output
    assert "http://127.0.0.1:" in gone.output
    for record in (desk / "lake" / "_posts").rglob("*.json"):
        assert SECRET not in record.read_text()


def test_a_cluster_without_the_day_keeps_no_other_from_its_posts(desk: Path) -> None:
    clusters = [
        {"id": name, "prometheus": {"url": "http://127.0.0.1:9"}} for name in ("new", "demo", "other")
    ]
    with (desk / "costlab.yaml").open("a") as file:
        file.write(f"clusters: {json.dumps(clusters)}\n")
    with receiving(OK) as receiver:
        done, again = notified(desk, receiver, "-o", "json"), notified(desk, receiver, "-o", "json")
        assert len(receiver.came) == 1
    for each, state in ((done, "posted"), (again, "posted_before")):
        rows = json.loads(each.stdout)["rows"]
        assert [(row["cluster"], row["state"]) for row in rows] == [("demo", state)]
        assert each.exit_code == ExitCode.USAGE
        for name in ("new", "other"):
            told = (
                f"warning: {name}: nothing more was posted: {LAST_DAY} of cluster {name} is not in the lake\n"
            )
            assert told in each.stderr
        assert each.stderr.count("hint: ") == 1


def test_a_run_that_is_killed_while_the_receiver_answers_posts_nothing_twice(desk: Path) -> None:
    """kill -9 between what the receiver took and what it said: the post is there, and the next run knows."""
    with receiving(OK, delay_s=2.0) as receiver:
        environ = {**os.environ, "HOOK": receiver.address.url, "KEY": SECRET}
        command = ["-m", "costlab", "notify", "--config", str(desk / "costlab.yaml"), "--date", str(LAST_DAY)]
        with subprocess.Popen(
            [sys.executable, *command], env=environ, cwd=desk, stdout=subprocess.DEVNULL
        ) as run:
            until = time.monotonic() + 60
            while not receiver.came and time.monotonic() < until:
                time.sleep(0.02)
            run.kill()
        again = notified(desk, receiver, "-o", "json")
        assert len(receiver.came) == 1
    [row] = json.loads(again.stdout)["rows"]
    assert (row["state"], "not known" in row["note"]) == ("posted_before", True)
    assert again.stderr.count("not known") == 1


def test_the_command_sends_mail_and_shows_no_whole_address(desk: Path) -> None:
    with open_office() as office:
        (desk / "costlab.yaml").write_text(
            "notify: [{channel: mail, team: nlp, to: leads@example.org, from: costlab@example.org, "
            f"server: 'smtp://127.0.0.1:{office.port}', min_monthly: 0}}]\nbudgets: [{{team: nlp, monthly: 1}}]\n"
        )
        command = ["notify", "--config", str(desk / "costlab.yaml"), "--date", str(LAST_DAY), "-o", "json"]
        states = []
        for extra in (["--dry-run"], [], []):
            done = CliRunner().invoke(app, [*command, *extra], obj=Desk({"HOME": str(desk)}, NOW))
            states.append(json.loads(done.stdout)["rows"][0]["state"])
            assert "to l…@example.org" in done.output or states[-1] == "posted_before"
            assert "leads" not in done.output
    assert states == ["due", "posted", "posted_before"]
    [(_, recipients, content)] = office.came
    made = message_from_bytes(content, policy=default)
    kinds = [part.get_content_type() for part in made.walk() if not part.is_multipart()]
    assert kinds == ["text/plain", "text/html", "image/png", "text/html"]
    assert (recipients, made["Date"].datetime) == (["leads@example.org"], NOW)
    assert b"exceeded" in content


def test_the_command_keeps_one_comment_and_shows_no_token(desk: Path) -> None:
    with hosting("gitlab") as host:
        (desk / "costlab.yaml").write_text(
            "notify: [{channel: gitlab, team: nlp, project: acme/ml, merge_request: 12, secret_env: KEY, "
            f"api_url: '{host.api}'}}]\n"
            "budgets: [{team: nlp, monthly: 1}]\n"
        )
        command = ["notify", "--config", str(desk / "costlab.yaml"), "--date", str(LAST_DAY), "-o", "json"]
        environ = {"HOME": str(desk), "KEY": TOKEN}
        done = [
            CliRunner().invoke(app, [*command, *extra], obj=Desk(environ, NOW))
            for extra in (["--dry-run"], [], [], ["--again"])
        ]
        told = [json.loads(each.stdout) for each in done]
        assert [each["rows"][0]["state"] for each in told] == ["due", "posted", "posted_before", "posted"]
        assert host.asked == ["GET", "POST", "GET"], "what is there as it should be is not written again"
        assert list(host.comments.values()) == [told[0]["messages"][0]["payload"]["body"]]
        assert TOKEN not in "".join(each.output for each in done)
    assert "exceeded" in host.comments[1]


def test_the_command_posts_by_apprise_once_and_shows_no_secret(desk: Path) -> None:
    (desk / "costlab.yaml").write_text(
        "notify: [{channel: apprise, team: nlp, url_env: CHAT, min_monthly: 1000000}]\n"
        "budgets: [{team: nlp, monthly: 1}]\n"
    )
    command = ["notify", "--config", str(desk / "costlab.yaml"), "--date", str(LAST_DAY), "-o", "json"]
    with receiving(OK, (401, {}, SECRET.encode())) as receiver:
        environ = {"HOME": str(desk), "CHAT": f"json://costlab:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}"}
        done = [
            CliRunner().invoke(app, [*command, *extra], obj=Desk(environ, NOW))
            for extra in (["--dry-run"], ["-v"], [], ["--again", "-v"])
        ]
    told = [json.loads(each.stdout) for each in done]
    assert [each["rows"][0]["state"] for each in told] == ["due", "posted", "posted_before", "failed"]
    assert [each["rows"][0]["address"] for each in told] == ["json://…", "json://…", None, "json://…"]
    assert [each.exit_code for each in done] == [0, 0, 0, ExitCode.USAGE]
    sent = json.loads(receiver.came[0][1])
    assert {"title": sent["title"], "body": sent["message"]} == told[0]["messages"][0]["payload"]
    assert "exceeded" in sent["message"]
    assert len(receiver.came) == 2
    assert "refused the post (401)" in done[3].stderr
    assert SECRET not in "".join(each.output for each in done)


def test_the_command_says_what_it_lacks(desk: Path) -> None:
    with receiving(OK) as receiver:
        assert "there is no cluster 'x'" in notified(desk, receiver, "--cluster", "x").stderr
        assert "did you mean 'nlp'?" in notified(desk, receiver, "--dry-run", "--team", "nlpp").stderr
        (desk / "costlab.yaml").write_text("")
        done = notified(desk, receiver)
    assert (done.exit_code, done.stderr.count("\n")) == (ExitCode.USAGE, 2)
    assert "names no destination" in done.stderr
