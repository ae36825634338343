"""Each room is entered by its face: who stands outside imports no module of its inside."""

from __future__ import annotations

import ast
import doctest
import importlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.project.test_structure import imports_of, module_files

FILES = module_files()

# importer -> imported module: why this start may not go through the face.
EXEMPT = {
    "enclave_image.packing.closure_probe -> nitro_workflow.enclave.nsm_device": (
        "gives the application that it rehearses a device of its own, before it starts"
    ),
}


def is_package(module: str, files: dict[str, Path]) -> bool:
    return module in files and files[module].name == "__init__.py"


def room_of(module: str, files: dict[str, Path]) -> str:
    """Return the room: `nitro_workflow.image`, `enclave_image.owner`; else the house itself."""
    room = ".".join(module.split(".")[:2])
    return room if is_package(room, files) else module.split(".", maxsplit=1)[0]


def exported(room: str, files: dict[str, Path]) -> set[str]:
    """Return what a face's ``__all__`` names, without importing it."""
    for node in ast.parse(files[room].read_bytes()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def is_side_entry(importer: str, target: str, files: dict[str, Path]) -> bool:
    room = room_of(target, files)
    if room in (room_of(importer, files), target):
        return False
    if room == "nitro_workflow":
        return False  # its own modules (errors, atomic …) stand in no room: everyone may use them
    if importer.startswith("enclave_image") and target.startswith("enclave_image"):
        return False  # one application: its layers are import-linter's
    return target.removeprefix(f"{room}.").split(".")[0] not in exported(room, files)


def side_entries(files: dict[str, Path]) -> list[tuple[str, str]]:
    """Return ``(importer, module)`` of each import that does not go through a face."""
    return [
        (importer, target)
        for importer in sorted(files)
        for target in sorted(imports_of(importer, files))
        if is_side_entry(importer, target, files)
    ]


def test_rooms_are_entered_by_their_face():
    assert {f"{a} -> {b}" for a, b in side_entries(FILES)} - EXEMPT.keys() == set()


def test_no_exemption_is_kept_without_need():
    assert EXEMPT.keys() <= {f"{a} -> {b}" for a, b in side_entries(FILES)}


@pytest.mark.parametrize(
    "line",
    [
        "from house.room.inner import x",
        "from house.room import inner",
        "import house.room.inner",
        "def f():\n    from ..room.inner import x",
    ],
)
def test_a_side_entry_is_found_however_it_is_written(tmp_path, line):
    for name, text in {
        "__init__": "",
        "room/__init__": "__all__ = ['x']",
        "room/inner": "x = 1",
        "other/__init__": "",
        "other/guest": line,
    }.items():
        path = tmp_path / "house" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    files = module_files(tmp_path, ("house",))
    assert side_entries(files) == [("house.other.guest", "house.room.inner")]
    files["house.room"].write_text("__all__ = ['inner', 'x']")
    assert side_entries(files) == []


FACES = sorted(name for name, path in FILES.items() if path.name == "__init__.py")
FINISHED = [name for name in FACES if exported(name, FILES)]


@pytest.mark.parametrize("name", FINISHED)
def test_a_face_shows_an_example_that_runs_and_every_name_it_promises(name):
    face = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    assert doctest.testmod(face, optionflags=flags).failed == 0
    assert len(set(face.__all__)) == len(face.__all__)
    for promised in face.__all__:
        getattr(face, promised)


@pytest.mark.parametrize("room", [name for name in FINISHED if name.count(".") < 2])
def test_no_module_hides_behind_a_name_of_its_rooms_face(room):
    """Importing ``room.name`` as a module would replace the function or class of that name."""
    face = importlib.import_module(room)
    modules = {name for name in face.__all__ if f"{room}.{name}" in FILES}
    assert {name for name in modules if not isinstance(getattr(face, name), ModuleType)} == set()
