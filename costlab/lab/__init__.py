"""The analysts' door: `costlab.open(path)` in a notebook."""

from costlab.lab.door import Lab, open  # noqa: A004 - read as costlab.open
from costlab.lab.magic import load_ipython_extension

__all__ = ["Lab", "load_ipython_extension", "open"]
