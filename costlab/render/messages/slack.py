"""A message as Slack's Block Kit, for an incoming webhook.

Text of the cluster stands in plain and rich text alone, which Slack shows as it is: nothing in a name is a mention, a
link or an emphasis. Limits: https://docs.slack.dev/reference/block-kit/blocks.
"""

from typing import Any

from costlab.render.messages.message import Action, Message
from costlab.render.messages.paring import cut

_HEADER, _TEXT = 150, 3000

Block = dict[str, Any]


def slack(message: Message, link: str | None = None) -> dict[str, Any]:
    """What is posted; `link` leads to the day's report."""
    blocks = [
        {"type": "header", "text": _plain(message.title, _HEADER)},
        {"type": "section", "text": _plain(message.sentence)},
        *({"type": "section", "text": _plain(text)} for text in message.followed),
        *({"type": "section", "text": _plain(f"⚠ {alert}")} for alert in message.alerts),
        *(_action(action) for action in message.actions),
    ]
    small = [text for text in (message.more, *message.notes, f"Cluster {message.cluster}") if text]
    blocks.append({"type": "context", "elements": [_plain(text) for text in small]})
    if link:
        button = {"type": "button", "text": _plain("Report"), "url": link, "action_id": "report"}
        blocks.append({"type": "actions", "elements": [button]})
    # What a notification shows; here Slack would act on these three signs, and on nothing else.
    fallback = f"{message.title}. {message.sentence}"
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        fallback = fallback.replace(sign, entity)
    return {"text": cut(fallback, _TEXT), "blocks": blocks}


def _plain(text: str, most: int = _TEXT) -> Block:
    return {"type": "plain_text", "text": cut(text, most), "emoji": False}


def _action(action: Action) -> Block:
    words: list[Block] = [
        {"type": "text", "text": cut(action.subject, _TEXT // 4), "style": {"bold": True}},
        {"type": "text", "text": cut("".join(f"\n{line}" for line in action.lines), _TEXT // 2)},
    ]
    parts: list[Block] = [{"type": "rich_text_section", "elements": words}]
    if action.patch:
        patch = {"type": "text", "text": action.patch}
        parts.append({"type": "rich_text_preformatted", "elements": [patch]})
    return {"type": "rich_text", "elements": parts}
