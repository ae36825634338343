"""A folder that appears whole or not at all, where none was or an empty one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import UsageError
from nitro_workflow.remove_tree import remove_tree

__all__ = ["write_folder"]

_PROGRAMS: Final = (".sh",)


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Write all files below ``target``, or nothing.

    Raises `UsageError` where something is there that is not an empty folder: it is left as it is.
    """
    target = target.absolute()
    if not _may_be_taken(target):
        raise UsageError(
            f"{target.name} is there already",
            expected="a new folder, or an empty one that nobody stands in: nothing is overwritten",
            where="DIR",
            next="name another folder, and compare the two: diff -r OLD NEW",
        )
    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        for name, content in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = 0o777 if path.suffix in _PROGRAMS else 0o666
            write_atomic(path, content, mode=mode)
        draft.replace(target)  # takes an empty folder's place, and fails for any other
    except BaseException:
        remove_tree(draft)
        raise


def _may_be_taken(target: Path) -> bool:
    if target.is_symlink() or target == Path.cwd():
        return False
    return not target.exists() or (target.is_dir() and not any(target.iterdir()))
