"""Advice as files: strategic patches, a Kustomize overlay, VerticalPodAutoscalers, or Helm values."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

from costlab.domain.errors import ConfigError
from costlab.domain.identity import stable_key
from costlab.domain.units import Resource
from costlab.render.manifests.workload import API_VERSIONS, Container, Steps, Workload
from costlab.render.manifests.yaml_text import document

Files = dict[str, str]

VALUES_PATH = "{workload}.{container}.resources"
# Custom resources that the VerticalPodAutoscaler knows by their scale subresource.
_SCALABLE = API_VERSIONS | {"Rollout": "argoproj.io/v1alpha1"}
_NO_STRATEGY = (
    "a strategic merge is for Kubernetes' own kinds: of {kind} it would replace the whole list of containers"
)
_PATH_FIELDS = ("namespace", "kind", "workload", "container")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,200}")


def kubectl(workloads: Sequence[Workload], steps: Steps, folder: str = ".", file: str = "") -> Files:
    """A strategic merge patch a workload, below the line that would apply it; a file a workload, or `file` if it is the only one."""
    files = {}
    for each in workloads:
        name = file_name(each)
        path = file if file and len(workloads) == 1 else name
        resource = shlex.quote(f"{each.kind.lower()}/{each.name}")
        line = (
            f"kubectl patch {resource} --namespace={shlex.quote(each.namespace)} --type strategic "
            f"--patch-file {shlex.quote(f'{folder}/{path}')}"
        )
        refused = _unpatchable(each)
        comments = _told(each, refused)
        patch = None if refused else strategic_patch(each, steps)
        files[name] = document(patch, comments if refused else [*comments, line])
    return files


def kubectl_line(workload: Workload, steps: Steps) -> tuple[str, str]:
    """The line that merges the patch, which stands in it, into the workload; or an empty one, and why there is none.

    None either for what is no name of Kubernetes, without a reason: nobody should paste that into a shell.
    """
    if refused := _unpatchable(workload):
        return "", refused
    names = (workload.namespace, workload.name, *(each.name for each in workload.containers))
    if not all(_PLAIN.fullmatch(name) for name in names):
        return "", ""
    patch = {"spec": strategic_patch(workload, steps)["spec"]}
    return (
        f"kubectl patch {workload.kind.lower()}/{workload.name} --namespace={workload.namespace} --type strategic "
        f"--patch '{_spaced(patch)}'"
    ), ""


def _spaced(value: Any) -> str:
    """JSON with a space on both sides of each bracket: chats take `{x` and `:x` for something of theirs."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)}: {_spaced(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list):
        return f"[ {', '.join(map(_spaced, value))} ]"
    return json.dumps(value)


def kustomize(workloads: Sequence[Workload], steps: Steps, base: str) -> Files:
    """`kustomization.yaml` over a base, and a patch a workload; a cluster's workloads only."""
    files, patches, refusals = {}, [], []
    for each in workloads:
        if refused := _unpatchable(each):
            refusals += _told(each, refused)
            continue
        name = f"patches/{file_name(each)}"
        files[name] = document(strategic_patch(each, steps), each.comments())
        group, _, version = API_VERSIONS[each.kind].rpartition("/")
        target = {
            "group": group, "version": version, "kind": each.kind,
            "name": _literally(each.name), "namespace": _literally(each.namespace),
        }  # fmt: skip
        patches.append({"path": name, "target": target})
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [base],
        "patches": patches,
    }
    return {"kustomization.yaml": document(overlay, refusals), **files}


def vertical_autoscalers(workloads: Sequence[Workload], steps: Steps, mode: str = "Off") -> Files:
    """A VerticalPodAutoscaler a workload that stays at or above what is advised; by default it only recommends."""
    files = {}
    for each in workloads:
        refused = each.refused or (
            "" if each.kind in _SCALABLE else f"the VPA does not know how to scale {each.kind}"
        )
        content = None if refused else _autoscaler(each, steps, mode)
        files[file_name(each)] = document(content, _told(each, refused))
    return files


def helm_values(workloads: Sequence[Workload], steps: Steps, path: str = VALUES_PATH) -> Files:
    """Values for a chart: each container's `resources` at the path that the chart reads them from.

    A name is one key, also when it holds a dot. Raises ConfigError for a path with an unknown field, and when two
    containers come to the same one.
    """
    keys = _keys(path)
    values: dict[str, Any] = {}
    comments: list[str] = []
    for each in workloads:
        comments += _told(each, each.refused)
        for container in () if each.refused else each.containers:
            names = {
                "namespace": each.namespace, "kind": each.kind, "workload": each.name, "container": container.name,
            }  # fmt: skip
            _put(values, [key.format_map(names) for key in keys], container.resources(steps), path)
    return {"values.yaml": document(values, comments)}


