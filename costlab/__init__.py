"""What every pod of a Kubernetes ML platform cost, and what was paid for and not used."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def __getattr__(name: str) -> Any:
    """`costlab.open`, loaded when it is first used: the command line must not pay for pandas and DuckDB."""
    if name == "open":
        from costlab.lab import open as open_lab  # noqa: PLC0415

        return open_lab
    raise AttributeError(f"module 'costlab' has no attribute {name!r}")
