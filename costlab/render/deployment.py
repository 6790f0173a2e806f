"""The files by which costlab is deployed, as they ship, with a namespace, image or schedule of one's own."""

import re
from collections.abc import Callable, Mapping
from functools import partial

from costlab.domain.deployment import DeployFile
from costlab.domain.errors import ConfigError
from costlab.domain.schedule import schedule_faults
from costlab.shipped import folder

PATHS = {
    DeployFile.CRONJOB: "kubernetes/cronjob.yaml",
    DeployFile.RBAC: "kubernetes/rbac.yaml",
    DeployFile.NETWORKPOLICY: "kubernetes/networkpolicy.yaml",
    DeployFile.KUSTOMIZATION: "kubernetes/kustomization.yaml",
    DeployFile.TERRAFORM: "terraform/main.tf",
    DeployFile.DOCKERFILE: "Dockerfile",
    DeployFile.AIRFLOW: "airflow/costlab_nightly.py",
    DeployFile.CRON: "cron/costlab.cron",
    DeployFile.PROMETHEUS: "prometheus/costlab.rules.yaml",
    DeployFile.SCRAPE: "prometheus/scrape.yaml",
    DeployFile.KUBE_STATE_METRICS: "prometheus/kube-state-metrics.values.yaml",
    DeployFile.GRAFANA: "grafana/costlab.json",
}


def _form_faults(form: str, value: str) -> list[str]:
    """What is wrong with a value that has to have a form; its example says the rest."""
    return [] if re.fullmatch(form, value, re.ASCII) else [""]


# What may be chosen: where it stands in the files, how it is written there, what is wrong with a value, and an example.
# In quotes: of names that Kubernetes takes YAML would read `123` as a number and `on` as a truth.
_CHOICES: dict[str, tuple[re.Pattern[str], str, Callable[[str], list[str]], str]] = {
    "namespace": (
        re.compile(r"(?<=\bnamespace: )costlab$", re.MULTILINE),
        '"{}"',
        partial(_form_faults, r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"),
        "costlab",
    ),
    "image": (
        re.compile(r"(?<=\bimage: )\S+$", re.MULTILINE),
        '"{}"',
        partial(_form_faults, r"\w([\w.:@/-]*\w)?"),
        "registry.example.com/costlab:0.1.0",
    ),
    "schedule": (re.compile(r"30 1 \* \* \*"), "{}", schedule_faults, "30 1 * * *"),
}


def deployment(wanted: DeployFile, chosen: Mapping[str, str | None]) -> str:
    """The file's text; what is None in `chosen` stays as it ships.

    Raises ConfigError for what has another form than it has to have, and for what the file does not have.
    """
    text = (folder("deploy") / PATHS[wanted]).read_text(encoding="utf-8")
    for name, value in chosen.items():
        if value is None:
            continue
        place, written, faults_of, example = _CHOICES[name]
        if faults := faults_of(value):
            why = f": {'; '.join(faults)}" if any(faults) else ""
            raise ConfigError(f"--{name} {value!r} is no {name}{why}", f"write it as in --{name} '{example}'")
        text, count = place.subn(written.format(value), text)
        if not count:
            raise ConfigError(f"{wanted} has no {name}", f"leave out --{name}")
    return text
