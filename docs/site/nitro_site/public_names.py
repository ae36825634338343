"""The package's public names: which room shows each, and where each is written."""

from __future__ import annotations

import ast
import importlib
import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

ROOMS = (
    "nitro_workflow",
    "nitro_workflow.attestation",
    "nitro_workflow.image",
    "nitro_workflow.policy",
    "nitro_workflow.policy.author",
    "nitro_workflow.cms",
    "nitro_workflow.nsm",
    "nitro_workflow.nsm.messages",
    "nitro_workflow.encoding",
    "nitro_workflow.encoding.cbor",
    "nitro_workflow.encoding.cose",
    "nitro_workflow.enclave",
    "nitro_workflow.vsock",
    "nitro_workflow.host",
    "nitro_workflow.cloud",
    "nitro_workflow.lab",
    "nitro_workflow.lessons",
    "nitro_workflow.widgets",
    "nitro_workflow.testing",
    "nitro_workflow.errors",
    "enclave_image",
    "enclave_image.inside",
    "enclave_image.owner",
    "enclave_image.parent",
    "enclave_image.packing",
    "enclave_image.applications",
)
"""The faces, and the modules that a face names: each is shown on a page of its own."""

Kind = Literal["function", "class", "constant", "module"]


@dataclass(frozen=True, slots=True)
class PublicName:
    """``home`` is the module in which it is written."""

    room: str
    name: str
    kind: Kind
    home: str
    value: Any

    @property
    def path(self) -> str:
        """Return its full name, by the room that shows it."""
        return f"{self.room}.{self.name}"


@cache
def names_of(room: str) -> tuple[PublicName, ...]:
    """Return what a room's face promises; lazy names are then in the module, for autodoc."""
    face = importlib.import_module(room)
    found = []
    for name in face.__all__:
        value = getattr(face, name)
        setattr(face, name, value)
        found.append(PublicName(room, name, _kind(value), _home(room, name, value), value))
    return tuple(found)


@cache
def shown() -> dict[tuple[str, str], PublicName]:
    """Return public names by home and name there: each once, the package's own face aside."""
    rooms = [room for room in ROOMS if room != "nitro_workflow"]
    return {
        (found.home, getattr(found.value, "__qualname__", found.name)): found
        for room in reversed(rooms)
        for found in names_of(room)
    }


def _kind(value: Any) -> Kind:
    if inspect.ismodule(value):
        return "module"
    if inspect.isclass(value):
        return "class"
    return "function" if inspect.isroutine(value) else "constant"


def _home(room: str, name: str, value: Any) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    if _kind(value) != "constant" and getattr(value, "__qualname__", "") == name:
        return str(value.__module__)
    return _imported_from(room, name)


def _imported_from(module: str, name: str) -> str:
    """Follow ``from … import name`` from face to face, to the module that assigns it."""
    source = Path(str(importlib.import_module(module).__file__)).read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _imported_from(node.module, alias.name)
    return module
