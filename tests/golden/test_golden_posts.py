"""Posts about the made-up world as they were last looked at, and the rules of those who take them."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pyarrow.compute as pc
import pytest
from answers import BUDGETS, CLUSTER, FIRST_DAY, HOSTILE, LAST_DAY, tables
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from costlab import shipped
from costlab.config.destination import Weekday
from costlab.config.settings import Settings
from costlab.domain.time import Day
from costlab.jobs.enclosures import Enclosing
from costlab.jobs.team_days import of_teams
from costlab.jobs.tours import weekly
from costlab.render.figures import money
from costlab.render.messages import mail as mails
from costlab.render.messages.announcement import announcement, spoken
from costlab.render.messages.comment import comment, inert, marker_of
from costlab.render.messages.digest import Week, digest
from costlab.render.messages.mail import Enclosures, Envelope, letter, mail
from costlab.render.messages.message import KEY, Message, Told, message, settled
from costlab.render.messages.slack import slack
from costlab.render.messages.teams import teams
from costlab.render.messages.webhook import webhook
from costlab.render.names import named
from costlab.store.warehouse import Warehouse

SAMPLES = shipped.folder("reports/templates").parent / "samples"
SETTINGS = Settings().model_copy(update={"budgets": BUDGETS})
MARKER = marker_of("0f" * 32)
FORMS: dict[str, Callable[[Message, str | None], dict[str, Any]]] = {
    "slack": slack,
    "teams": teams,
    "webhook": webhook,
    "mail": mail,
    "comment": partial(comment, marker=MARKER),
    "apprise": announcement,
}
AS_JSON = ("slack", "teams", "webhook")
ENVELOPE = Envelope(
    "costlab@example.org",
    ("leads@example.org", "b@example.org"),
    datetime(2026, 11, 23, 3, tzinfo=UTC),
    "0f" * 32,
)
# The picture's bytes are matplotlib's, which other versions of it make otherwise.
ENCLOSED = Enclosures(b"a picture", "What it shows", "<p>ü: the page</p>\n", "nlp.html")
LINK = "https://reports.example/costlab/prod/2026-11-22/index.html"
LEAST = Decimal(10)
TEAM = "nlp-research"


@pytest.fixture(scope="module")
def told() -> dict[str, Told]:
    return of_teams(Warehouse.over_tables(tables()), SETTINGS, CLUSTER, Day(LAST_DAY))


@pytest.fixture(scope="module")
def hostile() -> dict[str, Told]:
    return of_teams(Warehouse.over_tables(tables(hostile=True)), SETTINGS, CLUSTER, Day(LAST_DAY))


def aged(told: Told) -> Told:
    """Its dearest action is open for twelve days."""
    dearest = max(told.advice, key=lambda row: row["monthly_saving_gross"] or 0)
    age = {name: dearest[name] for name in KEY} | {
        "open_days": 12,
        "first_date": date(2026, 11, 11),
        "lost_cost": Decimal("1834.5"),
    }
    return replace(told, ages=[age])


def sent(told: Told) -> Message:
    """The team's message; its dearest action is open for twelve days."""
    found = message(aged(told), LEAST)
    assert found
    return found


@pytest.fixture(scope="module")
def week() -> Week:
    """The team's week; one of its changes is open for twelve days, one was made, one stands no more."""
    held = [FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1)]
    over = Warehouse.over_tables(tables())
    tour = weekly(over, SETTINGS, CLUSTER, Day(LAST_DAY), Weekday.MONDAY, held)
    assert (tour.day, str(tour.newest)) == (LAST_DAY, str(LAST_DAY))
    found = tour.teams[TEAM]
    assert isinstance(found, Week)
    became = [
        {**advised, "workload": workload, "became": became, "monthly_saving_gross": Decimal(saves)}
        for advised, workload, became, saves in zip(
            found.told.advice, ("api", "old-job", "gone", "small"), ("done", "withdrawn", "gone", "done"),
            (420, 300, 200, 2), strict=False,
        )
    ]  # fmt: skip
    return replace(found, told=aged(found.told), settled=became)


