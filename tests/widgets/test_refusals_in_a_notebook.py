"""An error in a notebook is a box with found, expected, where and next; never a traceback."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbclient import NotebookClient

from nitro_workflow.errors import AccessRefused, CloudUnavailable, LabError, NitroWorkflowError
from nitro_workflow.lessons.lesson import Lesson, open_lesson
from nitro_workflow.lessons.lesson_errors import in_a_lesson

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


def run(*cells: str) -> list[nbformat.NotebookNode]:
    """Execute cells in a fresh kernel and return the outputs of the last."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, allow_errors=True, kernel_name="python3").execute()
    return notebook.cells[-1].outputs


def test_a_kernel_shows_a_box_and_no_traceback():
    (output,) = run(
        "from nitro_workflow.attestation import parse_document\nparse_document(b'no document')"
    )
    assert output.output_type == "error"
    shown = "\n".join(output.traceback)
    assert shown.startswith("┌─ DocumentError")
    for word in ("where", "found", "expected", "next"):
        assert f"{word}  " in shown
    assert "Traceback" not in shown
    assert "nitro_workflow/" not in shown


def test_an_error_as_a_value_is_a_box_too():
    (output,) = run(
        "from nitro_workflow.errors import LabError\nLabError('a', expected='b', where='c', next='d')"
    )
    assert output.data["text/html"].startswith('<section aria-label="Refused"')
    # JupyterLab sets the cells of a table to the right, unless each says otherwise itself.
    cells = re.findall(r"<t[hd][^>]*>", output.data["text/html"])
    assert cells
    assert all("text-align:left" in cell for cell in cells)


def test_every_word_is_in_both_forms_and_nothing_is_obeyed():
    error = AccessRefused(
        HOSTILE, expected="b" * 300, where="c", next="d", explanation=f"why\n  {HOSTILE}"
    )
    text, html = "\n".join(error._render_traceback_()), error._repr_html_()
    for form in (text, html):
        assert "AccessDeniedException" in form
        assert "\x1b" not in form
        assert "\u202e" not in form
        assert "why" in form
    assert "<script>" not in html
    assert text.replace("\n│ ", "").replace(" ", "").count("b" * 300) == 1
    assert max(map(len, text.splitlines())) <= 100


# What hands out a session or the checks, which guard their own calls; and plain values.
UNGUARDED = {"owner", "developer", "administrator", "instance", "check", "lab", "number"}


@pytest.mark.parametrize(
    "call", [name for name in dir(Lesson) if name[0] != "_" and name not in UNGUARDED]
)
def test_every_call_of_a_lesson_is_guarded(call):
    assert hasattr(getattr(Lesson, call), "__wrapped__")
    assert hasattr(open_lesson, "__wrapped__")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "/lab/x"),
        KeyError("pcrs"),
        IndexError("list index out of range"),
        PermissionError(13, "Permission denied"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        TypeError("no map"),
        RecursionError(),
    ],
)
def test_nothing_raw_reaches_a_learner(error):
    @in_a_lesson
    def document():
        raise error

    with pytest.raises(NitroWorkflowError) as caught:
        document()
    assert caught.value.__cause__ is error
    assert caught.value.next


def test_what_the_cloud_says_is_told():
    from botocore.exceptions import EndpointConnectionError

    @in_a_lesson
    def key_policy():
        raise EndpointConnectionError(endpoint_url="https://127.0.0.1:1")

    with pytest.raises(CloudUnavailable):
        key_policy()


def test_the_packages_own_errors_pass():
    own = LabError("x")

    @in_a_lesson
    def step():
        raise own

    with pytest.raises(LabError) as caught:
        step()
    assert caught.value is own
