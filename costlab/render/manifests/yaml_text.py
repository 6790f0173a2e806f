"""Documents as YAML that reads back the same, whatever the cluster's names are, with comments that cannot end."""

import math
from collections.abc import Iterable
from typing import Any

import yaml

from costlab.render.names import visible


class _Dumper(yaml.SafeDumper):
    """No anchors, and text with unprintable characters in double quotes: a bare next-line sign reads back as a space."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the answer is the same for all
        return True


def _quoted_where_needed(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _quoted_where_needed)


def document(content: Any, comments: Iterable[str] = ()) -> str:
    """One document in the order in which it was made, below its comments; without content, the comments alone."""
    said = "".join(f"# {visible(line) if line else ''}".rstrip() + "\n" for line in comments)
    if content is None:
        return said
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
    return said + text