def test_a_week_is_told_as_it_was_looked_at(week: Week) -> None:
    found = digest(week, LEAST)
    assert found
    assert (found.since, found.day) == (LAST_DAY - timedelta(days=6), LAST_DAY)
    assert not list(slack_faults(slack(found, LINK)))
    assert not list(card_faults(teams(found, LINK)))
    for name, made in (
        ("week-webhook.json", orjson.dumps(webhook(found, LINK), option=orjson.OPT_INDENT_2) + b"\n"),
        ("week-comment.md", comment(found, LINK, MARKER)["body"].encode()),
        ("week-mail.txt", mail(found, LINK)["text"].encode()),
    ):
        sample = SAMPLES / f"post-{name}"
        if os.environ.get("COSTLAB_GOLDEN") == "renew":
            sample.write_bytes(made)
        assert made == sample.read_bytes()
    for form in FORMS.values():
        shown = " ".join(strings(form(found, None)))
        assert "Done since the week before" in shown.replace("<wbr>", "")


def test_a_week_adds_up_from_the_days(week: Week) -> None:
    """An oracle over the charges themselves; no other query is asked."""
    rows = tables()["charges"].to_pylist()
    for end, told in ((LAST_DAY, week.cost), (LAST_DAY - timedelta(days=7), week.cost_before)):
        owed = [row["cost"] for row in rows if row["team"] == TEAM and 0 <= (end - row["date"]).days < 7]
        assert told == sum(owed, Decimal(0)) > 0
    change = (week.cost or 0) - (week.cost_before or 0)
    assert change == sum((each.change for each in week.contributions), Decimal(0))


def test_a_team_that_rests_on_the_weeks_last_day_has_its_week_all_the_same() -> None:
    """Scaled down over every weekend, and nothing of it advised on the Sunday."""
    made = {**tables()}
    of_team = pc.equal(made["charges"]["team"], TEAM)
    weekend = pc.greater_equal(pc.day_of_week(made["charges"]["date"]), 5)
    made["charges"] = made["charges"].filter(pc.invert(pc.and_(of_team, weekend)))
    made["advice"] = made["advice"].filter(pc.not_equal(made["advice"]["team"], TEAM))
    held = [FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1)]
    over = Warehouse.over_tables(made)
    assert (LAST_DAY.weekday(), TEAM in of_teams(over, SETTINGS, CLUSTER, Day(LAST_DAY))) == (6, False)
    tour = weekly(over, SETTINGS, CLUSTER, Day(LAST_DAY), Weekday.MONDAY, held)
    found = tour.message(TEAM, LEAST)
    assert found
    owed = [
        row["cost"]
        for row in made["charges"].to_pylist()
        if row["team"] == TEAM and 0 <= (LAST_DAY - row["date"]).days < 7
    ]
    assert f"Team {TEAM} cost {money(sum(owed, Decimal(0)), 'USD')} from" in found.sentence
    assert not {"(idle)", "(system)", ""} & set(tour.teams)


@pytest.mark.parametrize("channel", AS_JSON)
def test_a_post_is_as_it_was_looked_at(channel: str, told: dict[str, Told]) -> None:
    sample = SAMPLES / f"post-{channel}.json"
    made = orjson.dumps(FORMS[channel](sent(told[TEAM]), LINK), option=orjson.OPT_INDENT_2) + b"\n"
    if os.environ.get("COSTLAB_GOLDEN") == "renew":
        sample.write_bytes(made)
    assert made == sample.read_bytes()


