"""Comments on strict code hosts of the tests' own: one of each marker, whatever fails, and what nobody is shown."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
from authority import Authority
from code_host import TOKEN, CodeHost, Fault, hosting
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from listening import Clock

from costlab.config.destination import Destination
from costlab.domain.errors import ConfigError, CostlabError, PostError
from costlab.publish.commenting import comment
from costlab.publish.posting import TRIES
from costlab.publish.thread import Thread, thread_of
from costlab.render.messages.comment import marker_of

MARKER = marker_of("a" * 64)
BODY = f"{MARKER}\n### nlp: $120\n"
WHERE = {
    "github": {"repository": "acme/ml", "issue": 12},
    "gitlab": {"project": "acme/ml", "merge_request": 12},
}
AT = datetime(2026, 11, 23, 3, tzinfo=UTC)
NOW_IS = {"Date": format_datetime(AT, usegmt=True)}


def thread_at(host: CodeHost, **other: object) -> Thread:
    told = {"channel": host.service, "api_url": host.api, "secret_env": "KEY", **WHERE[host.service], **other}
    return thread_of(Destination.model_validate(told), {"KEY": TOKEN}, "notify[0]")


@pytest.fixture(params=WHERE)
def host(request: pytest.FixtureRequest) -> Iterator[CodeHost]:
    with hosting(request.param) as running:
        running.comments = {1: "What does this cost?", 2: f"> {BODY} as somebody has quoted it"}
        yield running


def test_it_is_written_once_and_changed_in_place(host: CodeHost) -> None:
    thread, others = thread_at(host), dict(host.comments)
    comment(thread, MARKER, BODY, Clock().patience)
    comment(thread, MARKER, BODY, Clock().patience)
    comment(thread, marker_of("b" * 64), marker_of("b" * 64), Clock().patience)
    comment(thread, MARKER, BODY + "new", Clock().patience)
    assert host.comments == others | {3: BODY + "new", 4: marker_of("b" * 64)}
    assert host.writes() == ["POST", "POST", {"github": "PATCH", "gitlab": "PUT"}[host.service]]
    del host.comments[3]
    comment(thread, MARKER, BODY, Clock().patience)
    assert host.comments == others | {4: marker_of("b" * 64), 5: BODY}


def test_it_is_found_on_a_later_page_and_the_token_goes_nowhere_else(host: CodeHost) -> None:
    host.page = 2
    host.comments |= dict.fromkeys(range(3, 9), "talk") | {9: BODY}
    with hosting(host.service) as elsewhere:
        host.elsewhere = elsewhere.api
        comment(thread_at(host), MARKER, BODY + "new", Clock().patience)
    assert (host.comments[9], len(host.comments), elsewhere.asked) == (BODY + "new", 9, [])
    assert host.asked.count("GET") == 5


@limits(max_examples=25)
@given(
    st.sampled_from(sorted(WHERE)),
    st.lists(
        st.builds(
            Fault, st.sampled_from(["GET", "POST", "PATCH", "PUT", "*"]), st.sampled_from([None, 429, 500, 502, 503]),
            done=st.booleans(),
        ),
        max_size=6,
    ),
)  # fmt: skip
def test_whatever_fails_there_are_never_two_and_it_ends_up_right(service: str, faults: list[Fault]) -> None:
    """An answer may be lost before or after what was asked is done; the next nights have none of that."""
    with hosting(service) as host:
        host.faults = faults
        for text in ("first", "second"):
            with suppress(PostError):
                comment(thread_at(host), MARKER, f"{MARKER}\n{text}", Clock().patience)
        assert len(host.comments) <= 1
        host.faults = []
        comment(thread_at(host), MARKER, f"{MARKER}\nthird", Clock().patience)
        assert list(host.comments.values()) == [f"{MARKER}\nthird"]


@pytest.mark.parametrize("status", [None, 500, 502, 504])
def test_what_may_have_been_written_is_looked_for_and_not_written_again(
    host: CodeHost, status: int | None
) -> None:
    host.faults = [Fault("POST", status, done=True)]
    comment(thread_at(host), MARKER, BODY, Clock().patience)
    assert (host.writes(), host.comments[3]) == (["POST"], BODY)
    host.comments, host.faults = {}, [Fault("POST", status)]
    with pytest.raises(PostError, match="does not show it yet"):
        comment(thread_at(host), MARKER, BODY, Clock().patience)
    assert host.writes() == ["POST", "POST"]


def limit(host: CodeHost, wait_s: int) -> list[Fault]:
    """Each way to say how long one shall wait."""
    until = str(int(AT.timestamp()) + wait_s)
    if host.service == "gitlab":
        spent = {"RateLimit-Remaining": "0", "RateLimit-Reset": until, **NOW_IS}
        return [Fault("*", 429, {"Retry-After": str(wait_s)}), Fault("*", 429, spent)]
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": until, **NOW_IS}
    return [
        Fault("*", status, told) for status in (403, 429) for told in ({"Retry-After": str(wait_s)}, spent)
    ]


def test_a_limit_is_waited_for_or_told(host: CodeHost) -> None:
    for fault in limit(host, 20):
        clock, host.faults = Clock(), [fault]
        comment(thread_at(host), MARKER, BODY, clock.patience)
        assert clock.slept[0] == 20
    for fault in limit(host, 3600):
        clock, host.faults = Clock(), [fault]
        with pytest.raises(PostError, match=r"limits how often .* asks to wait 3,600 s"):
            comment(thread_at(host), MARKER, BODY, clock.patience)
        assert clock.slept == []


def test_a_secondary_limit_of_github_is_left_alone_for_a_minute() -> None:
    body = b'{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}'
    with hosting("github") as host:
        host.faults = [Fault("POST", 403, body=body)]
        with pytest.raises(PostError, match="asks to wait 60 s"):
            comment(thread_at(host), MARKER, BODY, Clock().patience)
        assert host.writes() == ["POST"]


@pytest.mark.parametrize(
    ("status", "hint"),
    [(301, "present name"), (401, "a new one"), (403, "is locked"), (404, "may not see it"), (410, "deleted"),
     (400, "one more comment"), (422, "one more comment")],
)  # fmt: skip
def test_what_only_a_person_can_mend_is_said_at_once(host: CodeHost, status: int, hint: str) -> None:
    elsewhere = {"Location": f"http://127.0.0.1:{host.port}/elsewhere"}
    host.faults = [Fault("*", status, elsewhere, f'{{"message": "{TOKEN}"}}'.encode())]
    clock = Clock()
    with pytest.raises(ConfigError, match=rf"notify\[0\].*\({status}\)") as caught:
        comment(thread_at(host), MARKER, BODY, clock.patience)
    assert hint in caught.value.hint
    assert (len(host.asked), clock.slept) == (1, [])
    assert TOKEN not in f"{caught.value.message} {caught.value.hint} {caught.value.__cause__!r}"


def test_a_comment_that_is_deleted_meanwhile_is_written_anew(host: CodeHost) -> None:
    host.comments[3] = BODY
    host.faults = [Fault({"github": "PATCH", "gitlab": "PUT"}[host.service], 404)]
    comment(thread_at(host), MARKER, BODY + "new", Clock().patience)
    assert host.comments[3] == BODY + "new"


@pytest.mark.parametrize(
    "content", [b"<html>log in</html>", b'{"message": "hello"}', b'[{"id": 1}]', b"[1]", b"["]
)
def test_what_is_no_list_of_comments_is_no_such_service(host: CodeHost, content: bytes) -> None:
    host.faults = [Fault("GET", 200, body=content)]
    with pytest.raises(ConfigError, match="does not answer as Git"):
        comment(thread_at(host), MARKER, BODY, Clock().patience)
    assert host.writes() == []


def test_a_thread_without_an_end_is_not_read_to_it(host: CodeHost) -> None:
    host.page = 1
    host.comments = dict.fromkeys(range(1, 103), "talk")
    with pytest.raises(ConfigError, match="more than 10,000 comments"):
        comment(thread_at(host), MARKER, BODY, Clock().patience)
    assert len(host.asked) == 100


def test_the_certificate_must_be_trusted_and_nobody_is_shown_the_token(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    with hosting("github", ours.issue("IP:127.0.0.1").server()) as host:
        comment(thread_at(host, ca_file=ours.cert), MARKER, BODY, Clock().patience)
        shown = [repr(thread_at(host)), thread_at(host).shown]
        for authority in (None, others.cert, tmp_path / "none.pem"):
            with pytest.raises(ConfigError, match="certificate") as caught:
                comment(thread_at(host, ca_file=authority), MARKER, BODY, Clock().patience)
            shown += [str(caught.value), caught.value.hint]
    assert list(host.comments.values()) == [BODY]
    with pytest.raises(PostError, match="is not reachable") as gone:
        comment(replace(thread_at(host), authority=None), MARKER, BODY, (clock := Clock()).patience)
    assert len(clock.slept) == TRIES - 1
    assert TOKEN not in " ".join([*shown, str(gone.value)])
    assert shown[1] == f"{host.api}/… acme/ml#12"


def test_the_token_does_not_go_over_the_net_without_tls() -> None:
    told = {
        "channel": "gitlab",
        "project": "a/b",
        "issue": 1,
        "secret_env": "KEY",
        "api_url": "http://git.example/api/v4",
    }
    with pytest.raises(CostlabError, match="is no https address"):
        thread_of(Destination.model_validate(told), {"KEY": TOKEN}, "notify[0]")
