"""A message as an Adaptive Card 1.5, in the envelope that a Workflow of Microsoft Teams takes.

Text of the cluster stands in text runs, which no Markdown is read in. A message of more than 28 KB is refused there:
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using.
"""

from typing import Any

import orjson

from costlab.render.messages.message import Action, Message
from costlab.render.messages.paring import cut, fitting

_LARGEST_BYTES = 27_000  # 28 KB with room for what the service wraps around it
_TEXT = 1500

Element = dict[str, Any]


def teams(message: Message, link: str | None = None) -> dict[str, Any]:
    """What is posted; `link` leads to the day's report. What does not fit is counted and left out, actions first."""
    cards = (_envelope(shown, link) for shown in message.pared())
    return fitting(cards, _LARGEST_BYTES, lambda card: len(orjson.dumps(card)))


def _envelope(message: Message, link: str | None) -> dict[str, Any]:
    small = [text for text in (message.more, *message.notes, f"Cluster {message.cluster}") if text]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": cut(f"{message.title}. {message.sentence}", _TEXT),
        "msteams": {"width": "Full"},
        "body": [
            _text(_run(message.title, size="Large", weight="Bolder")),
            _text(_run(message.sentence)),
            *(_text(_run(text)) for text in message.followed),
            *(_text(_run(f"⚠ {alert}", color="Attention")) for alert in message.alerts),
            *(_action(action) for action in message.actions),
            *(_text(_run(text, isSubtle=True, size="Small")) for text in small),
        ],
    }
    if link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Report", "url": link}]
    kind = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": kind, "contentUrl": None, "content": card}],
    }


def _action(action: Action) -> Element:
    items = [_text(_run(action.subject, weight="Bolder")), *(_text(_run(line)) for line in action.lines)]
    if action.patch:
        items.append(_text(_run(action.patch, fontType="Monospace")))
    for item in items[1:]:
        item["spacing"] = "None"
    return {"type": "Container", "separator": True, "items": items}


def _text(run: Element) -> Element:
    return {"type": "RichTextBlock", "inlines": [run]}


def _run(text: str, **looks: Any) -> Element:
    return {"type": "TextRun", "text": cut(text, _TEXT), **looks}
