"""Where a destination's posts go, whatever its channel."""

from collections.abc import Mapping

from costlab.config.destination import Channel, Destination
from costlab.publish.address import Address, address_of
from costlab.publish.announcing import refuse_unusable
from costlab.publish.herald import Herald, herald_of
from costlab.publish.mailbox import Mailbox, mailbox_of
from costlab.publish.thread import Thread, thread_of

Place = Address | Herald | Mailbox | Thread


def destined(destination: Destination, environ: Mapping[str, str], setting: str) -> Place:
    """Where a destination's posts go.

    Raises ConfigError as `address_of`, `herald_of`, `refuse_unusable`, `mailbox_of` and `thread_of` do.
    """
    if destination.channel is Channel.MAIL:
        return mailbox_of(destination, environ, setting)
    if destination.channel.is_comment:
        return thread_of(destination, environ, setting)
    if destination.channel is Channel.APPRISE:
        herald = herald_of(destination, environ, setting)
        refuse_unusable(herald)
        return herald
    return address_of(destination, environ, setting)
