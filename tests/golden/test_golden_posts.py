"""Posts about the made-up world as they were last looked at, and the rules of those who take them."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from answers import BUDGETS, CLUSTER, HOSTILE, LAST_DAY, tables

from costlab import shipped
from costlab.config.settings import Settings
from costlab.domain.time import Day
from costlab.jobs.posts import of_teams
from costlab.render.messages.message import KEY, Message, Told, message
from costlab.render.messages.slack import slack
from costlab.render.messages.teams import teams
from costlab.render.messages.webhook import webhook
from costlab.store.warehouse import Warehouse

SAMPLES = shipped.folder("reports/templates").parent / "samples"
SETTINGS = Settings().model_copy(update={"budgets": BUDGETS})
FORMS = {"slack": slack, "teams": teams, "webhook": webhook}
LINK = "https://reports.example/costlab/prod/2026-11-22/index.html"
LEAST = Decimal(10)
TEAM = "nlp-research"


@pytest.fixture(scope="module")
def told() -> dict[str, Told]:
    return of_teams(Warehouse.over_tables(tables()), SETTINGS, CLUSTER, Day(LAST_DAY))


@pytest.fixture(scope="module")
def hostile() -> dict[str, Told]:
    return of_teams(Warehouse.over_tables(tables(hostile=True)), SETTINGS, CLUSTER, Day(LAST_DAY))


def sent(told: Told) -> Message:
    """The team's message; its dearest action is open for twelve days."""
    dearest = max(told.advice, key=lambda row: row["monthly_saving_gross"] or 0)
    age = {name: dearest[name] for name in KEY} | {
        "open_days": 12,
        "first_date": date(2026, 11, 11),
        "lost_cost": Decimal("1834.5"),
    }
    found = message(replace(told, ages=[age]), LEAST)
    assert found
    return found


@pytest.mark.parametrize("channel", FORMS)
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


def test_samples_hold_the_words_of_a_message() -> None:
    for channel in FORMS:
        text = Path(SAMPLES / f"post-{channel}.json").read_text()
        for words in (
            "open for 12 days, $1,834 lost so far",
            "costlab patch ",
            "Risk: ",
            "Evidence: ",
            "led by ",
        ):
            assert words in text, (channel, words)
