"""Where mails go: the server, who signs in there, from whom and to whom, and what may be shown of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from costlab.config.destination import Destination
from costlab.domain.errors import ConfigError
from costlab.publish.address import HERE, secret

_PORTS = {"smtps": 465, "smtp": 587}


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mail server, and the mails' two ends; the password is not in its repr. setting: where it stands."""

    setting: str
    scheme: str
    host: str
    port: int
    sender: str
    recipients: tuple[str, ...] = field(repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    authority: Path | None = None

    @property
    def server(self) -> str:
        """The server as people write it: smtps://mail.example:465."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def shown(self) -> str:
        """What people may see: smtps://mail.example:465 to n…@example.org and 2 more."""
        more = f" and {len(self.recipients) - 1} more" if len(self.recipients) > 1 else ""
        return f"{self.server} to {shortened(self.recipients[0])}{more}"

    @property
    def plain(self) -> bool:
        """Whether it goes without TLS: to this machine itself alone, and where no authority is named."""
        return self.scheme == "smtp" and self.host in HERE and self.authority is None


def shortened(address: str) -> str:
    """An address in part, enough to know which it is.

    >>> shortened("nlp-leads@example.org")
    'n…@example.org'
    """
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def mailbox_of(destination: Destination, environ: Mapping[str, str], setting: str) -> Mailbox:
    """The mailbox of a destination; `setting` is its place, such as notify[0].

    Raises ConfigError when the password cannot be read, or the port is none.
    """
    server, sender = destination.server or "", destination.sender or ""
    parts = urlsplit(server)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ConfigError(
            f"{setting}.server: {server} has no port from 1 to 65535", "leave it out, or mend it"
        )
    password = None
    if destination.user is not None:
        password = secret(destination.secret_env, destination.secret_file, environ, f"{setting}.secret")
    return Mailbox(
        setting,
        parts.scheme,
        parts.hostname or "",
        port or _PORTS[parts.scheme],
        sender,
        destination.to,
        destination.user,
        password,
        destination.ca_file,
    )
