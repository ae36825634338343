"""Fill the README's generated parts: the tables of steps and lessons, the command's help.

``python tools/readme.py`` writes; ``--check`` exits 1 where the README is out of date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from click.testing import CliRunner

from nitro_workflow.cli import cli
from nitro_workflow.lab import STEPS
from nitro_workflow.lessons import LESSONS

README = Path(__file__).parents[1] / "README.md"


def steps() -> str:
    """Return the one table of steps as Markdown."""
    rows = [f"| {step.number} | {step.party} | {step.title} |" for step in STEPS]
    return "\n".join(["| step | party | what happens |", "| --- | --- | --- |", *rows])


def lessons() -> str:
    """Return the table of the lessons whose notebook is there, as Markdown."""
    rows = [
        f"| [{number} {plan.title}](notebooks/{plan.file}.ipynb) | {plan.goal} |"
        for number, plan in LESSONS.items()
        if (README.parent / "notebooks" / f"{plan.file}.ipynb").exists()
    ]
    return "\n".join(["| notebook | afterwards you can |", "| --- | --- |", *rows])


def help_text() -> str:
    """Return the command's help as a code block."""
    result = CliRunner().invoke(cli, ["--help"], prog_name="nitro-workflow")
    return f"```\n{result.output.rstrip()}\n```"


def filled(text: str) -> str:
    """Return the README with its parts made anew."""
    for name, part in (("steps", steps()), ("lessons", lessons()), ("help", help_text())):
        block = f"<!-- {name} -->\n{part}\n<!-- /{name} -->"
        pattern = rf"<!-- {name} -->(.*?<!-- /{name} -->)?"
        text = re.sub(pattern, lambda _, block=block: block, text, count=1, flags=re.DOTALL)
    return text


def main() -> None:
    """Write, or check."""
    text = README.read_text()
    if "--check" not in sys.argv:
        README.write_text(filled(text))
    elif filled(text) != text:
        sys.exit("README.md is out of date: python tools/readme.py")


if __name__ == "__main__":
    main()
