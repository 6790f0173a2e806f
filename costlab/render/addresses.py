"""Where the page of a team or workload lies: a file name that stays, is nobody else's, and leads out of no folder."""

import hashlib
import re

_LONGEST = 120
# What Kubernetes allows as a label (RFC 1123), and kinds written in humps: these stand for themselves.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(?:\.{_LABEL.pattern})*")
_KIND = re.compile(r"(?:[A-Z][a-z0-9]+)+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ODD = re.compile(r"[^a-z0-9]+")

# Every address that `team` and `workload` give, and nothing that a person would lay beside them.
ADDRESS = re.compile(r"[a-z0-9][a-z0-9.-]{0,119}|[a-z0-9-]{0,40}~[0-9a-f]{16}")


def team(name: str) -> str:
    """A team's address: its name where that is a plain one.

    >>> team("nlp-research"), team("../Büro")
    ('nlp-research', 'b-ro~0f14a620d8b77e12')
    """
    return name if _LABEL.fullmatch(name) else _hashed(name)


def workload(namespace: str, kind: str, name: str) -> str:
    """A workload's address: namespace, kind and name where all are plain ones.

    The first two hold no dot, so no two workloads share one.

    >>> workload("nlp", "CronJob", "tokenise")
    'nlp.cron-job.tokenise'
    """
    plain = _LABEL.fullmatch(namespace) and _KIND.fullmatch(kind) and _SUBDOMAIN.fullmatch(name)
    address = f"{namespace}.{_HUMP.sub('-', kind).lower()}.{name}"
    return address if plain and len(address) <= _LONGEST else _hashed(namespace, kind, name)


def _hashed(*names: str) -> str:
    """What can be read of the names, and 64 bits of the SHA-256 of all that is in them; no plain address has a tilde."""
    whole = "".join(f"{len(name)}:{name}" for name in names)
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{_ODD.sub('-', ' '.join(names).lower()).strip('-')[:40]}~{digest}"
