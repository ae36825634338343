"""Where the notebooks are: the package's own, and a learner's working copies of them, cleared.

Committed notebooks hold outputs, for reading. A learner works in copies without them, in a folder
of their own: what they write there is never overwritten, and the committed ones stay as they are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import LabError, UsageError

__all__ = ["Copied", "cleared", "copy_again", "copy_notebooks", "first_notebook"]

REPOSITORY = Path(__file__).parents[2] / "notebooks"


@dataclass(frozen=True, slots=True)
class Copied:
    """What copying did: names that were ``made``, and those that were there and were ``kept``."""

    folder: Path
    made: tuple[str, ...]
    kept: tuple[str, ...]


def first_notebook(named: Path | None, lab: Path) -> Path:
    """Return the first notebook of the folder named, else of the learner's own: `<lab>/notebooks`.

    What is missing in the learner's own folder is copied there, cleared. Raises `LabError` when
    the folder named holds none, and where nothing can be written.
    """
    folder = named or lab / "notebooks"
    if named is None:
        copy_notebooks(folder)
    if found := sorted(folder.glob("00*.ipynb")):
        return found[0].absolute()
    raise LabError(
        f"no 00*.ipynb in {folder}",
        expected="the notebooks of the course",
        where="notebooks",
        next="name their folder with --notebooks, or copy them: nitro-workflow notebooks copy",
    )


def copy_notebooks(folder: Path) -> Copied:
    """Copy the notebooks, cleared, and their glossary; what is there stays as it is.

    Raises `LabError` where a file cannot be written.
    """
    made, kept = [], []
    for name, source in _carried().items():
        if (folder / name).exists():
            kept.append(name)
        else:
            _copy(source, folder / name)
            made.append(name)
    return Copied(folder, tuple(made), tuple(kept))


def copy_again(folder: Path, number: str) -> tuple[Path, Path | None]:
    """Copy one notebook once more; return it, and where the learner's own is kept, None for none.

    Raises `UsageError` for a number that no notebook has.
    """
    carried = _carried()
    names = [name for name in carried if name.startswith(f"{number}_")]
    if not names:
        raise UsageError(
            f"no notebook {number!r}",
            expected=", ".join(name[:2] for name in carried if name[:2].isdigit()),
            where="notebooks",
            next="give its two digits",
        )
    target, aside = folder / names[0], None
    if target.exists():
        stamp = time.strftime("%Y-%m-%d-%H%M%S")
        aside = target.with_name(f"{target.stem}.until-{stamp}.ipynb")
        target.rename(aside)
    _copy(carried[names[0]], target)
    return target, aside


def cleared(text: str) -> str:
    """Return a notebook's JSON without outputs and counts."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _carried() -> Mapping[str, Traversable]:
    """Return name → file of what the package has: the repository's, or the wheel's."""
    package = resources.files("nitro_workflow") / "notebooks"
    place: Traversable = REPOSITORY if REPOSITORY.is_dir() else package
    files = place.iterdir() if place.is_dir() else ()
    found = {file.name: file for file in files if file.name.endswith((".ipynb", ".md"))}
    return dict(sorted(found.items()))


def _copy(source: Traversable, target: Path) -> None:
    text = source.read_text(encoding="utf-8")
    target.parent.mkdir(parents=True, exist_ok=True)
    shown = cleared(text) if target.suffix == ".ipynb" else text
    write_atomic(target, shown.encode(), failure=LabError)
