"""What every pod of a Kubernetes ML platform cost, and what was paid for and not used."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


_OF_THE_LAB = ("load_ipython_extension", "open")


def __getattr__(name: str) -> Any:
    """`costlab.open` and `%load_ext costlab`, loaded when first used: the command line must not pay for pandas."""
    if name in _OF_THE_LAB:
        from costlab import lab  # noqa: PLC0415

        return getattr(lab, name)
    raise AttributeError(f"module 'costlab' has no attribute {name!r}")
