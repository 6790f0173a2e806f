"""Where comments go: an issue, pull request or merge request, the token that lets us in, and what may be shown of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from costlab.config.destination import Channel, Destination
from costlab.domain.errors import ConfigError
from costlab.publish.address import HERE, secret


@dataclass(frozen=True, slots=True)
class Thread:
    """The comments of one issue; the token is not in its repr.

    setting: where it stands. listed: the path of all its comments below `api`; each: what comes before the number of one.
    """

    setting: str
    service: Channel
    api: str
    listed: str
    each: str
    name: str
    token: str = field(repr=False)
    authority: Path | None = None

    @property
    def shown(self) -> str:
        """What people may see: https://api.github.com/… acme/ml#12."""
        parts = urlsplit(self.api)
        return f"{parts.scheme}://{parts.netloc}/… {self.name}"

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries beside what all of costlab's do."""
        if self.service is Channel.GITLAB:
            return {"PRIVATE-TOKEN": self.token}
        return {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }


def thread_of(destination: Destination, environ: Mapping[str, str], setting: str) -> Thread:
    """The thread of a destination; `setting` is its place, such as notify[0].

    Raises ConfigError when the token cannot be read, or would go to another machine without TLS.
    """
    api = destination.api
    try:
        parts = urlsplit(api)
        usable = bool(parts.hostname) and parts.port != 0
        safe = parts.scheme == "https" or parts.hostname in HERE
    except ValueError:
        usable = safe = False
    if not usable or not safe:
        raise ConfigError(
            f"{setting}.api_url: {api} is no https address",
            "the token goes there, which others could read without TLS",
        )
    token = secret(destination.secret_env, destination.secret_file, environ, f"{setting}.secret")
    listed, each, name = _paths(destination)
    return Thread(setting, destination.channel, api, listed, each, name, token, destination.ca_file)


def _paths(destination: Destination) -> tuple[str, str, str]:
    if destination.channel is Channel.GITHUB:
        repository = f"/repos/{destination.repository}/issues"
        name = f"{destination.repository}#{destination.issue}"
        return f"{repository}/{destination.issue}/comments", f"{repository}/comments/", name
    kind, sign, number = ("issues", "#", destination.issue)
    if destination.merge_request:
        kind, sign, number = ("merge_requests", "!", destination.merge_request)
    notes = f"/projects/{quote(destination.project or '', safe='')}/{kind}/{number}/notes"
    return notes, f"{notes}/", f"{destination.project}{sign}{number}"