def test_a_team_is_told_its_own_alone(told: dict[str, Told]) -> None:
    """No namespace, workload or budget of another team is in any of its payloads, however it is written."""
    owners: dict[str, set[str]] = {}
    for name, of in told.items():
        for row in (*of.changes, *of.advice):
            owners.setdefault(row["namespace"], set()).add(name)
            owners.setdefault(f"{row['namespace']}/{row['workload_kind']}/{row['workload']}", set()).add(name)
    assert len(owners) > 20
    for name, of in told.items():
        found = message(of, LEAST)
        assert found, name
        facts = webhook(found)["actions"]
        assert {row["namespace"] for row in facts} <= {key for key, who in owners.items() if name in who}
        texts = [text for form in FORMS.values() for text in strings(form(found, None))]
        for other in set(told) - {name}:
            assert not any(other in text for text in texts), (name, other)


def test_yen_have_no_hundredths(told: dict[str, Told]) -> None:
    of = told[TEAM]
    assert of.cost
    advice = [{**row, "currency": "JPY", "monthly_saving_gross": Decimal("42.4")} for row in of.advice]
    cost = {**of.cost, "total_cost": Decimal("42.4"), "usual_cost": Decimal("31.6")}
    found = message(replace(of, currency="JPY", cost=cost, advice=advice, alarms=()), LEAST)
    assert found
    assert "cost ¥42 on" in found.sentence
    assert "¥10 more" in found.sentence  # as who subtracts what is printed gets it
    assert not re.search(r"¥[\d,]*\.", " ".join(strings(webhook(found))))


@pytest.mark.parametrize("which", ["told", "hostile"])
def test_payloads_keep_the_rules_of_those_who_take_them(
    which: str, told: dict[str, Told], hostile: dict[str, Told]
) -> None:
    worlds = {"told": told, "hostile": hostile}
    made = 0
    for of in worlds[which].values():
        found = message(of, Decimal(0))
        if not found:
            continue
        made += 1
        assert not list(slack_faults(slack(found, LINK)))
        card = teams(found, LINK)
        assert not list(card_faults(card))
        assert len(orjson.dumps(card)) <= 28_000
    assert made >= (len(HOSTILE) if which == "hostile" else 5)


def test_actions_that_do_not_fit_into_a_card_are_counted(told: dict[str, Told]) -> None:
    found = sent(told[TEAM])
    long = replace(
        found, actions=tuple(replace(action, patch="x" * 1400, risk="ü" * 1400) for action in found.actions)
    )
    huge = replace(long, alerts=("é" * 1499,) * 8)
    card = teams(huge, None)
    body = card["attachments"][0]["content"]["body"]
    shown = [element for element in body if element["type"] == "Container"]
    left = len(found.actions) - len(shown)
    assert left > 0
    assert len(orjson.dumps(card)) <= 27_000
    assert any(f"{left} action" in text and "did not fit in" in text for text in strings(card))


@pytest.mark.parametrize("sign", ["漢", "👩", "&", "$"])
def test_a_message_of_endless_names_keeps_the_sizes_that_are_promised(
    told: dict[str, Told], sign: str
) -> None:
    name = named(sign * 5000)
    long = f"Team {name} cost $1, $1 more, led by memory cost of {name}'s {name} {name} (+$1, new)."
    found = replace(sent(told[TEAM]), title=name, sentence=long, alerts=(long,) * 6, followed=(long * 2,) * 3)
    assert len(orjson.dumps(teams(found, LINK))) <= 27_000
    assert len(comment(found, LINK, MARKER)["body"]) <= 60_000
    assert len(mail(found, LINK)["html"].encode()) <= 100_000
    few = [*found.pared()][-2]
    assert (few.actions, few.alerts, len(few.followed)) == ((), (), 1)
    assert few.more.startswith(
        f"{len(found.actions)} actions did not fit in. 6 alerts did not fit in. 2 sent"
    )


