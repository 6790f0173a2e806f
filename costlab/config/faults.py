"""What is wrong in a file, with the line: every fault at once, each with what was probably meant."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from costlab.domain.errors import ConfigError

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: where (`costlab.yaml:12`, or a variable's name), in which key, and what it is."""

    where: str
    key: str
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.text) if part)


def dotted(place: Place) -> str:
    """A key as people write it: clusters[0].prometheus.url."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def meant(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` when something known is close to the word, else nothing."""
    known = sorted(known)
    plain = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), plain, n=1, cutoff=0.6)
    return f"; did you mean {plain[close[0]]!r}?" if close else ""


def refuse(faults: list[Fault]) -> None:
    """Raise one ConfigError with all faults, or do nothing when there is none."""
    if not faults:
        return
    unique = [str(fault) for fault in dict.fromkeys(faults)]
    message = unique[0] if len(unique) == 1 else f"{len(unique)} faults\n  " + "\n  ".join(unique)
    raise ConfigError(
        message, "`costlab config schema` lists every key; check again with `costlab config check`"
    )
