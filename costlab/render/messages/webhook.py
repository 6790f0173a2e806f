"""A message as plain JSON for a program of one's own, and the signature by which it knows who sent it."""

import hmac
from hashlib import sha256
from typing import Any

from costlab.render.messages.message import Message

TIMESTAMP, SIGNATURE = "Costlab-Timestamp", "Costlab-Signature"


def webhook(message: Message, link: str | None = None) -> dict[str, Any]:
    """What is posted: docs/notify.md describes it."""
    return {
        "schema": "costlab.post/1",
        "cluster": message.cluster,
        "team": message.team,
        "since": message.first_day.isoformat(),
        "date": message.day.isoformat(),
        "title": message.title,
        "sentence": message.sentence,
        "followed": list(message.followed),
        "alerts": list(message.alerts),
        "actions": [
            {
                "subject": action.subject,
                "text": list(action.lines),
                "patch": action.patch or None,
                **action.facts,
            }
            for action in message.actions
        ],
        "more": message.more or None,
        "notes": list(message.notes),
        "report": link,
    }


def signature(body: bytes, secret: str, at_s: int) -> dict[str, str]:
    """The headers that sign a body: HMAC-SHA256 over `TIMESTAMP.BODY`, the timestamp in whole seconds since 1970.

    >>> signature(b"{}", "key", 1)["Costlab-Timestamp"]
    '1'
    """
    digest = hmac.new(secret.encode(), b"%d." % at_s + body, sha256).hexdigest()
    return {TIMESTAMP: str(at_s), SIGNATURE: f"v1={digest}"}
