"""Deliver a mail over SMTP: under TLS, to all of its recipients or none, again where that may help."""

import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from costlab.domain.errors import ConfigError, PostError, UnsurePost
from costlab.publish.mailbox import Mailbox, shortened
from costlab.publish.posting import PATIENT, TRIES, Patience
from costlab.sources.prometheus.watchdog import cut_off_after

_ALL_S = 60.0  # for all tries of one mail, pauses included: a night does not wait for a mailbox
_GO_ON, _REFUSED = 354, 500
_ANSWERS = (2, 4, 5)  # hundreds of codes: taken, not now, never
_LOOKS_THROUGH = 4  # times as long as for other answers: servers look for viruses before they take a mail
_AGAIN = "run costlab notify again: what was delivered is not posted twice"
# The class, subject and detail of RFC 3463, such as 5.1.1; the words behind it may name people.
_DETAIL = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?= |$)")
_GONE = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)  # it hung up; no word of a certificate
_DOT = re.compile(rb"^\.", re.MULTILINE)


class _Later(Exception):
    """What failed in a way that may pass; nothing was delivered."""


def send(mailbox: Mailbox, content: bytes, patience: Patience = PATIENT) -> None:
    """The server has taken the mail for each recipient.

    A connection that could not be made or broke off before the mail was under way, 421 and every other 4xx are tried
    again, four times in all within a minute, each time later. Raises PostError when that did not help, UnsurePost when the
    mail was sent and no answer came, which is never tried again, and ConfigError for a 5xx, for a server without TLS, and
    for a certificate that is not trusted. content: the whole mail, its lines ended by CRLF.
    """
    context = None if mailbox.plain else _trust(mailbox)
    deadline = patience.clock() + _ALL_S
    for attempt in count(1):
        try:
            _tried(mailbox, content, context, patience, deadline)
        except _Later as fault:
            pause_s = 0.5 * 2.0 ** (attempt - 1) * (0.5 + patience.chance())
            if attempt == TRIES or patience.clock() + pause_s >= deadline:
                raise PostError(str(fault), _AGAIN) from None
            patience.sleep(pause_s)
        else:
            return


def _trust(mailbox: Mailbox) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(mailbox.authority) if mailbox.authority else None)
    except (OSError, ssl.SSLError):
        raise ConfigError(
            f"{mailbox.setting}.ca_file: {mailbox.authority} cannot be read, or holds no certificate",
            "it must be PEM: -----BEGIN CERTIFICATE-----",
        ) from None


def _tried(
    mailbox: Mailbox, content: bytes, context: ssl.SSLContext | None, patience: Patience, deadline: float
) -> None:
    """Hand the mail over once; raises _Later and what `send` does."""
    client: smtplib.SMTP | None = None
    try:
        client = _connected(mailbox, context, patience)
        _turned_to_tls(client, mailbox, context)
        _signed_in(client, mailbox)
        _addressed(client, mailbox, lambda: patience.clock() >= deadline)
        _delivered(client, mailbox, content, patience)
    except _GONE:
        raise _Later(f"{mailbox.server} broke off") from None
    except ssl.SSLError:
        raise ConfigError(
            f"{mailbox.setting}: TLS with {mailbox.server} failed: its certificate is not trusted, or not its own",
            f"name the authority's certificate with ca_file beside {mailbox.setting}; "
            "smtps:// is for a port that begins with TLS, such as 465, smtp:// for one that turns to it",
        ) from None
    except smtplib.SMTPResponseException as refusal:  # of the greeting, of STARTTLS, of the password
        _judge(refusal.smtp_code, refusal.smtp_error, mailbox, "the connection")
        raise _Later(f"{mailbox.server} gave no sensible answer ({refusal.smtp_code})") from None
    except OSError:  # the library's own faults are some of these
        raise _Later(f"{mailbox.server} {'is not reachable' if client is None else 'broke off'}") from None
    finally:
        if client is not None:
            client.close()


class _Prompt(smtplib.SMTP):
    """A connection on which a whole answer has to arrive in time, of however many lines, not each of its bytes."""

    def getreply(self) -> tuple[int, bytes]:
        if self.sock is None:
            return super().getreply()
        with cut_off_after(self.sock.gettimeout() or self.timeout, self.sock):
            try:
                return super().getreply()
            except ValueError:  # TLS, cut off between two reads
                raise smtplib.SMTPServerDisconnected("too slow") from None


