"""How figures look that stand alone, in a file or a notebook: the page's colours by day."""

from typing import Any

from costlab.render.charts import COLOUR, STYLE

# The page's light colours (reports/templates/report.css): a figure of its own has no page to follow.
LIGHT = {
    "used": "#2f5d8c", "unused": "#e08a1e", "idle": "#b9c7d6", "text": "#1b2430", "muted": "#5d6875", "rule": "#e2e6eb",
    "paper": "#ffffff",
}  # fmt: skip
_SHOWN = {COLOUR[name]: colour for name, colour in LIGHT.items()}
ON_PAPER: dict[Any, Any] = {
    name: _SHOWN.get(value, value) if isinstance(value, str) else value for name, value in STYLE.items()
}
