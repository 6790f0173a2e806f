"""What apprise brings to servers of the tests' own: what is said where it fails, and that no address is in it."""

import json
import logging
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from authority import Authority
from fault_server import FaultServer, Reply, reply

from costlab.config.destination import Channel, Destination
from costlab.domain.errors import ConfigError, CostlabError, PostError, UnsurePost
from costlab.publish.announcing import announce, verdict
from costlab.publish.destined import destined
from costlab.publish.herald import Herald
from costlab.publish.posting import PATIENT

SECRET = "T0KEN-of-the-service"  # noqa: S105 - it leads nowhere
IMPATIENT = replace(PATIENT, answer_s=0.3)


def words(most: int) -> dict[str, str]:
    return {"title": "Ünits & <b>", "body": ("*€* :smile: \\n <x>\n" * 1000)[: most - 4] + "_end"}


def herald(host: str, scheme: str = "json", asked: str = "") -> Herald:
    return Herald("notify[0]", f"{scheme}://costlab:{SECRET}@{host}/{SECRET}{asked}")


@contextmanager
def serving(*replies: Reply, authority: Authority | None = None) -> Iterator[FaultServer]:
    server = FaultServer(authority.issue("IP:127.0.0.1").server() if authority else None)
    server.answers(*replies)
    with server.running():
        yield server


class Heard(logging.Handler):
    """All that gets into the log of whoever listens to everything."""

    def __init__(self) -> None:
        super().__init__(level=1)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Heard]:
    """At the lowest of all levels no log and no stream holds an address."""
    for name in (None, "apprise", "urllib3", "urllib3.connectionpool", "requests"):
        caplog.set_level(1, name)
    listener = Heard()
    logging.getLogger().addHandler(listener)
    try:
        yield listener
    finally:
        logging.getLogger().removeHandler(listener)
    told = capfd.readouterr()
    assert SECRET not in "\n".join([*listener.lines, told.out, told.err])


def failed(place: Herald) -> CostlabError:
    """What is raised, with nothing of the address in it or behind it."""
    with pytest.raises(CostlabError) as caught:
        announce(place, words, IMPATIENT)
    fault = caught.value
    assert SECRET not in f"{fault.message} {fault.hint} {fault!r} {fault.__cause__!r} {place!r}"
    assert f"{place.url.split(':')[0]}://…" in fault.message
    assert fault.hint
    return fault


def test_a_post_arrives_once_as_it_was_written() -> None:
    with serving(reply(body=b"")) as server:
        announce(herald(server.host), words, IMPATIENT)
    [request] = server.seen
    sent = json.loads(request.body)
    assert {"title": sent["title"], "body": sent["message"]} == words(32_768)


def test_a_post_is_no_longer_than_the_service_takes() -> None:
    """Mattermost, of which a message has 4,000 characters with its title within: nothing of the end is cut off."""
    with serving(reply(body=b"ok")) as server:
        announce(Herald("notify[0]", f"mmost://{server.host}/{'a1' * 13}?overflow=split"), words, IMPATIENT)
    [request] = server.seen
    text = json.loads(request.body)["text"]
    assert 3000 < len(text) <= 4000
    assert text.startswith(words(99)["title"])
    assert text.endswith("_end")


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (302, ConfigError, "sends on to another address, which is not followed (302)"),
        (404, ConfigError, "refused the post (404)"),
        (429, PostError, "is not available (429)"),
        (500, PostError, "is not available (500)"),
    ],
)
def test_what_is_answered_is_told_and_tried_once(status: int, kind: type[CostlabError], told: str) -> None:
    with serving(reply(f"{status} {SECRET}", SECRET.encode(), Location=f"/{SECRET}")) as server:
        fault = failed(herald(server.host, asked="?retry=3"))
    assert (type(fault), len(server.seen)) == (kind, 1)
    assert told in fault.message


@pytest.mark.parametrize("answer", [(), (1.0, *reply(body=b""))], ids=["it hangs up", "it says nothing"])
def test_what_may_have_arrived_is_not_known(answer: Reply) -> None:
    with serving(answer) as server:
        fault = failed(herald(server.host, asked="?retry=3"))
    assert (type(fault), len(server.seen)) == (UnsurePost, 1)


NEVER_OUT = ("A Connection error occurred.", "Socket Exception: (Caused by NewConnectionError('refused'))")
NO_ANSWER = ("A Connection error occurred.", "Socket Exception: Read timed out. (read timeout=15.0)")


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["Failed to send: error=500."], PostError),
        (["Failed to send: error=401."], ConfigError),
        (NEVER_OUT, PostError),
        (NEVER_OUT * 2, PostError),
        ([], UnsurePost),
        (["Failed to send in words of another version"], UnsurePost),
        ([*NEVER_OUT, *NO_ANSWER], UnsurePost),
        (["Failed to sign in: error=500.", *NO_ANSWER], UnsurePost),
        (["Sent the first part.", "Failed to send: error=500."], UnsurePost),
    ],
)
def test_only_what_is_surely_not_there_is_said_not_to_be(
    lines: Sequence[str], kind: type[CostlabError]
) -> None:
    assert type(verdict(herald("a.example"), lines)) is kind


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG], ids=["as it runs", "verbose"])
def test_what_never_got_out_may_be_tried_again(level: int, caplog: pytest.LogCaptureFixture) -> None:
    """Apprise names the fault at its lowest level, which a program does not have by itself."""
    caplog.set_level(logging.WARNING)
    caplog.set_level(level, "apprise")
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    fault = failed(herald(host))
    assert type(fault) is PostError
    assert "is not reachable" in fault.message
    assert logging.getLogger("apprise").level == level


def test_only_a_certificate_that_is_trusted_is_posted_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path, "ours")
    with serving(reply(body=b""), authority=authority) as server:
        fault = failed(herald(server.host, "jsons"))
        assert type(fault) is ConfigError
        assert "certificate is not trusted" in fault.message
        assert server.seen == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.cert))
        announce(herald(server.host, "jsons"), words, IMPATIENT)
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (SECRET, "holds no address of a service"),
        (f"json://a.example/{SECRET},json://b.example", "more than one address"),
        (f"json://a.example/{SECRET} json://b.example", "no address"),
        (f"syslog://{SECRET}", "syslog:// is of this machine itself"),
        (f"file:///etc/{SECRET}.py", "apprise cannot post to this address of file://…"),
        (f"slack://{SECRET}", "apprise cannot post to this address of slack://…"),
        (f"ntfys://ntfy.example/{SECRET}/b", "its address of ntfys://… names 2 places"),
    ],
)
def test_only_one_place_of_a_service_is_posted_to(url: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        destined(Destination(channel=Channel.APPRISE, url_env="A"), {"A": url}, "notify[0]")
    assert told in caught.value.message
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    fault = failed(herald("127.0.0.1:9"))
    assert type(fault) is ConfigError
    assert fault.hint == "pip install costlab[apprise]"


def test_other_logs_go_on_as_before(heard: Heard) -> None:
    with serving(reply(body=b"")) as server:
        announce(herald(server.host), words, IMPATIENT)
    logging.getLogger("urllib3.connectionpool").debug("of another request")
    assert heard.lines == ["of another request"]
