"""The house: no circle of imports anywhere, and a file's name means one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("nitro_workflow", "enclave_image")

# name of a file -> why it may stand in several folders
RECURRING = {
    "__init__": "a room's face",
    "__main__": "what `python -m` and a bare interpreter start",
    "attestation": "a command group is named after the room that it asks",
    "cloud": "a command group is named after the room that it asks",
    "document_text": "a document as lines: the room's own, and the inspector's, named by its kind",
    "host": "a command group is named after the room that it asks",
    "image": "a command group is named after the room that it asks",
    "lab": "the class Lab has a module in the room of that name",
    "policy": "a command group is named after the room that it asks",
}


def module_files(root: Path = ROOT, packages: tuple[str, ...] = PACKAGES) -> dict[str, Path]:
    found = {}
    for package in packages:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def parsed(path: Path, _when: int) -> ast.Module:
    return ast.parse(path.read_bytes())


def imports_of(name: str, files: dict[str, Path]) -> set[str]:
    """Every import as written: lazy ones and those for type checkers too.

    The parent packages that Python imports on the way, and what `lazy_names` may import later,
    are not counted.
    """
    path, found = files[name], set()
    for node in ast.walk(parsed(path, path.stat().st_mtime_ns)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
                here = here[: len(here) - node.level + 1]
                base = ".".join([*here, *([base] if base else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in files else base)
    return (found & files.keys()) - {name}


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one module (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in arrows[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            members = []
            while not members or members[-1] != node:
                members.append(stack.pop())
            on_stack.difference_update(members)
            if len(members) > 1:
                found.append(sorted(members))

    for node in sorted(arrows):
        if node not in index:
            visit(node)
    return found


def test_no_circle_of_files():
    files = module_files()
    # The root's table of public names is lazy and leads everywhere; nobody below imports through it.
    arrows = {name: imports_of(name, files) for name in files}
    arrows["nitro_workflow"] = set()
    assert circles(arrows) == []


def test_a_file_name_means_one_thing():
    places = defaultdict(set)
    for path in module_files().values():
        places[path.stem].add(path.parent)
    repeated = {name for name, folders in places.items() if len(folders) > 1}
    assert repeated - RECURRING.keys() == set()


@pytest.mark.parametrize(
    "line",
    ["import pair.b", "from pair import b", "from .b import x", "def f():\n    from . import b"],
)
def test_a_circle_is_found_however_it_is_written(tmp_path, line):
    (tmp_path / "pair").mkdir()
    (tmp_path / "pair" / "__init__.py").write_text("")
    (tmp_path / "pair" / "a.py").write_text(line)
    (tmp_path / "pair" / "b.py").write_text("from pair.a import y")
    files = module_files(tmp_path, ("pair",))
    arrows = {name: imports_of(name, files) for name in files}
    assert circles(arrows) == [["pair.a", "pair.b"]]
