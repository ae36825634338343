"""Where the notebooks are: the repository's, or a working copy of those that the wheel carries."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import LabError

__all__ = ["first_notebook"]

REPOSITORY = Path(__file__).parents[2] / "notebooks"


def first_notebook(named: Path | None, lab: Path) -> Path:
    """Return the first notebook of the folder named, else of this folder, else the repository's.

    Installed from a wheel there is none of these: its cleared notebooks are copied into the lab's
    folder ``lab`` then, and what a learner has changed there stays. Raises `LabError` when the
    folder named holds none.
    """
    for place in [named] if named else [Path("notebooks"), REPOSITORY]:
        if found := sorted(place.glob("00*.ipynb")):
            return found[0].absolute()
    if named is None and (found := sorted(_working_copy(lab / "notebooks").glob("00*.ipynb"))):
        return found[0].absolute()
    raise LabError(
        f"no 00*.ipynb in {named or 'this package'}",
        expected="the notebooks of the course",
        where="notebooks",
        next="name their folder with --notebooks",
    )


def _working_copy(folder: Path) -> Path:
    """Copy the wheel's cleared notebooks into ``folder``, those that are not there yet."""
    carried = resources.files("nitro_workflow") / "notebooks" / "cleared"
    for source in carried.iterdir() if carried.is_dir() else ():
        target = folder / source.name
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(target, source.read_bytes())
    return folder
