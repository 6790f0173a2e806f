"""Where apprise brings a post: the address of one service, and what may be shown of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from costlab.config.destination import Destination
from costlab.domain.errors import ConfigError
from costlab.publish.address import secret

_SCHEME = re.compile(r"(?:^|[,;])([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
# They speak to the machine that costlab runs on, where nobody would see it.
_LOCAL = ("blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows")


@dataclass(frozen=True, slots=True)
class Herald:
    """A service's address as apprise writes it, which is not in its repr. setting: where it stands."""

    setting: str
    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        """What people may see: discord://…; of most services all of the rest is secret."""
        return f"{self.url.partition('://')[0].lower()}://…"


def herald_of(destination: Destination, environ: Mapping[str, str], setting: str) -> Herald:
    """The service of a destination; `setting` is its place, such as notify[0].

    Raises ConfigError, which does not show the address, when it cannot be read, is none or more than one, or is of this
    machine itself.
    """
    url = secret(destination.url_env, destination.url_file, environ, f"{setting}.url")
    schemes = _SCHEME.findall(url)
    if len(schemes) != 1 or not _SCHEME.match(url) or any(character.isspace() for character in url):
        raise ConfigError(
            f"{setting}: what it names holds {'more than one address' if len(schemes) > 1 else 'no address of a service'}",
            "put one into it as apprise writes them, such as discord://…, on one line; another service is another destination",
        )
    if schemes[0].lower() in _LOCAL:
        raise ConfigError(
            f"{setting}: {schemes[0].lower()}:// is of this machine itself, where nobody would see the post",
            "name a service that people look at",
        )
    return Herald(setting, url)
