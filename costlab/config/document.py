"""A YAML file as plain values, and the line of every one of them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

from costlab.config.faults import Fault, Place, dotted
from costlab.domain.errors import ConfigError


@dataclass(slots=True)
class Document:
    """What a file says, the line of each key and item, and what is wrong with the file as YAML."""

    path: Path
    content: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def where(self, place: Place) -> str:
        """`file:line` of a key, or of the nearest one around it that is in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.path}:{self.lines.get(place, 1)}"


def read_document(path: Path) -> Document:
    """The file's mapping; a fault of its YAML is kept in `faults`. Raises ConfigError when it cannot be read."""
    document = Document(path)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}",
            "`costlab init` writes a new one; --config names another",
        ) from error
    except UnicodeDecodeError:
        document.faults.append(Fault(f"{path}:1", "", "is not UTF-8 text"))
    except RecursionError:
        document.faults.append(Fault(f"{path}:1", "", "is nested too deeply"))
    except yaml.composer.ComposerError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        text = "is not one YAML document, or refers to an anchor that is not there"
        document.faults.append(Fault(f"{path}:{line}", "", text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        document.faults.append(Fault(f"{path}:{line}", "", f"is not YAML: {error.problem or error.context}"))
    except yaml.YAMLError:  # a control character: the reader knows no line
        document.faults.append(Fault(f"{path}:1", "", "is not YAML: it holds a control character"))
    else:
        content = {} if root is None else _Reading(document).value(root, ())
        if isinstance(content, dict):
            document.content = content
        else:
            document.faults.append(Fault(f"{path}:1", "", "must be `key: value` lines"))
    return document


def documents_of(text: str, path: Path) -> list[Document]:
    """What a text of several YAML documents says, those that hold nothing left out; `path` is what it is called.

    Raises ConfigError when it is not YAML. A document that is no mapping, or holds what is no plain value, has faults.
    """
    documents = []
    try:
        for root in yaml.compose_all(text, Loader=yaml.SafeLoader):
            if isinstance(root, yaml.ScalarNode) and root.tag == "tag:yaml.org,2002:null":
                continue
            document = Document(path)
            content = _Reading(document).value(root, ())
            if isinstance(content, dict):
                document.content = content
            else:
                document.faults.append(Fault(document.where(()), "", "must be `key: value` lines"))
            documents.append(document)
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply", "write it flatter") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(
            f"{where}: document {len(documents) + 1} is not YAML: {error.problem or error.context}",
            "mend that line; a template has to be rendered first: helm template, kustomize build",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: it holds a control character", "remove it") from error
    return documents


class _Reading:
    """One walk over a file's nodes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.scalars = SafeConstructor()
        self.seen: set[int] = set()

    def value(self, node: yaml.Node, place: Place) -> Any:
        self.document.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        if id(node) in self.seen:  # an alias of an alias of … grows without bounds
            self._fault(node, place, "is an alias: write the value out")
            return None
        self.seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, number)) for number, item in enumerate(node.value)]
        return self._mapping(node, place)

    def _mapping(self, node: yaml.Node, place: Place) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._fault(key, place, "has a key that is not a word")
                continue
            # The key as it is written: a namespace may be called `on`, `123` or `null`.
            inner = (*place, key.value)
            if key.value in content:
                first = self.document.lines[inner]
                self._fault(key, inner, f"is here twice: first in line {first}")
                continue
            self.document.lines[inner] = key.start_mark.line + 1
            content[key.value] = self.value(item, inner)
        return content

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        if "\0" in node.value:  # no path, name or header can hold it, and what opens one would break off
            self._fault(node, place, "holds a NUL character")
            return None
        try:
            return self.scalars.construct_object(node)
        except (ConstructorError, ValueError):  # a tag such as !!python/object; the 45th of a month
            self._fault(node, place, "is not a plain value")
            return None

    def _fault(self, node: yaml.Node, place: Place, text: str) -> None:
        where = f"{self.document.path}:{node.start_mark.line + 1}"
        self.document.faults.append(Fault(where, dotted(place), text))
