"""Pages lead to one another: on a code host by their relative links, in the site of docs/ by its navigation too."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from checkout import ROOT, files, pages

CODE = re.compile(r"^```.*?^```|^(?: {4}[^\n]*\n)+|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^()\s]+)\)")
DOCS = Path("docs")


class Navigation(yaml.SafeLoader):
    """Reads mkdocs.yml without what only mkdocs can make of it."""


Navigation.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def test_every_page_is_in_the_navigation_once() -> None:
    nav = yaml.load((ROOT / "mkdocs.yml").read_text(), Navigation)["nav"]  # noqa: S506 - a SafeLoader
    there = {str(path.relative_to(DOCS)) for path in pages() if path.is_relative_to(DOCS)}
    assert Counter(leaves(nav)) == Counter(there)


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    prose = {path: CODE.sub("", text) for path, text in pages().items()}
    links = [
        (page, link["target"])
        for page, text in prose.items()
        for link in LINK.finditer(text)
        if ":" not in link["target"]
    ]
    assert len(links) > 40
    assert [(str(page), target) for page, target in links if not leads(page, target)] == []


def test_links_within_the_site_do_not_leave_it() -> None:
    outside = [
        (str(page), link["target"])
        for page, text in pages().items()
        if page.is_relative_to(DOCS)
        for link in LINK.finditer(CODE.sub("", text))
        if ":" not in link["target"] and not aimed(page, link["target"])[0].is_relative_to(DOCS)
    ]
    assert outside == []


def leaves(nav: Any) -> Iterator[str]:
    """The pages of a navigation, however deep."""
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from leaves(entry)


def leads(page: Path, target: str) -> bool:
    """Whether git holds the file, and the file the heading."""
    path, anchor = aimed(page, target)
    if not anchor:
        return path in files() or any(file.is_relative_to(path) for file in files())
    return path in files() and anchor in anchors((ROOT / path).read_text())


def aimed(page: Path, target: str) -> tuple[Path, str]:
    """The file that a link of the page leads to, from the root, and the anchor in it."""
    name, _, anchor = target.partition("#")
    path = (ROOT / page.parent / unquote(name)).resolve() if name else ROOT / page
    return path.relative_to(ROOT), anchor


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings as code hosts make them: small letters, blanks as dashes, no other signs."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
