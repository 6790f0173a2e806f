"""Mails to a server of the tests' own: what is tried again, what is not, and what nobody is shown."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from ssl import SSLContext
from threading import Event, Thread
from typing import Any

import pytest
from authority import Authority
from listening import Clock
from mail_office import PASSWORD, TO, Office, open_office

from costlab.domain.errors import ConfigError, CostlabError, ExitCode, PostError, UnsurePost
from costlab.publish.mailing import send
from costlab.publish.posting import TRIES

MAIL = b"Subject: nlp\r\n\r\nfirst\r\n.\r\n..second\r\n"


def sent_in(answer_s: float, office: Office) -> None:
    send(office.mailbox(), MAIL, replace(Clock().patience, answer_s=answer_s))


def sent(office: Office, clock: Clock | None = None, **other: Any) -> None:
    send(office.mailbox(**other), MAIL, (clock or Clock()).patience)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("mail"), "ours")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> SSLContext:
    return authority.issue("IP:127.0.0.1").server()


def test_a_mail_arrives_as_it_was_made() -> None:
    with open_office() as office:
        sent(office)
    assert office.came == [("costlab@example.org", list(TO), MAIL)]
    assert office.secure == [False]


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "smtps"])
def test_a_server_elsewhere_is_spoken_to_under_tls_and_told_the_password_there(
    implicit: bool, authority: Authority, ours: SSLContext, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "theirs")
    given: dict[str, Any] = {
        "scheme": "smtps" if implicit else "smtp",
        "user": "costlab",
        "password": PASSWORD,
    }
    with open_office(tls=ours, implicit=implicit, signs_in=True) as office:
        sent(office, authority=authority.cert, **given)
        assert (len(office.came), office.secure, office.passwords) == (1, [True], [PASSWORD])
        with pytest.raises(ConfigError, match=r"refused user and password \(535 5.7.8\)") as caught:
            sent(office, authority=authority.cert, **given | {"password": "another"})
        with pytest.raises(ConfigError, match="its certificate is not trusted"):
            sent(office, authority=stranger.cert, **given)
        with pytest.raises(ConfigError, match="ca_file"):
            sent(office, authority=tmp_path / "none.pem", **given)
        assert len(office.came) == 1
    assert PASSWORD not in f"{caught.value!r} {caught.value.hint} {office.mailbox(**given)!r}"


def test_the_name_on_the_certificate_must_be_the_servers(authority: Authority) -> None:
    with (
        open_office(tls=authority.issue("DNS:elsewhere.example").server()) as office,
        pytest.raises(ConfigError, match="not its own"),
    ):
        sent(office, authority=authority.cert)
    assert office.came == []


def test_without_tls_nothing_is_said_to_a_server_that_could_offer_it(authority: Authority) -> None:
    with open_office() as office, pytest.raises(ConfigError, match="does not offer TLS"):
        sent(office, authority=authority.cert, user="costlab", password=PASSWORD)
    assert office.asked == []


def test_a_server_that_knows_no_users_gets_no_password() -> None:
    with open_office() as office, pytest.raises(ConfigError, match="takes no user and password"):
        sent(office, user="costlab", password=PASSWORD)
    assert office.asked == []


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("said", ["421 4.3.2 shutting down", "450 4.2.0 greylisted", "452 4.3.1 full"])
def test_what_may_pass_is_tried_again_each_time_later(step: str, said: str) -> None:
    clock = Clock()
    with open_office(replies={step: [said, said, "250 ok"]}) as office:
        sent(office, clock)
    assert clock.slept == [0.5, 1.0]
    assert office.came[-1] == ("costlab@example.org", list(TO), MAIL)
    assert len(office.came) == (3 if step == "DATA" else 1)


@pytest.mark.parametrize(
    ("step", "said", "told"),
    [
        ("MAIL", "552 5.3.4 too large", r"mail from c…@example.org \(552 5.3.4\)"),
        ("RCPT", "550 5.1.1 <leads@example.org> unknown", r"mail to l…@example.org \(550 5.1.1\)"),
        ("DATA", "554 no", r"refused the mail \(554\)"),
    ],
)
def test_a_refusal_is_told_in_short_and_not_repeated(step: str, said: str, told: str) -> None:
    clock = Clock()
    with open_office(replies={step: [said]}) as office, pytest.raises(ConfigError, match=told) as caught:
        sent(office, clock)
    assert (office.asked.count(step), clock.slept, caught.value.exit_code) == (1, [], ExitCode.USAGE)
    assert "leads" not in f"{caught.value.message} {caught.value.hint}"


def test_nobody_gets_it_where_one_of_them_is_not_taken() -> None:
    with open_office(replies={"RCPT": ["250 ok", "550 5.1.1 gone"]}) as office:
        with pytest.raises(ConfigError, match=r"mail to f…@example\.org"):
            sent(office)
        assert office.came == []


def test_it_gives_up_after_four_tries() -> None:
    clock = Clock()
    with open_office(replies={"RCPT": ["450 4.2.0 greylisted"]}) as office:
        with pytest.raises(PostError, match=r"does not take mail to l…@example\.org now") as caught:
            sent(office, clock)
        assert (office.asked.count("RCPT"), len(clock.slept)) == (TRIES, TRIES - 1)
    assert caught.value.exit_code == ExitCode.BUSY
    with pytest.raises(PostError, match="is not reachable"):
        sent(office, clock)
    assert len(clock.slept) == 2 * (TRIES - 1)


def test_what_may_have_arrived_is_not_sent_again() -> None:
    clock = Clock()
    with open_office(drops=True) as office, pytest.raises(UnsurePost, match="not known"):
        sent(office, clock)
    assert (len(office.came), clock.slept) == (1, [])


@contextmanager
def saying(*lines: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server that says one line to each line it hears, and hangs up after the last; the port, and what it heard."""
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as told:
                for line in lines:
                    connection.sendall(line)
                    heard.append(told.readline())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


