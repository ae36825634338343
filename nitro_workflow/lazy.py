"""Faces whose names are imported when they are first used: start-up time counts."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(face: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a face; ``homes`` is public name → module below the face.

    >>> find = lazy_names("nitro_workflow", {"UsageError": "errors"})
    >>> find("UsageError").exit_code
    2

    The function raises `MissingExtra` where a name's module needs what is not installed.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        try:
            value = getattr(importlib.import_module(f"{face}.{homes[name]}"), name)
        except ModuleNotFoundError as error:
            from nitro_workflow.extras import missing_extra

            raise missing_extra(error) or error from error
        # Kept in the face, which is asked only for what it lacks: an import in a function that
        # answers requests would come here each time.
        vars(sys.modules[face])[name] = value
        return value

    return find
