"""The page about the sandbox: each row names a test, and the test is there."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "sandbox.md"


def rows():
    table = PAGE.read_text("utf-8").split("## Where")[0]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [line for line in lines if not line[0].startswith(("---", "what"))]


def test_every_row_has_four_cells_and_a_test():
    assert len(rows()) > 15
    for row in rows():
        assert len(row) == 4, row
        assert re.fullmatch(r"`test_\w+\.py(::test_\w+)?`", row[3]), row


@pytest.mark.parametrize("name", sorted({row[3].strip("`") for row in rows()}))
def test_the_test_is_there(name):
    file, _, function = name.partition("::")
    text = (HERE / file).read_text("utf-8")
    assert not function or f"def {function}(" in text
