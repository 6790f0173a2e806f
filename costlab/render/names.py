"""Text from the cluster as text that cannot mislead: nothing invisible, no endless name, no formula."""

import re
import unicodedata

LONGEST = 253  # of a name in Kubernetes: only what is none of its names is ever shortened

# What Excel, LibreOffice and Google Sheets take for the beginning of a formula; the wide signs where Japanese is typed.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# What Markdown and its dialects act on: emphasis, links, HTML, tables, mentions, entities; formulas and bare links.
_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~&@]|\$(?!\d)|:(?=//)|(?<=www)\.")
_MENTION = re.compile(r"@(?=\w)")
_UNSEEN = "\N{ZERO WIDTH SPACE}"

_RESOURCES = {"cpu": "CPU", "gpu": "GPU"}


def resource_name(resource: str) -> str:
    """A resource within a sentence: CPU, GPU, memory."""
    return _RESOURCES.get(resource, resource)


def visible(text: str | None) -> str:
    """Text as it can be shown, all of it: control and direction-changing characters written out.

    >>> visible(" "), visible("train" + chr(10) + "llm")
    ('(empty)', 'train␊llm')
    """
    if text is None:
        return "\N{EN DASH}"
    # Nearly every name is plain: nothing of what is written out can be printed.
    shown = text if text.isprintable() else "".join(_written(character) for character in text)
    return shown if shown.strip() else "(empty)"


def named(name: str | None, longest: int = LONGEST) -> str:
    """A name as a page shows it: visible, and one longer than that many characters shortened in the middle."""
    shown = visible(name)
    half = (longest - 1) // 2
    return shown if len(shown) <= longest else f"{shown[:half]}…{shown[-half:]}"


def cell(text: str) -> str:
    """Text for a CSV cell that no spreadsheet takes for a formula: such text gets an apostrophe in front."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def markdown(text: str) -> str:
    """Text that Markdown shows as it stands, in one line, and that mentions nobody.

    GitHub looks for mentions after the backslashes are gone: what cannot be seen stands between the sign and the name.
    """
    return _MENTION.sub(f"@{_UNSEEN}", _MARKDOWN.sub(r"\\\g<0>", text)).replace("\n", " ").replace("\r", " ")


def _written(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    # Zero-width joiners stay: they hold emoji together. Other format characters reverse or hide text.
    if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"} and character != "\N{ZERO WIDTH JOINER}":
        return f"\\u{code:04x}"
    return character
