"""How figures look that stand alone, in a file or a notebook: the page's colours by day."""

from typing import Any

# The page's light colours (reports/templates/report.css): a figure of its own has no page to follow.
LIGHT = {
    "used": "#2f5d8c", "unused": "#e08a1e", "idle": "#b9c7d6", "text": "#1b2430", "muted": "#5d6875", "rule": "#e2e6eb",
    "paper": "#ffffff",
}  # fmt: skip
# `svg.hashsalt` makes ids stable, `fonttype none` keeps text as text, and names with a $ are no formulas.
ON_PAPER: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "costlab",
    "text.parse_math": False,
    "font.size": 11,
    "hatch.linewidth": 1.4,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.edgecolor": LIGHT["rule"],
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LIGHT["rule"],
    "grid.linewidth": 0.8,
    "text.color": LIGHT["text"],
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
}
