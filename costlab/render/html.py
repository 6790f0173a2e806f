"""The report, and each page beside it, as one HTML file: nothing fetched, readable in light, dark, on a phone and in print.

The report has no script. The pages beside it have one of ours, which sorts and filters tables; without it they are whole.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from costlab import shipped
from costlab.render import charts, marks, statement
from costlab.render.context import Mark, Page, Part, Report


def report_html(report: Report) -> bytes:
    """The page, UTF-8. The same report gives the same bytes.

    Everything in it is escaped but our own SVG and style sheet, which are the only `Markup` that is made.
    """
    daily_wide, daily_narrow = charts.daily(report.daily)
    month_wide, month_narrow = charts.month(report.month)
    style = _style()
    page = _environment().get_template("report.html").render(
        report=report,
        parts=report.daily.parts,
        style=Markup(style),  # noqa: S704 - our own file, which the policy below names by its hash
        policy=_policy(style),
        drawings={
            "daily": (Markup(daily_wide), Markup(daily_narrow)),  # noqa: S704 - drawn by us; texts in it are escaped
            "month": (Markup(month_wide), Markup(month_narrow)),  # noqa: S704 - the same
        },
    )  # fmt: skip
    return page.encode()


def page_html(page: Page, *, scripted: bool = True) -> bytes:
    """A page beside the daily reports, UTF-8, of the same look and under the same policy.

    scripted: whether its tables can be sorted and filtered; mail servers hold back files with a script.
    """
    drawing = tuple(Markup(drawn) for drawn in charts.daily(page.daily)) if page.daily else ()  # noqa: S704 - drawn by us
    style, script = _style(), _script() if scripted else ""
    text = _environment().get_template("page.html").render(
        page=page,
        drawing=drawing,
        style=Markup(style),  # noqa: S704 - our own file, which the policy below names by its hash
        script=Markup(script),  # noqa: S704 - the same
        policy=_policy(style, script),
    )  # fmt: skip
    return text.encode()


def statement_html(page: statement.Page) -> bytes:
    """A showback statement, UTF-8: one page of A4 where it is printed."""
    style = _style("report.css", "statement.css")
    text = _environment().get_template("statement.html").render(
        page=page,
        style=Markup(style),  # noqa: S704 - our own files, which the policy names by their hash
        policy=_policy(style),
    )  # fmt: skip
    return text.encode()


def mail_html(shown: Mapping[str, Any]) -> str:
    """The HTML within an e-mail: a message, its notes, a link, and a picture as its address and what it shows, or None."""
    return _environment().get_template("mail.html").render(shown)


def _policy(style: str, script: str = "") -> str:
    """The page's content security policy: its own style sheet and script, by hash, and nothing else."""
    scripts = f"script-src {_hash(script)}; " if script else ""
    return f"default-src 'none'; style-src {_hash(style)}; {scripts}img-src data:; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _draw(mark: Mark) -> Markup:
    return Markup(marks.draw(mark))  # noqa: S704 - drawn by us; its label is escaped


def _swatch(part: Part) -> Markup:
    return Markup(marks.swatch(part))  # noqa: S704 - drawn by us, without any text


@cache
def _style(*names: str) -> str:
    folder = shipped.folder("reports/templates")
    return "".join((folder / name).read_text("utf-8") for name in names or ("report.css",))


@cache
def _script() -> str:
    return (shipped.folder("reports/templates") / "page.js").read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(shipped.folder("reports/templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["draw"] = _draw
    environment.filters["swatch"] = _swatch
    return environment
