"""The codes that the package gives its errors by name, with what each says there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nitro_workflow
from nitro_workflow.host import MEANINGS

PACKAGES = [
    Path(nitro_workflow.__path__[0]),
    Path(nitro_workflow.__path__[0]).parent / "enclave_image",
]


@dataclass(frozen=True, slots=True, order=True)
class NamedCode:
    """One ``code=`` of a call: ``…`` stands for what differs from case to case."""

    code: str
    error: str
    found: str
    next: str

    @property
    def says_something(self) -> bool:
        """Say whether there is a word in it that holds for every case."""
        return any(letter.isalpha() for letter in self.found + self.next)


def named_codes() -> list[NamedCode]:
    """Return the codes beside nitro-cli's, which have a table of their own."""
    found = {
        code
        for package in PACKAGES
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
        for code in _codes_of(node)
    }
    return sorted(code for code in found if code.code not in MEANINGS and code.says_something)


def _codes_of(call: ast.Call) -> Iterator[NamedCode]:
    said = {keyword.arg: keyword.value for keyword in call.keywords}
    name = getattr(call.func, "id", "")
    if "code" not in said or not name.endswith(("Error", "Refused", "Answer", "Unavailable")):
        return
    for part in ast.walk(said["code"]):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
            found = _text(call.args[0]) if call.args else ""
            yield NamedCode(part.value, name, found, _text(said.get("next")))


def _text(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return "…" if node is not None else ""
