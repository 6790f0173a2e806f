"""A message as plain text for whatever service apprise brings it to.

Services differ in what they read in a text: Markdown, a dialect of it, or nothing. So there is no markup in it, and
behind each sign that one of them would act on is what cannot be seen.
"""

import re
from dataclasses import replace

from costlab.render.messages.comment import UNSEEN, apart, begun
from costlab.render.messages.message import Action, Message
from costlab.render.messages.paring import cut

_LARGEST = 30_000  # characters; most services take fewer, and say so
_TEXT = 1500
# Beyond what comments act on: Slack's <!channel>, Markdown's links and code, Discord's hidden text, and names that chats
# make links of, such as evil.example.
_ACTED_ON = re.compile(r"(?<=[<`|])(?=\S)|(?<=\])(?=\()|(?<=\w\.)(?=[^\W\d_])")


def announcement(message: Message, link: str | None, most: int = _LARGEST) -> dict[str, str]:
    """What is posted: `title` and `body`, the body in so many characters; `link` leads to the day's report.

    Where that is not enough for all, the patches are left out first, then actions from the last one on, which are counted;
    where the rest does not fit either, it is cut.
    """
    title, bare = spoken(message.title), _without_patches(message)
    for shown in (message, *(bare.shortened(actions) for actions in range(len(message.actions), 0, -1))):
        body = _body(shown, link)
        if shown.actions and len(body) <= most:
            return {"title": title, "body": body}
    return {"title": title, "body": cut(_body(message.shortened(0), link), most)}


def spoken(text: str) -> str:
    """Text that a chat shows as it stands, in one line: no mention, link, command or hidden part is in it.

    >>> spoken("ask @all") == "ask @" + UNSEEN + "all"
    True
    """
    text = cut(" ".join(text.split()), _TEXT)
    return begun(_ACTED_ON.sub(UNSEEN, apart(text)), text)


def _without_patches(message: Message) -> Message:
    """What to do and what it is worth comes before the line to copy."""
    if not any(action.patch for action in message.actions):
        return message
    bare = tuple(replace(action, patch="") for action in message.actions)
    more = f"The patches did not fit in. {message.more}".strip()
    return replace(message, actions=bare, more=more)


def _body(message: Message, link: str | None) -> str:
    alerts = "\n".join(f"- ⚠ {spoken(alert)}" for alert in message.alerts)
    actions = (_action(number, action) for number, action in enumerate(message.actions, 1))
    opening = map(spoken, (message.sentence, *message.followed))
    rest = [spoken(text) for text in (message.more, *message.notes) if text]
    parts = [*opening, alerts, *actions, *rest, _end(message, link)]
    return "\n\n".join(part for part in parts if part)


def _action(number: int, action: Action) -> str:
    # A line to copy is as it is written, or not there.
    patch = [action.patch] if action.patch and spoken(action.patch) == action.patch else []
    return "\n".join([f"{number}. {spoken(action.subject)}", *map(spoken, action.lines), *patch])


def _end(message: Message, link: str | None) -> str:
    told = f"cluster {spoken(message.cluster)} · posted by costlab; whoever runs it can mute it"
    return f"Report: {link}\n{told}" if link else told
