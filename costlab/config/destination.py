"""Where posts go, whose they are, and when: one entry of `notify`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from costlab.config.section import (
    DAY_MS,
    CalendarDate,
    Count,
    Duration,
    Price,
    Reason,
    Section,
    Variable,
    Where,
)


class Channel(StrEnum):
    """The form of a post.

    An incoming webhook of Slack, a Workflow of Microsoft Teams, JSON for a program, e-mail, one comment that is kept up to
    date on GitHub or GitLab, and text for a service that the library apprise speaks to.
    """

    SLACK = "slack"
    TEAMS = "teams"
    WEBHOOK = "webhook"
    MAIL = "mail"
    GITHUB = "github"
    GITLAB = "gitlab"
    APPRISE = "apprise"

    @property
    def is_comment(self) -> bool:
        """Whether a post is a comment that the next one replaces."""
        return self in (Channel.GITHUB, Channel.GITLAB)


class Weekday(StrEnum):
    """The day of the week on which a week's post comes; it tells of the seven days before."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class Mute(Section):
    """Nothing is posted up to a day (exclusive), and why."""

    until: CalendarDate
    reason: Reason


EVERY_TEAM = "all"
# Plain addresses: no names beside them, and of ASCII, which every mail server takes.
MailAddress = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")
]
_PART = (
    r"[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*"  # of a path: neither . nor .., which would lead elsewhere
)
Number = Annotated[Count, Field(ge=1)]

# Settings that only some channels have, by their names in the configuration.
_OWN: Mapping[str, tuple[Channel, ...]] = {
    "to": (Channel.MAIL,),
    "from": (Channel.MAIL,),
    "server": (Channel.MAIL,),
    "user": (Channel.MAIL,),
    "repository": (Channel.GITHUB,),
    "project": (Channel.GITLAB,),
    "merge_request": (Channel.GITLAB,),
    "issue": (Channel.GITHUB, Channel.GITLAB),
    "api_url": (Channel.GITHUB, Channel.GITLAB),
}
_APIS = {Channel.GITHUB: "https://api.github.com", Channel.GITLAB: "https://gitlab.com/api/v4"}


def _several(found: object) -> object:
    return [found] if isinstance(found, str) else found


class Destination(Section):
    """Where posts go, and whose they are.

    team: one, or all: then each team's post goes there. url_env, url_file: where the address is, which is a secret.
    secret_env, secret_file: where the key is that signs what goes to a webhook, the password of mail, or the token of a
    comment. issue: of GitHub a pull request as well. report_url: where report.out can be seen.
    weekly: one post a week, on that day; null is one a day.
    min_monthly: what a change saves in a month at least. cooldown: how long what was told is no reason to post again.
    """

    channel: Channel
    team: Annotated[str, Field(min_length=1)] = EVERY_TEAM
    name: Annotated[str, Field(min_length=1)] | None = None
    url_env: Variable | None = None
    url_file: Where | None = None
    to: Annotated[
        tuple[MailAddress, ...],
        BeforeValidator(_several),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    ] = ()
    sender: Annotated[MailAddress | None, Field(alias="from")] = None
    server: (
        Annotated[str, Field(pattern=r"^smtps?://(\[[0-9a-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?$")] | None
    ) = None
    user: Annotated[str, Field(pattern=r"^[ -~]+$")] | None = None
    repository: Annotated[str, Field(pattern=rf"^[A-Za-z0-9-]+/{_PART}$")] | None = None
    project: Annotated[str, Field(pattern=rf"^{_PART}(/{_PART})*$")] | None = None
    issue: Number | None = None
    merge_request: Number | None = None
    api_url: Annotated[str, Field(pattern=r"^https?://[^\s?#@]+$")] | None = None
    secret_env: Variable | None = None
    secret_file: Where | None = None
    ca_file: Where | None = None
    report_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = None
    weekly: Weekday | None = None
    min_monthly: Price = 10.0
    cooldown_ms: Annotated[Duration, Field(alias="cooldown")] = 7 * DAY_MS
    mute: Mute | None = None

    @model_validator(mode="after")
    def _has_nothing_of_others(self) -> Self:
        for name, channels in _OWN.items():
            if self.channel not in channels and getattr(self, "sender" if name == "from" else name):
                told = {"name": name, "channels": " and ".join(channels), "channel": self.channel.value}
                raise PydanticCustomError("notify", "has {name}, which is of {channels}, not {channel}", told)
        return self

    @model_validator(mode="after")
    def _keeps_its_secrets(self) -> Self:
        addressed = self.channel is not Channel.MAIL and not self.channel.is_comment
        if addressed and (self.url_env is None) == (self.url_file is None):
            raise PydanticCustomError("notify", "takes its address from one of url_env and url_file")
        if not addressed and (self.url_env or self.url_file):
            where = "an issue" if self.channel.is_comment else "a server"
            told = {"channel": self.channel.value, "where": where}
            raise PydanticCustomError(
                "notify", "is {channel}, which goes to {where} and has no url_env or url_file", told
            )
        if self.secret_env and self.secret_file:
            raise PydanticCustomError("notify", "takes its key from one of secret_env and secret_file")
        if self._has_secret and self.channel in (Channel.SLACK, Channel.TEAMS, Channel.APPRISE):
            raise PydanticCustomError("notify", "signs what goes to a webhook, and nothing else")
        if self.ca_file and self.channel is Channel.APPRISE:
            raise PydanticCustomError("notify", "is apprise, which takes no ca_file: set REQUESTS_CA_BUNDLE")
        if any((name or "").startswith("COSTLAB_") for name in (self.url_env, self.secret_env)):
            raise PydanticCustomError("notify", "names a variable COSTLAB_…, which would be a setting")
        return self

    @model_validator(mode="after")
    def _is_mail_in_whole(self) -> Self:
        if self.channel is not Channel.MAIL:
            return self
        if not (self.to and self.sender and self.server):
            raise PydanticCustomError("notify", "is mail, which needs each of to, from and server")
        if (self.user is not None) != self._has_secret:
            raise PydanticCustomError(
                "notify", "has one of user and password (secret_env, secret_file), not both"
            )
        return self

    @model_validator(mode="after")
    def _is_a_comment_in_whole(self) -> Self:
        if not self.channel.is_comment:
            return self
        if self.channel is Channel.GITHUB and not (self.repository and self.issue):
            raise PydanticCustomError("notify", "is github, which needs repository and issue")
        if self.channel is Channel.GITLAB and (
            not self.project or (self.issue is None) == (self.merge_request is None)
        ):
            raise PydanticCustomError(
                "notify", "is gitlab, which needs project and one of issue and merge_request"
            )
        if not self._has_secret:
            told = {"channel": self.channel.value}
            raise PydanticCustomError(
                "notify", "is {channel}, which needs a token: secret_env or secret_file", told
            )
        return self

    @property
    def known_as(self) -> str:
        """Its name: what was posted is remembered by it."""
        return self.name or f"{self.channel} {self.team}"

    @property
    def cooldown_days(self) -> int:
        """How many days what was told is no news, at least one."""
        return max(1, self.cooldown_ms // DAY_MS)

    @property
    def api(self) -> str:
        """The address under which the API of a comment's service is, without a slash at its end."""
        return (self.api_url or _APIS[self.channel]).rstrip("/")

    @property
    def _has_secret(self) -> bool:
        return self.secret_env is not None or self.secret_file is not None
