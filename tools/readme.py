"""Fill the tables that are made: the lessons in README.md, the steps in docs/workflow.md.

``python tools/readme.py`` writes; ``--check`` exits 1 where one of them is out of date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from nitro_workflow.lab import STEPS
from nitro_workflow.lessons import LESSONS

ROOT = Path(__file__).parents[1]


def steps() -> str:
    """Return the one table of steps as Markdown."""
    rows = [f"| {step.number} | {step.party} | {step.title} |" for step in STEPS]
    return "\n".join(["| step | party | what happens |", "| --- | --- | --- |", *rows])


def lessons() -> str:
    """Return the table of the lessons whose notebook is there, as Markdown."""
    rows = [
        f"| [{number} {plan.title}](notebooks/{path.name}) | {plan.goal} | {minutes(path)} |"
        for number, plan in LESSONS.items()
        if (path := ROOT / "notebooks" / f"{plan.file}.ipynb").exists()
    ]
    head = ["| notebook | afterwards you can | minutes |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows])


def minutes(notebook: Path) -> int:
    """Return how long a notebook takes, as its first cell says."""
    card = "".join(json.loads(notebook.read_text())["cells"][0]["source"])
    found = re.search(r"\*\*(\d+) minutes\*\*", card)
    if found is None:
        sys.exit(f"{notebook.name}: its first cell does not say **N minutes**")
    return int(found.group(1))


PARTS: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {"lessons": lessons},
    ROOT / "docs" / "workflow.md": {"steps": steps},
}


def filled(text: str, parts: dict[str, Callable[[], str]]) -> str:
    """Return a page with its parts made again."""
    for name, part in parts.items():
        block = f"<!-- {name} -->\n{part()}\n<!-- /{name} -->"
        pattern = rf"<!-- {name} -->(.*?<!-- /{name} -->)?"
        text = re.sub(pattern, lambda _, block=block: block, text, count=1, flags=re.DOTALL)
    return text


def main() -> None:
    """Write, or check."""
    for page, parts in PARTS.items():
        text = page.read_text()
        if "--check" not in sys.argv:
            page.write_text(filled(text, parts))
        elif filled(text, parts) != text:
            sys.exit(f"{page.relative_to(ROOT)} is out of date: python tools/readme.py")


if __name__ == "__main__":
    main()