def strings(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for inner in found.values():
            yield from strings(inner)
    elif isinstance(found, list):
        for inner in found:
            yield from strings(inner)
    elif isinstance(found, str):
        yield found


def slack_faults(payload: dict[str, Any]) -> Iterator[str]:
    """What of Block Kit's reference the payload does not keep, for the blocks that it may hold."""
    text = payload["text"]
    if set(payload) != {"text", "blocks"} or not text or len(text) > 40_000:
        yield "payload"
    if re.search(r"[<>]|&(?!(?:amp|lt|gt);)", text):
        yield "the fallback can hold a mention"
    if not 1 <= len(payload["blocks"]) <= 50:
        yield "blocks"
    for block in payload["blocks"]:
        yield from BLOCKS[block["type"]](block)


def plain_faults(text: dict[str, Any], most: int) -> Iterator[str]:
    if (
        text["type"] != "plain_text"
        or not 1 <= len(text["text"]) <= most
        or set(text) != {"type", "text", "emoji"}
    ):
        yield f"text {text}"


def context_faults(block: dict[str, Any]) -> Iterator[str]:
    if not 1 <= len(block["elements"]) <= 10:
        yield "context"
    for element in block["elements"]:
        yield from plain_faults(element, 3000)


def rich_faults(block: dict[str, Any]) -> Iterator[str]:
    for part in block["elements"]:
        if part["type"] not in ("rich_text_section", "rich_text_preformatted"):
            yield part["type"]
        for run in part["elements"]:
            if run["type"] != "text" or not run["text"] or set(run) - {"type", "text", "style"}:
                yield f"run {run}"
    if sum(len(text) for text in strings(block)) > 3000:
        yield "rich text"


def button_faults(block: dict[str, Any]) -> Iterator[str]:
    [button] = block["elements"]
    yield from plain_faults(button["text"], 75)
    if not button["url"].startswith("https://") or len(button["url"]) > 3000:
        yield "url"


BLOCKS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "header": lambda block: plain_faults(block["text"], 150),
    "section": lambda block: plain_faults(block["text"], 3000),
    "context": context_faults,
    "rich_text": rich_faults,
    "actions": button_faults,
}
LOOKS: dict[str, set[Any]] = {
    "size": {"Large", "Small"},
    "weight": {"Bolder"},
    "color": {"Attention"},
    "fontType": {"Monospace"},
    "isSubtle": {True},
}


def card_faults(payload: dict[str, Any]) -> Iterator[str]:
    """What of the Adaptive Card schema 1.5 and of the envelope the payload does not keep; no text is read as Markdown."""
    [attachment] = payload["attachments"]
    card = attachment["content"]
    told = payload["type"], attachment["contentType"], card["type"], card["version"]
    if told != ("message", "application/vnd.microsoft.card.adaptive", "AdaptiveCard", "1.5"):
        yield f"envelope {told}"
    if any(action["type"] != "Action.OpenUrl" for action in card.get("actions", [])):
        yield "action"
    for element in card["body"]:
        for item in element["items"] if element["type"] == "Container" else [element]:
            yield from element_faults(item)


def element_faults(element: dict[str, Any]) -> Iterator[str]:
    if element["type"] != "RichTextBlock" or set(element) - {"type", "inlines", "spacing"}:
        yield f"element {element}"
    for run in element["inlines"]:
        looks = {name: value for name, value in run.items() if name not in ("type", "text")}
        if run["type"] != "TextRun" or not run["text"]:
            yield f"run {run}"
        if any(value not in LOOKS[name] for name, value in looks.items()):
            yield f"looks {looks}"


def read(made: bytes) -> EmailMessage:
    """The mail, that neither a line too long nor a header that cannot be read is in."""
    assert made.isascii()
    assert all(len(line) <= 998 for line in made.split(b"\r\n"))
    assert made.count(b"\n") == made.count(b"\r\n") == made.count(b"\r")
    found = message_from_bytes(made, policy=default)
    assert isinstance(found, EmailMessage)
    for part in found.walk():
        assert not part.defects
        assert not any(value.defects for value in part.values())
    return found


