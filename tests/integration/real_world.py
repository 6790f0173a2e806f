"""A configured costlab for tests: settings in a folder of their own, and sources by URL."""

from pathlib import Path
from typing import Any

from costlab.config.settings import Settings

CLUSTER = "test"


def settings_in(
    folder: Path, url: str = "http://127.0.0.1:9", settle: str = "1h", **sections: Any
) -> Settings:
    """Settings with one cluster, whose lake and reports lie in the folder."""
    content = {
        "lake": "lake",
        "report": {"out": "reports"},
        "clusters": [{"id": CLUSTER, "prometheus": {"url": url, "timeout": 60.0, "settle": settle}}],
        **sections,
    }
    return Settings.model_validate(content, context={"folder": folder})
