"""Which extra of the package brings what is missing here, said in one line.

>>> error = missing_extra(ModuleNotFoundError("No module named 'boto3'", name="boto3"))
>>> str(error)
"boto3 is not installed; expected the extra [cloud]: pip install 'nitro-workflow[cloud]'"
"""

from __future__ import annotations

import importlib.util
from typing import Final

from nitro_workflow.errors import MissingExtra

__all__ = ["EXTRA_OF", "missing_extra", "require"]

EXTRA_OF: Final = {
    "anycrc": "cloud",
    "anywidget": "notebooks",
    "aws_cryptographic_material_providers": "enclave",
    "aws_encryption_sdk": "enclave",
    "boto3": "cloud",
    "botocore": "cloud",
    "httptools": "cloud",
    "IPython": "notebooks",
    "ipywidgets": "notebooks",
    "jupyterlab": "notebooks",
    "nbformat": "notebooks",
    "nbval": "notebooks",
    "pytest": "test",
    "qemu": "qemu",
    "starlette": "cloud",
    "traitlets": "notebooks",
    "uvicorn": "cloud",
}
"""Top-level module → the extra of `pyproject.toml` that brings it."""


def missing_extra(error: ImportError) -> MissingExtra | None:
    """Return the error that names the extra; None where no extra of ours would help."""
    return _missing((error.name or "").partition(".")[0])


def require(module: str) -> None:
    """Raise `MissingExtra` unless a module of an extra can be imported; imports nothing."""
    if importlib.util.find_spec(module) is None:
        raise _missing(module) or ModuleNotFoundError(module, name=module)


def _missing(module: str) -> MissingExtra | None:
    if module not in EXTRA_OF:
        return None
    extra = f"nitro-workflow[{EXTRA_OF[module]}]"
    return MissingExtra(
        f"{module} is not installed",
        expected=f"the extra [{EXTRA_OF[module]}]: pip install '{extra}'",
        next=f"pip install '{extra}'",
    )
