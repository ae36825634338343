"""A large image is seen before it is measured, and no verdict before it is known."""

from __future__ import annotations

import base64
import json

import nbformat
import pytest
from nbclient import NotebookClient

from nitro_workflow.image import check_image
from nitro_workflow.image.ramdisk import file_node
from nitro_workflow.widgets import View, inspect
from nitro_workflow.widgets.drop_zone import DropZone
from nitro_workflow.widgets.inspectors.image_open import MEASURED_AT_ONCE
from nitro_workflow.widgets.opened import Ask
from tests.widgets.inspectors.image_cases import archive, write_eif


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "large.eif"
    nodes = file_node(b"cmd", b"/app\n"), file_node(b"blob", b"\0" * MEASURED_AT_ONCE)
    return write_eif(path, app=archive(*nodes))


@pytest.fixture
def damaged(large, tmp_path):
    data = bytearray(large.read_bytes())
    data[-100] ^= 1
    path = tmp_path / "damaged.eif"
    path.write_bytes(data)
    return path


def pcr0(path):
    return check_image(path).measurements.hex()["PCR0"]


def shown(path):
    """Return what a kernel sends for the image, in order, and the outputs that stay."""
    cell = f"from nitro_workflow.widgets import inspect\ninspect({str(path)!r})"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    sent = []

    class Listening(NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if "data" in msg["content"] and not msg["msg_type"].startswith("comm"):
                sent.append((msg["msg_type"], msg["content"]["data"]))
            return super().process_message(msg, cell, cell_index)

    Listening(notebook, timeout=120, kernel_name="python3").execute()
    return sent, notebook.cells[0].outputs


def test_a_notebook_shows_the_layout_and_then_the_whole_in_its_place(large):
    sent, outputs = shown(large)
    assert [kind for kind, _ in sent] == ["display_data", "update_display_data"]
    (_, first), (_, whole) = sent
    for form in ("text/plain", "text/html"):
        assert "measuring …" in first[form]
        assert "application ramdisk" in first[form]
        for word in ("Whole:", "✓", "✗"):
            assert word not in first[form]
        assert "Whole: CRC and section table hold" in whole[form]
        assert "measuring …" not in whole[form]
    assert "data-nw-view" not in first["text/html"]
    assert "data-nw-view" in whole["text/html"]
    (output,) = outputs
    assert output.data["text/plain"] == whole["text/plain"]
    assert output.data["text/html"] == whole["text/html"]


def test_a_damaged_image_is_told_as_damaged_and_never_as_whole(damaged):
    sent, (output,) = shown(damaged)
    assert "measuring …" in sent[0][1]["text/plain"]
    assert not any("Whole" in data["text/plain"] for _, data in sent)
    assert "Damaged" in output.data["text/plain"]


def test_every_other_reader_gets_the_whole(large):
    measured = pcr0(large)
    for read in (lambda v: v.text.replace(" ", ""), lambda v: json.dumps(v._repr_mimebundle_()[0]),
                 lambda v: repr(v.model)):  # fmt: skip
        view = inspect(large)
        assert view.soon.model.pcrs == ()
        assert measured[:8] in read(view)
        assert view.soon is None
    (dropped,) = DropZone(Ask()).answers["inspect"](
        {"name": "a.eif", "data": base64.b64encode(large.read_bytes()).decode()}
    )
    assert dropped["model"]["head"]["tone"] == "good"


def test_a_small_image_is_one_output_as_before(tmp_path):
    sent, outputs = shown(write_eif(tmp_path / "small.eif"))
    assert [kind for kind, _ in sent] == ["execute_result"]
    assert outputs[0].output_type == "execute_result"


def test_the_whole_is_computed_once_and_not_after_another_model_was_shown(large):
    view, calls = inspect(large), []
    first = view.soon.model
    counted = View(first, whole=lambda: calls.append(1) or view.model)
    assert counted.model is counted.model
    assert calls == [1]
    other = View(first, whole=lambda: pytest.fail("computed for nobody"))
    other.show(view.model)
    assert other.model.head.tone == "good"