HELLO = (b"220 here\r\n", b"250 here\r\n")


@pytest.mark.parametrize(
    ("lines", "fault", "tries"),
    [
        ((b"421 busy\r\n",), PostError, TRIES),
        ((b"554 5.7.1 not you\r\n",), ConfigError, 1),
        ((b"what?\r\n",), PostError, TRIES),
        ((b"250 taken\r\n",), PostError, TRIES),
        ((*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 taken\r\n"), PostError, TRIES),
        ((b"220 here\r\n",), PostError, TRIES),
        ((*HELLO, b"250 ok\r\n", b"250 ok\r\n"), PostError, TRIES),
        ((*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n"), PostError, TRIES),
        ((*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"), UnsurePost, 1),
        (
            (*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n", b"what?\r\n"),
            UnsurePost,
            1,
        ),
    ],
)
def test_where_it_breaks_off_decides_whether_it_is_tried_again(
    lines: tuple[bytes, ...], fault: type[CostlabError], tries: int
) -> None:
    clock = Clock()
    with saying(*lines) as (port, heard), pytest.raises(CostlabError) as caught:
        sent(Office(port=port), clock)
    assert type(caught.value) is fault
    assert len(heard) // len(lines) == tries
    assert caught.value.hint


@pytest.mark.parametrize(
    "said", [b"220-wait\r\n", b"220 here\r\n250-more\r\n"], ids=["greeting", "an answer"]
)
def test_a_server_that_goes_on_and_on_is_cut_off(said: bytes) -> None:
    """Each line comes in time, and the answer never ends: a night would hold the lake as long as the server likes."""
    first, _, again = said.partition(b"\r\n")
    over = Event()

    def drip() -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(first + b"\r\n")
                    while not over.wait(0.02):
                        connection.sendall(again or first + b"\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        thread = Thread(target=drip, daemon=True)
        thread.start()
        try:
            with pytest.raises(PostError, match=r"not reachable|broke off"):
                sent_in(0.1, Office(port=listener.getsockname()[1]))
        finally:
            over.set()
            thread.join(5)


def test_many_recipients_do_not_make_a_night_wait_longer() -> None:
    """Each answer takes a while, so that all of them would take longer than a mail may."""
    clock = Clock()
    with open_office() as office:
        reply = office.reply

        def late(step: str) -> str:
            clock.now += 20.0
            return reply(step)

        office.reply = late  # type: ignore[method-assign]
        with pytest.raises(PostError, match="too slow"):
            sent(office, clock, recipients=tuple(f"r{number}@example.org" for number in range(9)))
    assert office.came == []


def test_tls_where_there_is_none_is_for_the_configuration_and_a_server_that_hangs_up_is_not() -> None:
    clock = Clock()
    with saying(b"220 here\r\n") as (port, _), pytest.raises(ConfigError, match="TLS with smtps") as caught:
        sent(Office(port=port), clock, scheme="smtps")
    assert "smtps:// is for a port that begins with TLS" in caught.value.hint
    assert clock.slept == []
    with saying() as (port, _), pytest.raises(PostError):
        sent(Office(port=port), clock, scheme="smtps")
    assert len(clock.slept) == TRIES - 1


def test_a_way_to_sign_in_that_is_not_known_is_for_the_configuration() -> None:
    clock = Clock()
    offers = (b"220 here\r\n", b"250-here\r\n250 AUTH GSSAPI\r\n")
    with saying(*offers) as (port, heard), pytest.raises(ConfigError, match="no way to sign in"):
        sent(Office(port=port), clock, user="costlab", password=PASSWORD)
    assert clock.slept == []
    assert PASSWORD.encode() not in b"".join(heard)
