"""Lay `COSTLAB_…` variables over the file: `COSTLAB_PRICES__GPU_HOUR=3` is `prices.gpu_hour: 3`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from costlab.config.faults import Fault, Place, meant
from costlab.config.section import Section, joined
from costlab.config.settings import Configuration
from costlab.config.shape import keys_at, type_at

PREFIX = "COSTLAB_"

# Variables with a meaning of their own: the file, errors in full; then those of the tests and of the benchmarks, which
# may be set while costlab runs.
NOT_SETTINGS = {
    "COSTLAB_CONFIG",
    "COSTLAB_DEBUG",
    "COSTLAB_PROMETHEUS_DIR",
    "COSTLAB_VICTORIA_METRICS_DIR",
    "COSTLAB_PUSHGATEWAY_DIR",
    "COSTLAB_SEAWEEDFS_DIR",
    "COSTLAB_AIRFLOW_DIR",
    "COSTLAB_AXE",
    "COSTLAB_GOLDEN",
    "COSTLAB_KILLS",
    "COSTLAB_SHARED_DATA",
    "COSTLAB_BENCH_DIR",
}

# `COSTLAB_PROMETHEUS__…` speaks of the only cluster's.
_ONLY_CLUSTER: Place = ("clusters", 0)


def overlay(
    content: dict[str, Any], environ: Mapping[str, str], folder: Path, faults: list[Fault]
) -> dict[Place, str]:
    """Put the variables' values into `content`; the name of the variable behind each place that was set.

    A list or a mapping is written as YAML: `COSTLAB_OWNER__LABELS='[team, squad]'`. Relative paths are relative to
    `folder`. Variables that are no setting, and those that cannot be applied, are added to `faults`.
    """
    names = {variable_name(place): place for place in _places(Configuration)}
    applied: dict[Place, str] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
            continue
        place = names.get(variable)
        if place is None:
            faults.append(Fault(variable, "", f"is no setting{meant(variable, {*names, *NOT_SETTINGS})}"))
        elif place[:2] == _ONLY_CLUSTER and not _has_one_cluster(content):
            faults.append(Fault(variable, "", "needs a configuration with exactly one cluster"))
        else:
            try:
                _put(content, place, _value(place, environ[variable], folder))
                applied[place] = variable
            except yaml.YAMLError:  # its words may hold the value, which may be a secret
                faults.append(Fault(variable, "", "is not YAML such as [a, b] or {key: value}"))
    return applied


def variable_name(place: Place) -> str:
    """The variable that sets a place."""
    keys = place[2:] if place[:2] == _ONLY_CLUSTER else place
    return PREFIX + "__".join(str(key).upper() for key in keys)


def _places(shape: type[Section], base: Place = ()) -> Iterator[Place]:
    """Every key that a variable can set: those of sections, not those within lists and mappings."""
    for key in keys_at(shape, base):
        place = (*base, key)
        yield from _places(shape, place) if keys_at(shape, place) else (place,)
    if not base:
        yield from _places(shape, (*_ONLY_CLUSTER, "prometheus"))


def _has_one_cluster(content: Mapping[str, Any]) -> bool:
    clusters = content.get("clusters")
    return isinstance(clusters, list) and len(clusters) == 1 and isinstance(clusters[0], dict)


def _value(place: Place, text: str, folder: Path) -> Any:
    kind = type_at(Configuration, place)
    if kind is Path:
        return joined(folder, text) if place == ("lake",) else str(folder / text)
    if isinstance(kind, type) and issubclass(kind, (str, SecretStr)):
        return text
    return yaml.safe_load(text)


def _put(content: Any, place: Place, value: Any) -> None:
    for part in place[:-1]:
        if isinstance(content, dict) and not isinstance(content.get(part), (dict, list)):
            content[part] = {}
        content = content[part]
    content[place[-1]] = value