def words_of(found: EmailMessage, kind: str) -> str:
    part = found.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_a_mail_is_as_it_was_looked_at(told: dict[str, Told]) -> None:
    sample = SAMPLES / "post-mail.eml"
    made = letter(sent(told[TEAM]), LINK, ENCLOSED, ENVELOPE)
    if os.environ.get("COSTLAB_GOLDEN") == "renew":
        sample.write_bytes(made.replace(b"\r\n", b"\n"))
    assert made.replace(b"\r\n", b"\n") == sample.read_bytes()
    assert made == letter(sent(told[TEAM]), LINK, ENCLOSED, ENVELOPE)
    found = read(made)
    assert found["Message-ID"] == f"<{'0f' * 20}@example.org>"
    assert found["Date"].datetime == ENVELOPE.written
    [page] = found.iter_attachments()
    assert page.get_filename() == ENCLOSED.name
    assert page.get_content().replace("\r\n", "\n") == ENCLOSED.page
    [picture] = [part for part in found.walk() if part.get_content_type() == "image/png"]
    assert picture.get_content() == ENCLOSED.picture
    assert f'src="cid:{picture["Content-ID"][1:-1]}"' in words_of(found, "html")


class Seen(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.leads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.leads += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


_TAGS = {"html", "head", "meta", "title", "style", "body", "table", "tr", "td", "h1", "h2", "img", "a"}


def test_a_name_in_a_mail_is_text_and_no_header(hostile: dict[str, Told]) -> None:
    for name, of in hostile.items():
        found = message(of, Decimal(0))
        if not found:
            continue
        for odd in (found, replace(found, title=f"{found.title}\r\nBcc: all@example.org\n\n<b>Büro\u2028")):
            made = read(letter(odd, LINK, ENCLOSED, ENVELOPE))
            assert set(made.keys()) == {
                "From", "To", "Subject", "Date", "Message-ID", "List-Id", "Auto-Submitted", "MIME-Version", "Content-Type",
            }  # fmt: skip
            seen = Seen(words_of(made, "html"))
            assert seen.tags <= _TAGS, name
            assert set(seen.leads) == {LINK, "cid:costs@costlab"}
            assert found.sentence in seen.text
            assert all(action.subject in seen.text for action in found.actions)
            assert found.sentence in words_of(made, "plain")


def test_a_comment_is_as_it_was_looked_at(told: dict[str, Told]) -> None:
    sample = SAMPLES / "post-comment.md"
    made = comment(sent(told[TEAM]), LINK, MARKER)["body"]
    if os.environ.get("COSTLAB_GOLDEN") == "renew":
        sample.write_text(made)
    assert made == sample.read_text()


# What GitHub and GitLab act on in the text that Markdown has become, code excepted: by their own references, people,
# issues, merge requests, labels, milestones, epics, snippets, alerts, commits, addresses, emoji, formulas.
ACTED_ON = re.compile(
    r"(?<!\w)@\w|[#!~%&]\w|\$\w|\^alert|\bG[HL]-\d|\b[0-9a-f]{7,40}\b|\w://|www\.\w|:\w+:|\w@\w|\[\w+:\w|\{[+-]",
    re.IGNORECASE,
)
MEANT = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "bullet_list_open", "bullet_list_close",
    "ordered_list_open", "ordered_list_close", "list_item_open", "list_item_close", "inline", "fence", "html_block",
}  # fmt: skip


def comment_faults(body: str, link: str | None) -> Iterator[str]:
    """What in a comment is anything but what it was made of: Markdown by the CommonMark reference's port."""
    if not body.startswith(f"{MARKER}\n") or body.count("<!--") != 1 or len(body) > 65_536:
        yield "marker or size"
    if any(line.startswith("/") for line in body.splitlines()):
        yield "a command"
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body):
        if token.type not in MEANT or (token.type == "html_block" and token.content.strip() != MARKER):
            yield f"block {token.type}: {token.content[:60]}"
        if token.type == "fence" and not token.content.startswith("kubectl patch "):
            yield f"code {token.content[:60]}"
        for part in token.children or ():
            yield from inline_faults(part, link)


