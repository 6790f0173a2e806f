"""A message as a comment on GitHub or GitLab, in the Markdown that both read.

Both look for mentions, references and links in the text after Markdown's backslashes are gone, GitLab for its quick
actions at the beginning of a line as well: what cannot be seen is put behind each sign that they would act on.
A comment of more than 65,536 characters is refused by GitHub (docs.github.com/rest/issues/comments), of more than 1 MB
by GitLab.
"""

import re
from typing import Any

from costlab.render.messages.message import Action, Message
from costlab.render.messages.paring import cut, fitting
from costlab.render.names import markdown

_LARGEST = 60_000  # characters, with room for signs that count as two
_TEXT = 1500
UNSEEN = "\N{ZERO WIDTH SPACE}"
# People, issues, merge requests, labels, milestones, epics, alerts, emoji and addresses, references in brackets, changes
# in braces.
_ACTED_ON = re.compile(
    r"(?<=[@#!~%&^:\[{])(?=[^\s\u200b])|(?<=\bgh)(?=-\d)|(?<=\bgl)(?=-\d)|(?<=www)(?=\\)", re.IGNORECASE
)
_BEGINS = re.compile(r"(?!\w)|\d+[.)]")  # a command, a list, a heading
# $120 is a snippet to GitLab, and two amounts hold a formula between them: GitHub's way out, and Markdown's within it.
_DOLLAR = r"<span>\$</span>"
_COMMIT = re.compile(r"\b[0-9a-f]{7,}\b", re.IGNORECASE)
_BACKTICKS = re.compile(r"`+")


def marker_of(key: str) -> str:
    """The first line of a comment, which nobody sees: by it the next post finds the comment again."""
    return f"<!-- costlab:{key[:32]} -->"


def comment(message: Message, link: str | None, marker: str) -> dict[str, Any]:
    """What is posted: `body`; `link` leads to the day's report. What does not fit is counted, actions are left out first."""
    bodies = ({"body": _body(shown, link, marker)} for shown in message.pared())
    return fitting(bodies, _LARGEST, lambda made: len(made["body"]))


def inert(text: str) -> str:
    """Text that a comment shows as it stands, in one line: no mention, reference, link, command or markup is in it.

    >>> inert("ask @all") == "ask " + chr(92) + "@" + UNSEEN + "all"
    True
    """
    text = cut(text.strip(), _TEXT)
    parts = (_COMMIT.sub(_broken, markdown(part)) for part in text.split("$"))
    return begun(_DOLLAR.join(map(apart, parts)), text)


def apart(text: str) -> str:
    """Text with what cannot be seen behind each sign that mentions, refers, leads or commands."""
    return _ACTED_ON.sub(UNSEEN, text)


def begun(shown: str, text: str) -> str:
    """What is shown of a text, that it begins with no command, list or heading."""
    return UNSEEN + shown if _BEGINS.match(text) else shown


def _broken(commit: re.Match[str]) -> str:
    """In pieces that are too short for a commit."""
    return UNSEEN.join(commit[0][place : place + 6] for place in range(0, len(commit[0]), 6))


def _body(message: Message, link: str | None, marker: str) -> str:
    alerts = "\n".join(f"- ⚠ {inert(alert)}" for alert in message.alerts)
    actions = "\n".join(_action(number, action) for number, action in enumerate(message.actions, 1))
    rest = [inert(text) for text in (message.more, *message.notes) if text]
    opening = [f"### {inert(message.title)}", *map(inert, (message.sentence, *message.followed))]
    parts = [*opening, alerts, actions, *rest, _end(message, link)]
    return f"{marker}\n" + "\n\n".join(part for part in parts if part) + "\n"


def _action(number: int, action: Action) -> str:
    indent = " " * len(f"{number}. ")
    lines = [f"{number}. **{inert(action.subject)}**", *(f"{indent}- {inert(line)}" for line in action.lines)]
    if action.patch:
        fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(action.patch)), default=0))
        lines += ["", *(f"{indent}{line}" for line in (f"{fence}sh", action.patch, fence)), ""]
    return "\n".join(lines)


def _end(message: Message, link: str | None) -> str:
    report = ""
    if link:
        address = link.replace("<", "%3C").replace(">", "%3E")
        report = f"[Report](<{address}>) · "
    told = f"cluster {message.cluster} · kept up to date by costlab; whoever runs it can mute it"
    return f"<sub>{report}{told}</sub>"
