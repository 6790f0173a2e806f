"""Where a post goes: the address and the key out of the environment or a file, and what may be shown of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from costlab.config.destination import Channel, Destination
from costlab.domain.errors import ConfigError
from costlab.sources.prometheus.secret import secret_in, sendable

HERE = ("localhost", "127.0.0.1", "::1")  # to this machine itself nothing is read on the way


@dataclass(frozen=True, slots=True)
class Address:
    """A webhook's address, and the key that signs what is sent there; neither is in its repr. setting: where it stands."""

    setting: str
    url: str = field(repr=False)
    key: str | None = field(default=None, repr=False)
    authority: Path | None = None

    @property
    def shown(self) -> str:
        """What people may see: https://hooks.slack.com/…; the rest of it lets anybody post there."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


def address_of(destination: Destination, environ: Mapping[str, str], setting: str) -> Address:
    """The address of a destination; `setting` is its place, such as notify[0].

    Raises ConfigError, which does not show it, when it cannot be read or is none. It is https; that of a webhook, which
    may be a program in the cluster, may be http.
    """
    url = secret(destination.url_env, destination.url_file, environ, f"{setting}.url")
    key = None
    if destination.secret_env or destination.secret_file:
        key = secret(destination.secret_env, destination.secret_file, environ, f"{setting}.secret")
    schemes = ("https", "http") if destination.channel is Channel.WEBHOOK else ("https",)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or " " in url:
        raise ConfigError(
            f"{setting}: what it names holds no {' or '.join(schemes)} address",
            "put the webhook's address into it, on one line",
        )
    return Address(setting, url, key, destination.ca_file)


def secret(variable: str | None, file: Path | None, environ: Mapping[str, str], setting: str) -> str:
    """The secret in a variable or a file; raises ConfigError, which does not show it, when there is none."""
    if file is not None:
        return secret_in(file, f"{setting}_file")
    text = environ.get(variable or "", "").strip()
    if not text:
        raise ConfigError(
            f"{setting}_env: the variable {variable} is not set", "set it where costlab runs, or name a file"
        )
    return sendable(text, f"{setting}_env")
