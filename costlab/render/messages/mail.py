"""A message as e-mail: plain text and HTML, the team's days as a picture within, its page of the day attached.

Mail clients take style sheets apart, so the HTML is tables whose cells carry their looks. Gmail cuts off what is beyond
102 kB of it: https://developers.google.com/workspace/gmail/design/css names what it reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from costlab.render.html import mail_html
from costlab.render.messages.message import Message
from costlab.render.messages.paring import fitting
from costlab.render.names import visible

LARGEST_BYTES = 5_000_000  # of the whole: servers that are kept small take 10 MB
_LARGEST_HTML_BYTES = 100_000
_PICTURE = "costs@costlab"
_LEFT_OUT = "The team's page was too large to be attached."


@dataclass(frozen=True, slots=True)
class Enclosures:
    """What a mail carries beside its words. picture: a PNG, and in words what it shows; page: an HTML file and its name.

    Each is empty where there is none.
    """

    picture: bytes = b""
    shows: str = ""
    page: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom a mail is, to whom, when it was written, and the hash by which its post is known."""

    sender: str
    recipients: Sequence[str]
    written: datetime
    key: str


def mail(message: Message, link: str | None = None) -> dict[str, Any]:
    """The words: `subject`, `text` and `html`; `link` leads to the day's report. What does not fit is counted."""
    return _words(message, link, Enclosures())


def letter(message: Message, link: str | None, enclosed: Enclosures, envelope: Envelope) -> bytes:
    """The whole mail as SMTP takes it, the same bytes every time.

    Where it would be larger than 5 MB the page stays behind, and the mail says so; after it the picture.
    """
    made = _written(message, link, enclosed, envelope)
    if len(made) > LARGEST_BYTES and enclosed.page:
        message = replace(message, notes=(*message.notes, _LEFT_OUT))
        made = _written(message, link, replace(enclosed, page=""), envelope)
    return made if len(made) <= LARGEST_BYTES else _written(message, link, Enclosures(), envelope)


def _written(message: Message, link: str | None, enclosed: Enclosures, envelope: Envelope) -> bytes:
    words = _words(message, link, enclosed)
    domain = envelope.sender.rpartition("@")[2]
    made = EmailMessage(policy=SMTP)
    made["From"] = f"costlab <{envelope.sender}>"
    made["To"] = ", ".join(envelope.recipients)
    made["Subject"] = words["subject"]
    made["Date"] = format_datetime(envelope.written)
    # A second delivery of one post is the same mail to whoever keeps it.
    made["Message-ID"] = f"<{envelope.key[:40]}@{domain}>"
    made["List-Id"] = f"costlab <{message.cluster}.costlab.{domain}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer of an absence comes back
    made.set_content(words["text"], cte="quoted-printable")
    made.add_alternative(words["html"], subtype="html", cte="quoted-printable")
    shown = made.get_body(("html",))
    if enclosed.picture and isinstance(shown, EmailMessage):
        shown.add_related(
            enclosed.picture, "image", "png", cid=f"<{_PICTURE}>", disposition="inline", filename="costs.png"
        )
    if enclosed.page:
        made.add_attachment(enclosed.page, subtype="html", cte="base64", filename=enclosed.name)
    for part in [*made.walk()][1:]:
        del part["MIME-Version"]  # it is the whole's
    # By chance they would be other ones every time; neither encoding can write this.
    parts = [part for part in made.walk() if part.is_multipart()]
    for place, part in enumerate(parts):
        part.set_boundary(f"=_{envelope.key[:24]}_{place}")
    return made.as_bytes()


def _words(message: Message, link: str | None, enclosed: Enclosures) -> dict[str, Any]:
    mails = (
        {"subject": visible(shown.title), "text": _text(shown, link), "html": _html(shown, link, enclosed)}
        for shown in message.pared()
    )
    return fitting(mails, _LARGEST_HTML_BYTES, lambda made: len(made["html"].encode()))


def _html(message: Message, link: str | None, enclosed: Enclosures) -> str:
    return mail_html({
        "message": message,
        "notes": [text for text in (message.more, *message.notes) if text],
        "link": link,
        "picture": (f"cid:{_PICTURE}", enclosed.shows) if enclosed.picture else None,
    })  # fmt: skip


def _text(message: Message, link: str | None) -> str:
    blocks = [
        [message.sentence],
        *([text] for text in message.followed),
        *([f"! {alert}"] for alert in message.alerts),
        *(
            [action.subject, *(f"  {line}" for line in (*action.lines, action.patch) if line)]
            for action in message.actions
        ),
        [text for text in (message.more, *message.notes) if text],
        [f"Report: {link}"] if link else [],
        ["-- ", f"costlab, cluster {message.cluster}. Sent by itself; whoever runs costlab can mute it."],
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"
