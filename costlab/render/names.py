"""Names from the cluster as text that cannot mislead: nothing invisible, nothing endless, no formula."""

import re
import unicodedata

LONGEST = 96

# What Excel, LibreOffice and Google Sheets take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# What Markdown and its dialects act on: emphasis, links, HTML, tables, mentions, entities; formulas and bare links.
_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~&@]|\$(?!\d)|:(?=//)|(?<=www)\.")


def visible(text: str | None) -> str:
    """A name as it can be shown: control and direction-changing characters written out, shortened in the middle.

    >>> visible(" "), visible("train" + chr(10) + "llm")
    ('(empty)', 'train␊llm')
    """
    if text is None:
        return "\N{EN DASH}"
    shown = "".join(_written(character) for character in text)
    if not shown.strip():
        return "(empty)"
    if len(shown) > LONGEST:
        half = (LONGEST - 1) // 2
        return f"{shown[:half]}…{shown[-half:]}"
    return shown


def cell(text: str) -> str:
    """Text for a CSV cell that no spreadsheet takes for a formula: such text gets an apostrophe in front."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def markdown(text: str) -> str:
    """Text that Markdown shows as it stands."""
    return _MARKDOWN.sub(r"\\\g<0>", text).replace("\n", " ")


def _written(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    # Zero-width joiners stay: they hold emoji together. Other format characters reverse or hide text.
    if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"} and character != "\N{ZERO WIDTH JOINER}":
        return f"\\u{code:04x}"
    return character
