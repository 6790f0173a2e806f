"""Post what matters of a day to each team: its own costs alone, when there is news, and never twice."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson

from costlab.config.faults import meant
from costlab.config.settings import EVERY_TEAM, Channel, Destination, Settings
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError, CostlabError, ExitCode, UnsurePost
from costlab.domain.findings import Finding
from costlab.domain.time import Day, milliseconds
from costlab.jobs.alerts import budget_findings
from costlab.jobs.anomalies import alarms_of
from costlab.jobs.budgets import standings
from costlab.jobs.enclosures import Enclosing
from costlab.jobs.outlook import PAST_DAYS
from costlab.publish.address import Address
from costlab.publish.mailbox import Mailbox, destined
from costlab.render.messages.mail import Envelope, letter, mail
from costlab.render.messages.message import Message, Told, is_news, key_of, message
from costlab.render.messages.slack import slack
from costlab.render.messages.teams import teams
from costlab.render.messages.webhook import signature, webhook
from costlab.store.lake import DayState, Lake
from costlab.store.posts import Posts, Record, Slot
from costlab.store.warehouse import Warehouse

OPEN_DAYS = 90  # how far back advice is followed that stands

_FORMS: Mapping[Channel, Callable[[Message, str | None], dict[str, Any]]] = {
    Channel.SLACK: slack,
    Channel.TEAMS: teams,
    Channel.WEBHOOK: webhook,
    Channel.MAIL: mail,
}

# Address, body and headers of a post; raises what publish/posting.py does.
Deliver = Callable[[Address, bytes, Mapping[str, str]], None]
# A mailbox and the whole mail; raises what publish/mailing.py does.
Send = Callable[[Mailbox, bytes], None]


class State(StrEnum):
    """What became of a post."""

    POSTED = "posted"
    DUE = "due"  # a dry run: it would be posted
    POSTED_BEFORE = "posted_before"
    NO_NEWS = "no_news"  # all of it was told within the cooldown
    QUIET = "quiet"  # nothing matters
    MUTED = "muted"
    NO_SUCH_TEAM = "no_such_team"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Post:
    """One team's post to one destination. note: why it was not made, or a warning; payload: None where there is none."""

    slot: Slot
    state: State
    address: str = ""
    message: Message | None = None
    note: str = ""
    hint: str = ""
    payload: dict[str, Any] | None = None
    exit_code: ExitCode = ExitCode.DONE

    @property
    def content(self) -> str:
        """SHA-256 of what is sent, of a mail that of its words."""
        return sha256(orjson.dumps(self.payload)).hexdigest()

    @property
    def line(self) -> str:
        """What a night says of it."""
        slot = self.slot
        where = f"{slot.cluster} {slot.day}: post for {slot.team} to {slot.destination}: {self.state.value.replace('_', ' ')}"
        return f"{where}: {self.note}" if self.note else where