def inline_faults(part: Any, link: str | None) -> Iterator[str]:
    if part.type == "link_open":
        if part.attrs["href"] != link:
            yield f"link {part.attrs}"
    elif part.type == "html_inline":
        if part.content not in ("<sub>", "</sub>", "<span>", "</span>"):
            yield f"HTML {part.content}"
    elif part.type in ("text", "text_special"):
        if ACTED_ON.search(part.content):
            yield f"acted on: {part.content}"
    elif part.type not in ("strong_open", "strong_close", "link_close", "softbreak"):
        yield f"inline {part.type}"


@pytest.mark.parametrize("which", ["told", "hostile"])
def test_no_name_in_a_comment_mentions_links_or_commands(
    which: str, told: dict[str, Told], hostile: dict[str, Told]
) -> None:
    for name, of in (told if which == "told" else hostile).items():
        found = message(of, Decimal(0))
        assert not found or list(comment_faults(comment(found, LINK, MARKER)["body"], LINK)) == [], name
        nothing = comment(settled(of, Decimal(10)), None, MARKER)["body"]
        assert list(comment_faults(nothing, None)) == [], name


ODD = st.text(st.sampled_from("@#!~%&$^:[](){}<>*_`/\\|-+=.'\" \t\nabcdef019wghGH€ü"), max_size=40)


@limits(max_examples=300)
@given(st.one_of(ODD, st.sampled_from([*map(named, HOSTILE),
    "@acme/everyone", "fixes #1", "acme/ml#1", "!12 &3 ~bug %1 $12 ^alert#1", "GH-12 gl-12", "/close\n/assign @me",
    "deadbeefcafe", "[vulnerability:12]", "[[wiki]]", "{+ added +}", ":tada:", "me@example.org", "$a$ $$b$$", "<!-- x -->",
    "ssh://x y", "www.evil.example", "- [x] done", "```\n/close\n```", "![x](http://evil.invalid)", "https&#58;//x",
])))  # fmt: skip
def test_text_of_the_cluster_is_nothing_but_text_in_a_comment(odd: str) -> None:
    shown = inert(odd)
    alert = Message("prod", odd, LAST_DAY, odd, odd, (odd,), (), odd, (odd,), ())
    assert list(comment_faults(comment(alert, None, MARKER)["body"], None)) == []
    rendered = "".join(
        part.content
        for token in MarkdownIt("commonmark").parse(f"x {shown} x")
        for part in token.children or ()
        if part.type != "html_inline"
    )
    seen = rendered.replace("\u200b", "")
    assert seen.split() == f"x {odd} x".replace("\u200b", "").split(), "it is read as it was written"


def test_an_announcement_is_as_it_was_looked_at(told: dict[str, Told]) -> None:
    sample = SAMPLES / "post-apprise.txt"
    words = announcement(sent(told[TEAM]), LINK)
    made = f"{words['title']}\n\n{words['body']}\n"
    if os.environ.get("COSTLAB_GOLDEN") == "renew":
        sample.write_text(made)
    assert made == sample.read_text()


# What chats act on in a text of no declared form: mentions, Slack's among them, links with and without a scheme, hidden
# text, code, emoji, and a command or heading where it begins.
ACTED_ON_IN_CHATS = re.compile(
    r"@\w|<[!@#\w]|\]\(|\w://|\w\.[^\W\d_]|\|\||~~|``|:\w+:|#\w|^(?!⚠)[/#>!-]|\n", re.IGNORECASE
)


@limits(max_examples=300)
@given(st.one_of(ODD, st.sampled_from([*map(named, HOSTILE), "<!channel> <@U1> @everyone", "[x](http://evil.example)",
    "evil.example", "||x||", "```\n/close\n```", "# x", "/close", "me@example.org", ":tada:", "<http://evil.example|x>",
])))  # fmt: skip
def test_text_of_the_cluster_is_nothing_but_text_in_a_chat(odd: str) -> None:
    shown = spoken(odd)
    assert not ACTED_ON_IN_CHATS.search(shown)
    assert shown.replace("\u200b", "").split() == odd.replace("\u200b", "").split(), (
        "it is read as it was written"
    )


