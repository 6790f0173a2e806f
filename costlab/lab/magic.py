"""`%%costlab` in a notebook: `%load_ext costlab`, `%costlab PATH`, then SQL in a cell."""

import re
from typing import Any

from costlab.domain.errors import ConfigError
from costlab.lab.door import Lab
from costlab.lab.door import open as open_lab

_LINE = re.compile(r"(?:(?P<name>[^\W\d]\w*)\s*<<)?\s*(?P<path>\S+)?\s*")
_PARAMETER = re.compile(r"\$([^\W\d]\w*)")


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext costlab`."""
    shell.register_magic_function(Magic(shell).costlab, "line_cell", "costlab")


class Magic:
    """The magic of one shell: it remembers the lake that was opened last."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._lab: Lab | None = None

    def costlab(self, line: str, cell: str | None = None) -> Any:
        """Open a lake, or run a cell of SQL on it.

        %costlab PATH            opens the lake at PATH (or `demo`)
        %%costlab [NAME <<] [PATH]
        SELECT …                 shows the rows, or keeps them in NAME; $x is the notebook's variable x
        """
        read = _LINE.fullmatch(line)
        if read is None or (cell is None and read["name"]):
            raise ConfigError(
                f"%costlab {line}: not understood", "%costlab PATH, or %%costlab [NAME <<] [PATH]"
            )
        if read["path"]:
            self._lab = open_lab(read["path"])
        if self._lab is None:
            raise ConfigError("no lake is open", "write %costlab PATH first; %costlab demo needs none")
        if cell is None:
            return self._lab
        rows = self._lab.sql(cell, **self._variables(cell))
        if read["name"] is None:
            return rows
        self._shell.push({read["name"]: rows})
        return None

    def _variables(self, cell: str) -> dict[str, Any]:
        names = dict.fromkeys(_PARAMETER.findall(cell))
        missing = [name for name in names if name not in self._shell.user_ns]
        if missing:
            raise ConfigError(
                f"the cell asks for ${missing[0]}, and there is no such variable", f"set {missing[0]} first"
            )
        return {name: self._shell.user_ns[name] for name in names}
