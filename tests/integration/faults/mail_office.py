"""A mail server of the tests' own: it takes mails, or says no to them as it is told to."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ssl import SSLContext
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from costlab.publish.mailbox import Mailbox

PASSWORD = "W0RD-of-the-user"  # noqa: S105 - it leads nowhere
TO = ("leads@example.org", "finops@example.org")


@dataclass
class Office:
    """Takes mails. replies: by step (MAIL, RCPT, DATA), what each try is told, the last one again and again."""

    replies: Mapping[str, list[str]] = field(default_factory=dict)
    drops: bool = False
    came: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    secure: list[bool] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    port: int = 0

    def mailbox(self, **other: Any) -> Mailbox:
        made = Mailbox("notify[0]", "smtp", "127.0.0.1", self.port, "costlab@example.org", TO)
        return replace(made, **other)

    def reply(self, step: str) -> str:
        self.asked.append(step)
        told = self.replies.get(step, ["250 ok"])
        return told[min(self.asked.count(step), len(told)) - 1]

    async def handle_MAIL(  # noqa: N802 - so aiosmtpd calls it
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.reply("MAIL")

    async def handle_RCPT(  # noqa: N802 - so aiosmtpd calls it
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        told = self.reply("RCPT")
        if told.startswith("250"):
            envelope.rcpt_tos.append(address)
        return told

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802 - so aiosmtpd calls it
        told = self.reply("DATA")
        assert envelope.original_content is not None
        self.came.append((envelope.mail_from or "", envelope.rcpt_tos, envelope.original_content))
        assert server.transport is not None
        self.secure.append(server.transport.get_extra_info("sslcontext") is not None)
        if self.drops:
            server.transport.close()
        return told


@contextmanager
def open_office(
    *, tls: SSLContext | None = None, implicit: bool = False, signs_in: bool = False, **other: Any
) -> Iterator[Office]:
    """An office that listens. tls: by STARTTLS, or (implicit) from the first byte."""
    office = Office(**other)

    def known(_: SMTP, __: Session, ___: Envelope, ____: str, given: LoginPassword) -> AuthResult:
        assert isinstance(given, LoginPassword)
        office.passwords.append(given.password.decode())
        return AuthResult(success=office.passwords[-1] == PASSWORD, handled=False)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        office, hostname="127.0.0.1", port=port, ssl_context=tls if implicit else None,
        tls_context=None if implicit else tls, require_starttls=bool(tls) and not implicit,
        authenticator=known, auth_required=signs_in and not implicit, auth_require_tls=not implicit,
    )  # fmt: skip
    office.port = port
    controller.start()
    try:
        yield office
    finally:
        controller.stop()
