"""The room's surface: what it names is there, sorted, and its example runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
import types

import pytest

from nitro_workflow import image
from tests.project.test_structure import imports_of, module_files

ROOMS = ["", ".build", ".container", ".format", ".inspect", ".ramdisk"]


@pytest.mark.parametrize("room", ROOMS)
def test_names(room):
    face = importlib.import_module(f"nitro_workflow.image{room}")
    assert set(face.__all__) == set(face._HOMES)
    for name in face.__all__:
        found = getattr(face, name)
        assert found is not None
        assert not isinstance(found, types.ModuleType)
        assert found.__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = face.nothing


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_example(room):
    result = doctest.testmod(importlib.import_module(f"nitro_workflow.image{room}"))
    assert result.attempted >= 2
    assert result.failed == 0


@pytest.mark.parametrize(
    "name", [m.name for m in pkgutil.walk_packages(image.__path__, "nitro_workflow.image.")]
)
def test_examples(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
    assert module.__doc__


@pytest.mark.parametrize("room", ROOMS)
def test_a_name_of_a_face_is_no_module_below_it(room):
    """The import system would put the module in the place of the name."""
    face = importlib.import_module(f"nitro_workflow.image{room}")
    below = {module.name for module in pkgutil.iter_modules(face.__path__)}
    assert not below & set(face.__all__)


def test_a_room_inside_is_entered_by_its_face():
    inside = "nitro_workflow.image."
    files = module_files(packages=("nitro_workflow",))
    for name in files:
        if name.startswith(inside):
            for other in imports_of(name, files):
                home, at = other.rpartition(".")[0], name.rpartition(".")[0]
                assert home in (at, name) or not other.startswith(inside) or other.count(".") == 2


def test_importing_the_room_imports_nothing_heavy():
    code = (
        "import sys; import nitro_workflow.image;"
        "sys.exit(sum(m.startswith('nitro_workflow.image.') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_bootstrap_reads_images_with_the_standard_library_alone():
    code = (
        "import sys; from nitro_workflow.image import open_image, ramdisk_entries, unpack_entries;"
        "heavy = {'cryptography', 'cbor2', 'pycose', 'boto3'} & sys.modules.keys();"
        "wide = [m for m in sys.modules if m.startswith('nitro_workflow.image.build.')];"
        "sys.exit(len(heavy) + len(wide))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