class _SecurePrompt(_Prompt, smtplib.SMTP_SSL):
    pass


def _connected(mailbox: Mailbox, context: ssl.SSLContext | None, patience: Patience) -> smtplib.SMTP:
    if mailbox.scheme == "smtps":
        return _SecurePrompt(mailbox.host, mailbox.port, timeout=patience.answer_s, context=context)
    return _Prompt(mailbox.host, mailbox.port, timeout=patience.answer_s)


def _turned_to_tls(client: smtplib.SMTP, mailbox: Mailbox, context: ssl.SSLContext | None) -> None:
    """The client has been greeted, and nothing that follows can be read on the way."""
    client.ehlo_or_helo_if_needed()
    if mailbox.scheme == "smtps" or context is None:
        return
    if not client.has_extn("starttls"):
        raise ConfigError(
            f"{mailbox.setting}: {mailbox.server} does not offer TLS (STARTTLS)",
            "name another port or server; without TLS mail goes to this machine itself alone",
        )
    client.starttls(context=context)
    client.ehlo_or_helo_if_needed()


def _signed_in(client: smtplib.SMTP, mailbox: Mailbox) -> None:
    if mailbox.user is None or mailbox.password is None:
        return
    if not client.has_extn("auth"):
        raise ConfigError(
            f"{mailbox.setting}: {mailbox.server} takes no user and password",
            "take user and secret away, or name the port where it asks for them, such as 587 or 465",
        )
    try:
        client.login(mailbox.user, mailbox.password)
    except smtplib.SMTPAuthenticationError as refusal:
        _judge(refusal.smtp_code, refusal.smtp_error, mailbox, "user and password")
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException):
        raise
    except smtplib.SMTPException:
        raise ConfigError(
            f"{mailbox.setting}: {mailbox.server} knows no way to sign in that is known here",
            "one of CRAM-MD5, PLAIN and LOGIN is needed: name a server or port that offers it",
        ) from None


def _addressed(client: smtplib.SMTP, mailbox: Mailbox, is_late: Callable[[], bool]) -> None:
    """Each end is taken: where one of several is not, nobody gets the mail, or those who have it would get it again."""
    _judge(*client.mail(mailbox.sender), mailbox, f"mail from {shortened(mailbox.sender)}")
    for recipient in mailbox.recipients:
        if is_late():
            raise _Later(f"{mailbox.server} is too slow")
        _judge(*client.rcpt(recipient), mailbox, f"mail to {shortened(recipient)}")


def _delivered(client: smtplib.SMTP, mailbox: Mailbox, content: bytes, patience: Patience) -> None:
    code, said = client.docmd("DATA")
    if code != _GO_ON:
        _judge(code, said, mailbox, "the mail")
        raise _Later(f"{mailbox.server} gave no sensible answer ({code})")
    try:
        if client.sock:
            client.sock.settimeout(_LOOKS_THROUGH * patience.answer_s)
        client.send(_DOT.sub(b"..", content) + b".\r\n")
        code, said = client.getreply()
    except OSError:
        code = -1
    if code // 100 not in _ANSWERS:
        raise UnsurePost(
            f"{mailbox.shown} was sent the mail, and gave no answer: whether it has it is not known",
            "look there; where it is missing, post it again with costlab notify --again",
        )
    _judge(code, said, mailbox, "the mail")
    with suppress(OSError):  # it has the mail
        client.docmd("QUIT")


def _judge(code: int, said: bytes | str, mailbox: Mailbox, what: str) -> None:
    """Nothing for 2xx; raises _Later for what may pass, and ConfigError for 5xx."""
    if 200 <= code < 300:
        return
    found = _DETAIL.match(said if isinstance(said, bytes) else said.encode("ascii", "replace"))
    told = f"{code} {found[0].decode()}" if found else f"{code}"
    if code < _REFUSED:
        raise _Later(f"{mailbox.server} does not take {what} now ({told})")
    raise ConfigError(
        f"{mailbox.setting}: {mailbox.server} refused {what} ({told})",
        "mend it in the configuration, or let whoever runs the mail server allow it",
    )
