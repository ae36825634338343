"""The room's surface: what it names is there, sorted, and its example runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

from nitro_workflow import image


def test_names():
    assert image.__all__ == sorted(image.__all__)
    assert set(image.__all__) == set(image._HOMES)
    for name in image.__all__:
        assert getattr(image, name).__name__ == name
        assert getattr(image, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = image.nothing


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(image.__path__)])
def test_examples(name):
    module = importlib.import_module(f"nitro_workflow.image.{name}")
    assert doctest.testmod(module).failed == 0
    assert module.__doc__


def test_the_rooms_example():
    assert doctest.testmod(image).attempted == 2


def test_importing_the_room_imports_nothing_heavy():
    code = (
        "import sys; import nitro_workflow.image;"
        "sys.exit(sum(m.startswith('nitro_workflow.image.') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
