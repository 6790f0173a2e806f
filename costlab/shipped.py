"""Finds the folders that ship with the package: SQL queries, report templates, and what deploys it."""

from importlib.resources import files
from pathlib import Path


def folder(name: str) -> Path:
    """Path of a shipped folder: inside the installed package, else beside it in a checkout.

    An editable install has no `costlab/queries`: the wheel's force-include does not reach it.
    """
    packaged = Path(str(files("costlab"))) / name
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[1] / name