@dataclass(frozen=True, slots=True)
class Postman:
    """How posts are made. deliver, send: over HTTP and by mail; again: also what was posted already.

    Without `deliver` nothing is sent, and nothing remembered.
    """

    settings: Settings
    environ: Mapping[str, str]
    now: datetime
    deliver: Deliver | None = None
    again: bool = False
    team: str | None = None
    send: Send | None = None
    _down: dict[str, CostlabError] = field(default_factory=dict)

    def posts(self, lake: Lake, cluster: str, day: Day) -> Iterator[Post]:
        """What becomes of each post of a day, in the order of the configuration and of the teams' names.

        Whoever posts holds the lake. A fault of one destination is told in its posts and stops no other; after it nothing
        more is tried there. Raises ConfigError when the day is not in the lake, and LakeError when a post cannot be remembered.
        """
        warehouse = Warehouse.over(lake)
        told = of_teams(warehouse, self.settings, cluster, day)
        enclosing = Enclosing(warehouse, self.settings, cluster, day)
        ledger = Posts(lake.path)
        if self.deliver and self.settings.notify:
            ledger.make_room()
        for place, destination in enumerate(self.settings.notify):
            setting = f"notify[{place}]"
            yield from self._to(_Place(destination, setting, ledger, enclosing), told, cluster, day)

    def _to(self, place: "_Place", told: Mapping[str, Told], cluster: str, day: Day) -> Iterator[Post]:
        destination = place.destination
        names = sorted(told) if destination.team == EVERY_TEAM else [destination.team]
        for name in names:
            slot = Slot(cluster, day.date, name, destination.known_as)
            if self.team not in (None, name):
                continue
            if name not in told:
                text = f"the day has no cost or advice of team {name!r}{meant(name, told)}"
                yield Post(slot, State.NO_SUCH_TEAM, note=text)
            elif destination.mute and day.date < destination.mute.until:
                text = f"until {destination.mute.until}: {destination.mute.reason}"
                yield Post(slot, State.MUTED, note=text)
            else:
                yield self._made(place, slot, told[name])

    def _made(self, place: "_Place", slot: Slot, told: Told) -> Post:
        """The post, made where it is due."""
        destination, ledger = place.destination, place.ledger
        found = message(told, Decimal(str(destination.min_monthly)))
        if found is None:
            return Post(slot, State.QUIET)
        post = Post(slot, State.DUE, message=found, payload=_form(found, destination, slot))
        if before := None if self.again else ledger.find(slot):
            return replace(post, state=State.POSTED_BEFORE, note=_remark(before, post))
        if not self.again and not is_news(found, ledger.told(slot, destination.cooldown_days)):
            return replace(post, state=State.NO_NEWS)
        if destination.known_as in self._down:
            return _failed(post, self._down[destination.known_as])
        return self._sent(place, post)

    def _sent(self, place: "_Place", post: Post) -> Post:
        """The post once it was delivered and is remembered; a dry run stops before that."""
        known_as = place.destination.known_as
        try:
            address = place.address(self.environ)
            post = replace(post, address=address.shown)
            if self.deliver is None:
                return post
            if isinstance(address, Mailbox):
                self._mail(place, address, post)
            else:
                self._post(address, post)
        except CostlabError as fault:
            self._down[known_as] = fault
            if isinstance(fault, UnsurePost):  # it may have arrived, and must not be there twice
                place.ledger.record(post.slot, self._record(post, sure=False))
            return _failed(post, fault)
        place.ledger.record(post.slot, self._record(post, sure=True))
        return replace(post, state=State.POSTED)

    def _post(self, address: Address, post: Post) -> None:
        assert self.deliver is not None  # noqa: S101 - a dry run has stopped before
        body, headers = orjson.dumps(post.payload), {"Idempotency-Key": post.slot.key}
        if address.key:
            headers |= signature(body, address.key, milliseconds(self.now) // 1000)
        self.deliver(address, body, headers)

    def _mail(self, place: "_Place", mailbox: Mailbox, post: Post) -> None:
        assert self.send is not None  # noqa: S101 - given with deliver
        assert post.message is not None  # noqa: S101 - what is due has one
        enclosed = place.enclosing.of(post.slot.team)
        envelope = Envelope(mailbox.sender, mailbox.recipients, self.now, post.slot.key)
        link = _link(place.destination, post.slot)
        self.send(mailbox, letter(post.message, link, enclosed, envelope))

    def _record(self, post: Post, *, sure: bool) -> Record:
        keys = post.message.keys if post.message else ()
        return Record(keys, post.content, self.now.isoformat(timespec="seconds"), sure)


@dataclass(frozen=True, slots=True)
class _Place:
    """A destination with where it stands in the configuration, what it was told, and what its mails carry."""

    destination: Destination
    setting: str
    ledger: Posts
    enclosing: Enclosing

    def address(self, environ: Mapping[str, str]) -> Address | Mailbox:
        return destined(self.destination, environ, self.setting)


def of_teams(warehouse: Warehouse, settings: Settings, cluster: str, day: Day) -> dict[str, Told]:
    """What the lake tells of the day, team by team; nothing of a team is in what another is told.

    Raises ConfigError when the day is not in the lake.
    """

    def rows(query: str, **extra: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = warehouse.query(
            query, cluster=cluster, day=str(day), **extra
        ).to_pylist()
        return found

    headline = rows("headline")
    if not headline:
        raise ConfigError(
            f"{day} of cluster {cluster} is not in the lake",
            f"measure it first: costlab nightly --date {day}",
        )
    costs = {row["team"]: row for row in rows("teams")}
    changes = [row for row in rows("cost_changes", against="") if row["team"]]
    advice, ages = rows("savings"), {key_of(row): row for row in rows("open_advice", days=OPEN_DAYS)}
    alarms = alarms_of(warehouse, cluster, day.date)
    budgets = _budgets(warehouse, settings, day)
    coverage = None if headline[0]["status"] == DayState.COMPLETE else headline[0]["coverage"]
    currency = headline[0]["currency"] or settings.prices.currency
    return {
        team: Told(
            cluster,
            team,
            day.date,
            currency,
            costs.get(team),
            [row for row in changes if row["team"] == team],
            [alarm for alarm in alarms if alarm.subject == team],
            budgets.get(team, ()),
            [row for row in advice if row["team"] == team],
            [ages[key] for row in advice if row["team"] == team and (key := key_of(row)) in ages],
            coverage,
        )
        for team in sorted({*costs, *(row["team"] for row in advice)})
    }


def _budgets(warehouse: Warehouse, settings: Settings, day: Day) -> dict[str, list[Finding]]:
    window = Dates(day.date - timedelta(days=PAST_DAYS - 1), day.date + timedelta(days=1))
    owned = [budget for budget in settings.budgets if budget.team]
    if not owned:
        return {}
    return {
        standing.budget.subject: list(budget_findings([standing]))
        for standing in standings(warehouse, owned, window, settings.forecast)
    }


def _form(found: Message, destination: Destination, slot: Slot) -> dict[str, Any]:
    return _FORMS[destination.channel](found, _link(destination, slot))


def _link(destination: Destination, slot: Slot) -> str | None:
    if destination.report_url is None:
        return None
    return f"{destination.report_url.rstrip('/')}/{slot.cluster}/{slot.day}/index.html"


def _remark(before: Record, post: Post) -> str:
    """What there is to say of a post that was made before."""
    if not before.sure:
        return "whether it arrived is not known; --again posts it again"
    return "" if before.content == post.content else "it would have other content now; --again posts it again"


def _failed(post: Post, fault: CostlabError) -> Post:
    return replace(post, state=State.FAILED, note=fault.message, hint=fault.hint, exit_code=fault.exit_code)
