"""An image: the map to scale, sections, files on demand, two images down to the changed line."""

from __future__ import annotations

import gzip
import io
import json
import random

import pytest

from nitro_workflow.errors import ImageError, UsageError
from nitro_workflow.image import measure_file, open_image
from nitro_workflow.widgets import View
from nitro_workflow.widgets.drawing import to_json
from nitro_workflow.widgets.inspectors.image_answers import image_answers, make_comparison
from nitro_workflow.widgets.inspectors.image_model import make_image
from nitro_workflow.widgets.inspectors.section_map import Span, file_chart
from nitro_workflow.widgets.live_answers import told
from tests.widgets.inspectors.image_cases import HOSTILE, SETTINGS, write_eif


def key(path):
    return path.encode().hex()


OPENED = [key("rootfs"), key("rootfs/usr"), key("rootfs/usr/lib")]
ALL_ROWS = {"ramdisk": 1, "open": [], "search": "", "start": 0, "count": 400}


@pytest.fixture
def eif(tmp_path):
    return write_eif(tmp_path / "a.eif")


def test_the_sections_cover_the_file_and_say_what_they_feed(eif):
    model = make_image(eif)
    names = [one.name for one in model.sections]
    assert names == ["header", "kernel", "command line", "metadata", "boot ramdisk",
                     "application ramdisk"]  # fmt: skip
    assert model.sections[-1].offset + model.sections[-1].size == eif.stat().st_size
    assert {one.name: one.pcrs for one in model.sections}["metadata"] == ()
    assert {one.name: one.pcrs for one in model.sections}["boot ramdisk"] == ("PCR0", "PCR1")
    assert dict(model.pcrs)["PCR0"].hex == measure_file(eif).pcr0.hex()
    assert model.head.verdict == "Whole: CRC and section table hold"


def _boxes(chart, spans):
    found = {}
    for shape in chart.shapes:
        if shape.pick:
            attributes = dict(shape.attributes)
            found[shape.pick] = (float(attributes["x"]), float(attributes["width"]))
    assert set(found) == {span.id for span in spans}
    return found


def test_the_map_is_to_scale_and_says_by_how_much_it_enlarges():
    spans = [
        Span("a", "a", 0, 100, 1),
        Span("b", "b", 100, 300, 2),
        Span("c", "c", 300, 1_000_000, 3),
    ]
    chart, enlarged = file_chart(spans, 1_000_000)
    boxes = _boxes(chart, spans)
    assert boxes["c"][1] == pytest.approx(820 * 0.9997 - 2, abs=1)
    assert (boxes["b"][1] + 2) / (boxes["a"][1] + 2) == pytest.approx(2, rel=0.02)
    assert enlarged == "bytes 0 to 300, enlarged 3,333 times"


def test_what_is_large_enough_is_not_enlarged():
    spans = [Span("a", "a", 0, 500, 1), Span("b", "b", 500, 1_000, 2)]
    chart, enlarged = file_chart(spans, 1_000)
    assert enlarged == ""
    assert all(width == pytest.approx(408, abs=1) for _, width in _boxes(chart, spans).values())


def test_a_flipped_bit_is_no_whole_image(eif):
    data = bytearray(eif.read_bytes())
    data[-1] ^= 1
    model = make_image(io.BytesIO(bytes(data)))
    assert model.head.tone == "bad"
    assert "crc" in model.head.verdict
    assert any(where.startswith("crc") for _, where, *_ in model.findings)


@pytest.mark.parametrize("data", [b"", b".eif", b"PK\3\4" * 400])
def test_what_is_no_image_is_said_to_be_none(data):
    model = make_image(io.BytesIO(data))
    assert (model.head.tone, model.sections) == ("bad", ())
    assert View(model).text
    assert View(model).html


def test_rows_are_given_as_they_are_asked_for(eif):
    ask = image_answers(eif)["rows"]
    top = ask(ALL_ROWS)
    assert [row["name"] for row in top["rows"]] == ["cmd", "env", "rootfs"]
    folder = top["rows"][2]
    assert (folder["files"], folder["size"]) == (5, 10 + len(SETTINGS) + 8 + 20_000)
    opened = ask({**ALL_ROWS, "open": OPENED})
    assert [(row["depth"], row["name"]) for row in opened["rows"][-2:]] == [
        (3, "blob.so"),
        (3, "link"),
    ]
    assert opened["rows"][-1]["target"] == "blob.so"
    assert ask({**ALL_ROWS, "start": 2, "count": 1})["rows"] == [folder]


def test_a_search_goes_through_all_paths(eif):
    found = image_answers(eif)["rows"]({**ALL_ROWS, "search": "SETTINGS"})
    assert [row["path"] for row in found["rows"]] == ["rootfs/app/settings.toml"]


def test_a_large_ramdisk_is_answered_in_pieces(tmp_path):
    ask = image_answers(write_eif(tmp_path / "many.eif", many=3_000))["rows"]
    opened = {**ALL_ROWS, "open": OPENED, "count": 10_000}
    got = ask(opened)
    assert got["total"] > 3_000
    assert len(got["rows"]) == 400
    assert ask({**opened, "start": got["total"] - 1})["rows"][0]["name"] == "link"


