"""One dialect of docstrings: sentences, and no sections of arguments, results and errors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECTION = re.compile(
    r"^\s*(Args|Arguments|Attributes|Keyword Args|Parameters|Raises|Returns|Yields):\s*$"
    r"|^\s*(Parameters|Raises|Returns|Yields)\n\s*-{3,}\s*$"
    r"|^\s*:(param|raises?|returns?|rtype|type)\b",
    re.MULTILINE,
)


def docstrings(source: str) -> list[str]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [text for node in nodes if (text := ast.get_docstring(node, clean=False))]


def test_no_docstring_has_sections():
    found = [
        f"{path.relative_to(ROOT)}: {text.strip().splitlines()[0]}"
        for package in ("nitro_workflow", "enclave_image")
        for path in sorted((ROOT / package).rglob("*.py"))
        for text in docstrings(path.read_text())
        if SECTION.search(text)
    ]
    assert found == []


def test_sections_of_three_dialects_are_seen():
    google = '"""Do.\n\nRaises:\n    OSError: no.\n"""'
    numpy = '"""Do.\n\nReturns\n-------\nint\n"""'
    sphinx = '"""Do.\n\n:param x: it\n"""'
    ours = '"""Do; returns bytes. Raises `OSError` where nothing is there."""'
    assert all(SECTION.search(docstrings(one)[0]) for one in (google, numpy, sphinx))
    assert not SECTION.search(docstrings(ours)[0])
