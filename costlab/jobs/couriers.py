"""The ways out of the house: each post in the form of its channel, brought to where it goes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from costlab.config.destination import Channel
from costlab.publish.address import Address
from costlab.publish.destined import Place
from costlab.publish.herald import Herald
from costlab.publish.mailbox import Mailbox
from costlab.publish.thread import Thread
from costlab.render.messages.announcement import announcement
from costlab.render.messages.comment import comment, marker_of
from costlab.render.messages.mail import Enclosures, Envelope, letter, mail
from costlab.render.messages.message import Message
from costlab.render.messages.slack import slack
from costlab.render.messages.teams import teams
from costlab.render.messages.webhook import signature, webhook
from costlab.store.posts import Slot

_FORMS: Mapping[Channel, Callable[[Message, str | None], dict[str, Any]]] = {
    Channel.SLACK: slack,
    Channel.TEAMS: teams,
    Channel.WEBHOOK: webhook,
    Channel.MAIL: mail,
    Channel.APPRISE: announcement,
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is brought: a message and its payload, when it was written, and what a mail carries beside it."""

    slot: Slot
    message: Message
    link: str | None
    payload: Mapping[str, Any]
    written: datetime
    enclosed: Callable[[str], Enclosures]


@dataclass(frozen=True, slots=True)
class Couriers:
    """How a post gets out. Each raises PostError, UnsurePost and ConfigError, as those of `publish` do.

    deliver: address, body and headers, over HTTP; send: a mailbox and the whole mail; comment: a thread, the first line
    by which the comment is found, and its body; announce: a service of apprise, and the words in so many characters.
    clock: seconds since 1970, by which a delivery is signed: a night posts long after it began.
    """

    deliver: Callable[[Address, bytes, Mapping[str, str]], None]
    send: Callable[[Mailbox, bytes], None]
    comment: Callable[[Thread, str, str], None]
    announce: Callable[[Herald, Callable[[int], Mapping[str, str]]], None]
    clock: Callable[[], float] = time.time

    def carry(self, parcel: Parcel, place: Place) -> None:
        """The parcel is where it goes; raises what its courier does."""
        if isinstance(place, Mailbox):
            envelope = Envelope(place.sender, place.recipients, parcel.written, parcel.slot.key)
            enclosed = parcel.enclosed(parcel.slot.team)
            self.send(place, letter(parcel.message, parcel.link, enclosed, envelope))
        elif isinstance(place, Thread):
            self.comment(place, marker_of(parcel.slot.thread), parcel.payload["body"])
        elif isinstance(place, Herald):
            self.announce(place, lambda most: announcement(parcel.message, parcel.link, most))
        else:
            body, headers = orjson.dumps(parcel.payload), {"Idempotency-Key": parcel.slot.key}
            if place.key:
                headers |= signature(body, place.key, int(self.clock()))
            self.deliver(place, body, headers)


def form(message: Message, link: str | None, channel: Channel, slot: Slot) -> dict[str, Any]:
    """The payload of a message, as its channel takes it; `link` leads to the day's report."""
    if channel.is_comment:
        return comment(message, link, marker_of(slot.thread))
    return _FORMS[channel](message, link)
