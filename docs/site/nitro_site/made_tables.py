"""Directives whose tables are made from the package: errors, their codes, checks, limits."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nitro_site.constants import constants_of, is_limit
from nitro_site.error_codes import named_codes
from nitro_site.markdown import code, plain, table
from nitro_site.public_names import ROOMS
from nitro_workflow.attestation import STEPS
from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.host import MEANINGS

STEP_IN = "·\u00a0"  # that stays on the line of its name


class MadeTable(SphinxDirective):
    """A directive that stands for Markdown, which `_made` returns."""

    def _made(self) -> str:
        """Return the Markdown of the table."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse it where the directive stands."""
        inside = nodes.container(classes=["made"])
        self.state.nested_parse(StringList(self._made().splitlines()), self.content_offset, inside)
        return inside.children


class ErrorTree(MadeTable):
    """Every error: its place in the tree, exit status, what it is."""

    def _made(self) -> str:
        rows = []
        for depth, kind in _tree(NitroWorkflowError, 0):
            name = f"{{py:exc}}`~{kind.__module__}.{kind.__name__}`"
            said = (kind.__doc__ or "").split("\n\n")[0]
            rows.append([f"{STEP_IN * depth}{name}", str(kind.exit_code), plain(said)])
        return table(["error", "exit", "what happened"], rows)


def _tree(kind: type[NitroWorkflowError], depth: int) -> Iterator[tuple[int, type]]:
    yield depth, kind
    for below in kind.__subclasses__():
        if below.__module__ == NitroWorkflowError.__module__:
            yield from _tree(below, depth + 1)


class NamedCodes(MadeTable):
    """Codes that are not the name of a class, nor nitro-cli's."""

    def _made(self) -> str:
        rows = [
            [code(found.code), code(found.error), plain(found.found), plain(found.next)]
            for found in named_codes()
        ]
        return table(["code", "error", "found", "next"], rows)


class NitroCliCodes(MadeTable):
    """nitro-cli's codes."""

    def _made(self) -> str:
        rows = [[code(name), plain(meaning)] for name, meaning in MEANINGS.items()]
        return table(["code", "nitro-cli's name of it"], rows)


class DocumentChecks(MadeTable):
    """The numbered checks of a document, with what to do where one fails."""

    def _made(self) -> str:
        rows = [
            [str(number), code(step.id), plain(step.title), plain(step.clause), plain(step.next)]
            for number, step in enumerate(STEPS, 1)
        ]
        return table(["", "check", "what must hold", "clause", "next, where it fails"], rows)


class Limits(MadeTable):
    """The limits among the constants of the modules that are named as arguments."""

    required_arguments = 1
    final_argument_whitespace = True

    def _made(self) -> str:
        rows = [
            [code(found.name), _value(found.value), plain(found.text)]
            for module in self.arguments[0].split()
            for found in constants_of(module)
            if is_limit(found.value)
        ]
        return table(["limit", "value", "unit, and why"], rows)


def _value(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return ", ".join(f"{code(name)} {_value(part)}" for name, part in value._asdict().items())
    if isinstance(value, tuple | frozenset):
        return ", ".join(map(str, sorted(value)))
    return code(str(value))


class Rooms(MadeTable):
    """The rooms, each with the first sentence of its docstring."""

    def _made(self) -> str:
        rows = [
            [f"[{code(room)}](made/api/{room}.rst)", plain(_first_sentence(room))] for room in ROOMS
        ]
        return table(["room", "what it is for"], rows)


def _first_sentence(room: str) -> str:
    return (importlib.import_module(room).__doc__ or "").partition("\n\n")[0]


def setup(app: Sphinx) -> None:
    """Give the directives their names."""
    app.add_directive("error-tree", ErrorTree)
    app.add_directive("named-codes", NamedCodes)
    app.add_directive("nitro-cli-codes", NitroCliCodes)
    app.add_directive("document-checks", DocumentChecks)
    app.add_directive("limits", Limits)
    app.add_directive("rooms", Rooms)