def test_a_file_is_opened_as_text_or_as_bytes(eif):
    ask = image_answers(eif)["open"]
    text = ask({"ramdisk": 1, "key": key("rootfs/app/settings.toml")})
    assert (text["text"], text["size"], text["cut"]) == (SETTINGS.decode(), len(SETTINGS), False)
    blob = ask({"ramdisk": 1, "key": key("rootfs/usr/lib/blob.so")})
    assert blob["text"] is None
    assert bytes.fromhex(blob["data"])[:5] == b"\x7fELF\0"


def test_bytes_of_the_file_are_those_of_the_file(eif):
    got = image_answers(eif)["bytes"]({"start": 4, "end": 40})
    assert bytes.fromhex(got["data"]) == eif.read_bytes()[4:40]
    assert len(image_answers(eif)["bytes"]({"start": 0, "end": 2**40})["data"]) <= 2 * 65_536


@pytest.mark.parametrize(
    ("question", "values"),
    [
        ("rows", {}), ("rows", {**ALL_ROWS, "open": "x"}), ("rows", {**ALL_ROWS, "start": -1}),
        ("rows", {**ALL_ROWS, "start": True}), ("open", {"ramdisk": 1, "key": key("../etc/passwd")}),
        ("open", {"ramdisk": 1, "key": key("rootfs")}), ("open", {"ramdisk": 1, "key": "zz"}),
        ("bytes", {"start": "0", "end": 1}), ("compare", {"path": 3}),
    ],
)  # fmt: skip
def test_questions_that_make_no_sense_are_refused(eif, question, values):
    with pytest.raises((UsageError, ImageError)):
        image_answers(eif)[question](values)


def test_two_images_are_compared_down_to_the_changed_line(eif, tmp_path):
    other = write_eif(tmp_path / "b.eif", settings=b"threshold = 1\nname = 'a'\n")
    model = make_comparison(eif, other, names=("a.eif", "b.eif"))
    assert model.head.verdict == "PCR0 and PCR2 differ"
    assert model.head.why == "Changed rootfs/app/settings.toml."
    (file,) = model.compared.files
    assert [line for line in file.lines if line[0] in "+-"] == ["-threshold = 5", "+threshold = 1"]
    assert any("refuses B" in text for text in model.compared.meaning)
    view = View(model)
    for form in (view.text, view.html):
        assert "-threshold = 5" in form
        assert "+threshold = 1" in form
        assert "refuses B" in form
        assert model.head.next in form.replace("&#x27;", "'")


def test_the_same_image_is_the_same(eif):
    model = make_comparison(eif, eif)
    assert (model.head.tone, model.head.verdict) == ("good", "The same image, byte for byte")
    assert model.compared.files == ()


def test_long_texts_are_said_to_differ_without_comparing_their_lines(eif, tmp_path):
    a = write_eif(tmp_path / "a2.eif", settings=b"a\n" * 60_000)
    b = write_eif(tmp_path / "b2.eif", settings=b"b\n" * 60_000)
    (file,) = make_comparison(a, b).compared.files
    assert file.lines == ()
    assert "content" in file.what


def test_a_compressed_ramdisk_is_listed_too(tmp_path):
    from tests.widgets.inspectors.image_cases import application

    path = write_eif(tmp_path / "z.eif", app=gzip.compress(application(), mtime=0))
    assert make_image(path).ramdisks[1].files == 7


def test_a_damaged_ramdisk_says_so(tmp_path):
    model = make_image(write_eif(tmp_path / "d.eif", app=b"070701" + b"f" * 90))
    assert model.ramdisks[1].problem
    assert model.ramdisks[1].problem in View(model).text


def test_hostile_names_stay_text(eif):
    view = View(make_image(eif), answers=image_answers(eif))
    assert "<img" not in view.html
    assert "\u202e" not in view.html + view.text
    rows = view.answers["rows"]({**ALL_ROWS, "search": ".py"})["rows"]
    assert rows[0]["key"] == (b"rootfs/app/" + HOSTILE).hex()
    message = {"id": 1, "question": "rows", "values": {**ALL_ROWS, "search": ".py"}}
    assert "\\u202e" in told(view.answers, message)["answer"]["rows"][0]["path"]
    opened = told(view.answers, {"id": 2, "question": "open",
                                 "values": {"ramdisk": 1, "key": rows[0]["key"]}})  # fmt: skip
    assert opened["answer"]["text"] == "print()\n"


def test_mutations_never_raise(eif):
    whole, chance = eif.read_bytes(), random.Random(20261129)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 2, 3])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        view = View(make_image(io.BytesIO(bytes(data))))
        assert view.text
        assert view.html
        assert json.dumps(to_json(view.model))


def test_an_opened_image_is_closed_again(eif):
    with open_image(eif) as image:
        assert len(image.ramdisks) == 2
    make_image(eif)
    eif.unlink()
    with pytest.raises(ImageError):
        image_answers(eif)["rows"](ALL_ROWS)