@limits(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(most=st.integers(1, 6000))
def test_an_announcement_fits_and_counts_what_does_not(told: dict[str, Told], most: int) -> None:
    found = sent(told[TEAM])
    body = announcement(found, LINK, most)["body"]
    assert len(body) <= most
    shown = sum(spoken(action.subject) in body for action in found.actions)
    assert shown == len(found.actions) or body.endswith("…") or "did not fit in" in body
    patches = [line for line in body.splitlines() if line.startswith("kubectl patch ")]
    assert set(patches) <= {action.patch for action in found.actions}, "what is copied is as it was written"
    assert not patches or shown == len(found.actions) == len(patches), "patches go before actions do"
    assert patches or shown == 0 or "The patches did not fit in." in body


def test_in_a_chat_of_2000_characters_all_actions_stand_without_their_patches(told: dict[str, Told]) -> None:
    body = announcement(sent(told[TEAM]), LINK, 2000)["body"]
    assert "The patches did not fit in." in body
    assert [line[:2] for line in body.splitlines() if line[:1].isdigit()] == ["1.", "2.", "3.", "4."]


def test_a_comment_that_is_too_large_says_what_is_left_out(told: dict[str, Told]) -> None:
    found = sent(told[TEAM])
    long = replace(
        found, actions=tuple(replace(each, patch="kubectl patch " + "`" * 20_000) for each in found.actions)
    )
    body = comment(long, LINK, MARKER)["body"]
    assert "actions did not fit in" in body
    assert list(comment_faults(body, LINK)) == []


def test_what_does_not_fit_into_a_mail_stays_behind_and_it_says_so(told: dict[str, Told]) -> None:
    found = sent(told[TEAM])
    large = replace(ENCLOSED, page="x" * mails.LARGEST_BYTES)
    made = letter(found, LINK, large, ENVELOPE)
    assert len(made) <= mails.LARGEST_BYTES
    assert list(read(made).iter_attachments()) == []
    for kind in ("plain", "html"):
        assert "too large to be attached" in words_of(read(made), kind)
    assert b"image/png" in made
    larger = letter(found, LINK, replace(large, picture=large.page.encode()), ENVELOPE)
    assert len(larger) <= mails.LARGEST_BYTES
    assert b"image/png" not in larger
    assert "cid:" not in words_of(read(larger), "html")
    assert "too large to be attached" in words_of(read(larger), "plain")
    long = replace(found, actions=tuple(replace(each, risk="ü" * 30_000) for each in found.actions))
    html = mail(long, LINK)["html"]
    assert len(html.encode()) <= 102_000
    assert "did not fit in" in html


def test_what_a_mail_carries_is_the_teams_own_alone(told: dict[str, Told]) -> None:
    enclosing = Enclosing(Warehouse.over_tables(tables()), SETTINGS, CLUSTER, Day(LAST_DAY))
    assert enclosing.of("no such team") == Enclosures()
    enclosed = enclosing.of(TEAM)
    assert enclosed == enclosing.of(TEAM)
    assert enclosed.picture.startswith(b"\x89PNG")
    assert enclosed.name == f"{TEAM}-{LAST_DAY}.html"
    page = Seen(enclosed.page)
    assert page.leads == ["data:,", "#tables"]
    assert "script" not in page.tags
    assert TEAM in page.text
    for other in set(told) - {TEAM}:
        assert other not in enclosed.page + enclosed.shows


def test_samples_hold_the_words_of_a_message() -> None:
    for channel in AS_JSON:
        text = Path(SAMPLES / f"post-{channel}.json").read_text()
        for words in (
            "open for 12 days, $1,834 lost so far",
            "kubectl patch ",
            "Risk: ",
            "Evidence: ",
            "led by ",
        ):
            assert words in text, (channel, words)