def file_name(workload: Workload) -> str:
    """namespace.kind.workload.yaml: neither a namespace nor a kind holds a dot, so no two workloads share one.

    A name that Kubernetes would not take, and that might lead out of the folder, is replaced by its key.
    """
    parts = (workload.namespace, workload.kind.lower(), workload.name)
    if all(_PLAIN.fullmatch(part) for part in parts) and "." not in workload.namespace + workload.kind:
        return f"{'.'.join(parts)}.yaml"
    return f"{stable_key(*parts):016x}.yaml"


def strategic_patch(workload: Workload, steps: Steps) -> dict[str, Any]:
    """What is merged into the workload: by the containers' names, so the others stay as they are."""
    containers = [{"name": each.name, "resources": each.resources(steps)} for each in workload.containers]
    spec: dict[str, Any] = {"template": {"spec": {"containers": containers}}}
    if workload.kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    return {
        "apiVersion": API_VERSIONS[workload.kind],
        "kind": workload.kind,
        "metadata": {"name": workload.name, "namespace": workload.namespace},
        "spec": spec,
    }


def _unpatchable(workload: Workload) -> str:
    if workload.refused or workload.kind in API_VERSIONS:
        return workload.refused
    return _NO_STRATEGY.format(kind=workload.kind)


def _told(workload: Workload, refused: str) -> list[str]:
    return [*workload.comments(), f"no manifest: {refused}"] if refused else workload.comments()


def _literally(name: str) -> str:
    """A name as Kustomize matches it: the names of a target are regular expressions."""
    return re.escape(name).replace(r"\-", "-")


def _autoscaler(workload: Workload, steps: Steps, mode: str) -> dict[str, Any]:
    policies = [_container_policy(container, steps) for container in workload.containers]
    return {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": workload.name, "namespace": workload.namespace},
        "spec": {
            "targetRef": {
                "apiVersion": _SCALABLE[workload.kind],
                "kind": workload.kind,
                "name": workload.name,
            },
            "updatePolicy": {"updateMode": mode},
            # Containers without advice stay as they are.
            "resourcePolicy": {"containerPolicies": [*policies, {"containerName": "*", "mode": "Off"}]},
        },
    }


def _container_policy(container: Container, steps: Steps) -> dict[str, Any]:
    """Never below the proposal; never above today's request or the limit, whichever is larger."""
    least, most = {}, {}
    for resource, row in container.rows.items():
        least[resource] = steps.written(row["proposed_request"], resource)
        top = max(row["current_request"] or 0, row["proposed_limit"] or 0)
        if top > row["proposed_request"]:
            most[resource] = steps.written(top, resource)
    # A request that equals its limit has to go on doing so; any other limit would be scaled along for nothing.
    guaranteed = all(row["proposed_limit"] == row["proposed_request"] for row in container.rows.values())
    return {
        "containerName": container.name,
        "controlledResources": [
            name for name in (Resource.CPU.value, Resource.MEMORY.value) if name in least
        ],
        "controlledValues": "RequestsAndLimits" if guaranteed else "RequestsOnly",
        "minAllowed": least,
        **({"maxAllowed": most} if most else {}),
    }


def _keys(path: str) -> list[str]:
    """The keys of a path, each a template."""
    keys = path.split(".")
    try:
        fields = {name for key in keys for _, name, _, _ in Formatter().parse(key) if name is not None}
        odd = sorted(fields - set(_PATH_FIELDS))
    except ValueError:
        odd = [path]
    if odd or not all(keys):
        raise ConfigError(
            f"--values-path {path!r} is no path{f': {odd[0]!r} is unknown' if odd else ''}",
            f"keys with dots between them, of text and {', '.join(f'{{{name}}}' for name in _PATH_FIELDS)}",
        )
    return keys


def _put(values: dict[str, Any], keys: Sequence[str], resources: Mapping[str, Any], path: str) -> None:
    place = values
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    if keys[-1] in place or {"requests", "limits"} & place.keys():
        raise ConfigError(
            f"two containers come to the same place of the values: {'.'.join(keys)}",
            f"tell them apart with --values-path, such as {{namespace}}.{path.removeprefix('{namespace}.')}",
        )
    place[keys[-1]] = resources
