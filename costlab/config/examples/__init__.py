"""The files that `costlab init` writes."""

from importlib.resources import files
from pathlib import Path

from costlab.domain.errors import ConfigError

NAMES = ("costlab.yaml", "prices.yaml")


def write_examples(folder: Path) -> list[Path]:
    """Write both files into the folder; raises ConfigError, with nothing written, when one of them is there."""
    paths = [folder / name for name in NAMES]
    there = [path for path in paths if path.exists()]
    if there:
        raise ConfigError(
            f"{there[0]} is there already", "move it away, or name another folder: costlab init FOLDER"
        )
    for path in paths:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(example(path.name))
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be written: {error.strerror}",
                "name a folder that can be: costlab init FOLDER",
            ) from error
    return paths


def example(name: str) -> str:
    """The text of one of the files."""
    return (files(__package__) / name).read_text(encoding="utf-8")
