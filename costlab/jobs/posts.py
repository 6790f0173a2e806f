"""Post what matters of a day to each team: its own costs alone, when there is news, and never twice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson

from costlab.config.destination import EVERY_TEAM, Destination, Weekday
from costlab.config.faults import meant
from costlab.config.settings import Settings
from costlab.domain.errors import CostlabError, ExitCode, UnsurePost
from costlab.domain.time import Day
from costlab.jobs.couriers import Couriers, Parcel, form
from costlab.jobs.tours import Tour, daily, weekly
from costlab.publish.destined import destined
from costlab.render.messages.message import Message, is_news
from costlab.store.lake import READABLE, Lake
from costlab.store.posts import Posts, Record, Slot
from costlab.store.warehouse import Warehouse


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
    """One team's post to one destination. note: why it was not made, or a warning; payload: None where there is none.

    sure: False where it was posted before, and nobody knows whether it arrived.
    """

    slot: Slot
    state: State
    address: str = ""
    message: Message | None = None
    note: str = ""
    hint: str = ""
    payload: dict[str, Any] | None = None
    exit_code: ExitCode = ExitCode.DONE
    sure: bool = True

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
    """How posts are made. couriers: who brings them; again: also what was posted already; team: only of that one.

    Without `couriers` nothing is sent, and nothing remembered.
    """

    settings: Settings
    environ: Mapping[str, str]
    now: datetime
    couriers: Couriers | None = None
    again: bool = False
    team: str | None = None
    _down: dict[str, CostlabError] = field(default_factory=dict)

    def posts(self, lake: Lake, cluster: str, day: Day) -> Iterator[Post]:
        """What becomes of each post of a day, in the order of the configuration and of the teams' names.

        Whoever posts holds the lake. A fault of one destination is told in its posts and stops no other; after it nothing
        more is tried there. Raises ConfigError when the day is not in the lake, and LakeError when a post cannot be remembered.
        """
        warehouse = Warehouse.over(lake)
        tours: dict[Weekday | None, Tour] = {None: daily(warehouse, self.settings, cluster, day)}
        ledger = Posts(lake.path)
        if self.couriers and self.settings.notify:
            ledger.make_room()
        for number, destination in enumerate(self.settings.notify):
            if destination.weekly and destination.weekly not in tours:
                held = [of for of, state in lake.days(cluster).items() if state in READABLE]
                tour = weekly(warehouse, self.settings, cluster, day, destination.weekly, held)
                tours[destination.weekly] = tour
            counter = _Counter(destination, f"notify[{number}]", ledger, tours[destination.weekly])
            yield from self._to(counter, cluster)

    def _to(self, counter: "_Counter", cluster: str) -> Iterator[Post]:
        destination, tour = counter.destination, counter.tour
        names = sorted(tour.teams) if destination.team == EVERY_TEAM else [destination.team]
        for name in names:
            slot = Slot(cluster, tour.day, name, destination.known_as)
            if self.team not in (None, name):
                continue
            if not tour.teams:
                yield Post(slot, State.QUIET, note="the lake has no day of the week")
            elif name not in tour.teams:
                when = "week" if destination.weekly else "day"
                text = f"the {when} has no cost or advice of team {name!r}{meant(name, tour.teams)}"
                yield Post(slot, State.NO_SUCH_TEAM, note=text)
            elif destination.mute and tour.day < destination.mute.until:
                text = f"until {destination.mute.until}: {destination.mute.reason}"
                yield Post(slot, State.MUTED, note=text)
            else:
                yield self._made(counter, slot)

    def _made(self, counter: "_Counter", slot: Slot) -> Post:
        """The post, made where it is due."""
        destination, ledger, tour = counter.destination, counter.ledger, counter.tour
        least = Decimal(str(destination.min_monthly))
        found = tour.message(slot.team, least)
        if destination.channel.is_comment:
            standing = ledger.newest(slot)
            if standing and standing[0] > slot.day and not self.again:
                return Post(slot, State.POSTED_BEFORE, note=f"the comment tells of {standing[0]} already")
            if found is None and standing and standing[1].keys:
                found = tour.settled(slot.team, least)
        if found is None:
            return Post(slot, State.QUIET)
        payload = form(found, counter.link, destination.channel, slot)
        post = Post(slot, State.DUE, message=found, payload=payload)
        if told_before := self._told_before(counter, post):
            return told_before
        if destination.known_as in self._down:
            return _failed(post, self._down[destination.known_as])
        return self._sent(counter, post)

    def _told_before(self, counter: "_Counter", post: Post) -> Post | None:
        """The post as it is told where it is not made: it was before, or has no news. A comment is kept up to date."""
        destination, ledger, slot = counter.destination, counter.ledger, post.slot
        before = None if self.again else ledger.find(slot)
        if destination.channel.is_comment:
            same = before is not None and before.content == post.content
            return replace(post, state=State.POSTED_BEFORE) if same else None
        if before:
            return replace(post, state=State.POSTED_BEFORE, note=_remark(before, post), sure=before.sure)
        assert post.message is not None  # noqa: S101 - what is due has one
        if self.again or is_news(post.message, ledger.told(slot, destination.cooldown_days)):
            return None
        return replace(post, state=State.NO_NEWS)

    def _sent(self, counter: "_Counter", post: Post) -> Post:
        """The post once it was delivered and is remembered; a dry run stops before that."""
        message, payload = post.message, post.payload
        assert message is not None  # noqa: S101 - what is due has both
        assert payload is not None  # noqa: S101 - the same
        try:
            place = destined(counter.destination, self.environ, counter.setting)
        except CostlabError as fault:
            return self._down_with(counter, post, fault)
        post = replace(post, address=place.shown)
        if self.couriers is None:
            return post
        parcel = Parcel(post.slot, message, counter.link, payload, self.now, counter.tour.enclosing.of)
        before = self._begun(counter, post)
        try:
            self.couriers.carry(parcel, place)
        except UnsurePost as fault:  # it may have arrived, and must not be there twice
            counter.ledger.record(post.slot, self._record(post, sure=False))
            return self._down_with(counter, post, fault)
        except CostlabError as fault:
            self._undone(counter, post, before)
            return self._down_with(counter, post, fault)
        counter.ledger.record(post.slot, self._record(post, sure=True))
        return replace(post, state=State.POSTED)

    def _begun(self, counter: "_Counter", post: Post) -> Record | None:
        """From now on it is not known whether the post was made; what was remembered of it before.

        A receiver may take a post and be slow to say so: a run that is killed meanwhile has delivered it. A comment is
        looked for before it is written, and needs none of this.
        """
        if counter.destination.channel.is_comment:
            return None
        before = counter.ledger.find(post.slot)
        counter.ledger.record(post.slot, self._record(post, sure=False))
        return before

    def _undone(self, counter: "_Counter", post: Post, before: Record | None) -> None:
        """It is known that the post was not made: what was remembered before is again."""
        if counter.destination.channel.is_comment:
            return
        if before:
            counter.ledger.record(post.slot, before)
        else:
            counter.ledger.forget(post.slot)

    def _down_with(self, counter: "_Counter", post: Post, fault: CostlabError) -> Post:
        """The post that failed; nothing more is tried at its destination."""
        self._down[counter.destination.known_as] = fault
        return _failed(post, fault)

    def _record(self, post: Post, *, sure: bool) -> Record:
        keys = post.message.keys if post.message else ()
        return Record(keys, post.content, self.now.isoformat(timespec="seconds"), sure)


@dataclass(frozen=True, slots=True)
class _Counter:
    """A destination with where it stands in the configuration, what it was told, and what there is to tell."""

    destination: Destination
    setting: str
    ledger: Posts
    tour: Tour

    @property
    def link(self) -> str | None:
        """Where the report can be seen."""
        where, tour = self.destination.report_url, self.tour
        cluster = tour.cluster
        return where and f"{where.rstrip('/')}/{cluster}/{tour.newest}/index.html"


def _remark(before: Record, post: Post) -> str:
    """What there is to say of a post that was made before."""
    if not before.sure:
        return "whether it arrived is not known; --again posts it again"
    return "" if before.content == post.content else "it would have other content now; --again posts it again"


def _failed(post: Post, fault: CostlabError) -> Post:
    return replace(post, state=State.FAILED, note=fault.message, hint=fault.hint, exit_code=fault.exit_code)
