"""The difference of two images: registers, sections, files, and what a policy sees."""

from __future__ import annotations

import datetime as dt
import json

from nitro_workflow.image import (
    BootParts,
    build_image,
    diff_images,
    sign_image,
    signing_key_from_pem,
)
from tests.image.conftest import NOW


def built(root, output, **changes):
    given = {
        "rootfs": root, "command": ["/a"], "environment": {}, "output": output, "name": "n",
        "version": "1", "boot": BootParts.stand_in("x86_64"), "build_time": NOW,
    }  # fmt: skip
    return build_image(**{**given, **changes}).path


def tree(root):
    root.mkdir()
    for name in ("same", "mode", "content", "gone", "kind"):
        (root / name).write_text(name)
    (root / "link").symlink_to("same")
    return root


def test_identical_images(tmp_path):
    path = built(tree(tmp_path / "r"), tmp_path / "a.eif")
    found = diff_images(path, path)
    assert found.identical
    assert found.same_measurements
    assert (found.header, found.sections, found.files, found.metadata) == ((), (), (), ())
    assert found.meaning[0].startswith("PCR0: equal")
    assert "neither image is signed" in found.meaning[3]


def test_files(tmp_path):
    root = tree(tmp_path / "r")
    a = built(root, tmp_path / "a.eif")
    (root / "mode").chmod(0o755)
    (root / "content").write_text("CONTENT")
    (root / "gone").unlink()
    (root / "new").write_text("12345")
    (root / "kind").unlink()
    (root / "kind").mkdir()
    (root / "link").unlink()
    (root / "link").symlink_to("mode")
    found = diff_images(a, built(root, tmp_path / "b.eif"))
    assert not found.identical
    changes = {change.path: change for change in found.files}
    assert sorted(changes) == [
        f"rootfs/{n}" for n in ("content", "gone", "kind", "link", "mode", "new")
    ]
    assert changes["rootfs/gone"].change == "removed"
    assert changes["rootfs/new"].change == "added"
    assert changes["rootfs/new"].what == ("file 0644 5 bytes",)
    assert changes["rootfs/mode"].what == ("mode 0644 → 0755",)
    assert [text.split()[0] for text in changes["rootfs/content"].what] == ["content"]
    assert changes["rootfs/link"].what == ("target same → mode",)
    assert changes["rootfs/kind"].what[0] == "kind file → directory"
    [section] = found.sections
    assert (section.name, section.pcrs) == ("ramdisk 1", ("PCR0", "PCR2"))
    assert [pcr.equal for pcr in found.pcrs] == [False, True, False, True]
    assert "made for A refuses B" in found.meaning[0]
    assert json.loads(json.dumps(found.to_json()))["files"][0]["path"] == "rootfs/content"


def test_what_is_not_measured(tmp_path, pairs):
    root = tree(tmp_path / "r")
    a = built(root, tmp_path / "a.eif")
    b = built(root, tmp_path / "b.eif", build_time=NOW + dt.timedelta(days=1), name="m")
    found = diff_images(a, b)
    assert found.same_measurements
    assert not found.identical
    assert [section.name for section in found.sections] == ["metadata"]
    assert found.metadata[0] == "ImageName: 'n' → 'm'"
    sign_image(b, signing_key_from_pem(*pairs["P-256"]))
    found = diff_images(a, b)
    assert [(s.name, s.change) for s in found.sections] == [
        ("metadata", "changed"), ("signature", "added"),
    ]  # fmt: skip
    assert "only B is signed" in found.meaning[3]
    assert "only A is signed" in diff_images(b, a).meaning[3]


def test_boot_parts_and_architecture(tmp_path):
    root = tree(tmp_path / "r")
    a = built(root, tmp_path / "a.eif")
    b = built(root, tmp_path / "b.eif", boot=BootParts.stand_in("aarch64"))
    found = diff_images(a, b)
    assert found.header == ("architecture x86_64 → aarch64", "flags 0 → 1")
    assert [section.name for section in found.sections] == ["kernel", "cmdline", "ramdisk 0"]
    assert [pcr.equal for pcr in found.pcrs] == [False, False, True, True]
    assert {change.path for change in found.files} == {"init", "nsm.ko"}


def test_ramdisks_that_are_no_archives_and_their_number(small, tmp_path):
    a = small(ramdisks=(b"first", b"second"))
    a = a.rename(tmp_path / "a.eif")
    b = small(ramdisks=(b"first",))
    found = diff_images(a, b)
    assert [(s.name, s.change, s.size_b) for s in found.sections] == [
        ("ramdisk 1", "removed", None)
    ]
    assert "cannot be listed" in found.files[0].what[0]
    assert found.identical is False


def test_the_same_files_in_other_bytes(tmp_path, small):
    from nitro_workflow.image.ramdisk.file_tree import RamdiskLayout, file_node

    nodes = [file_node(b"a", b"1"), file_node(b"b", b"2")]
    one = b"".join(RamdiskLayout(nodes).pieces())
    two = b"".join(RamdiskLayout(nodes[::-1]).pieces())
    a = small(ramdisks=(one,)).rename(tmp_path / "a.eif")
    found = diff_images(a, small(ramdisks=(two,)))
    assert found.files[0].what == ("the same files: order, times or padding",)


def test_progress_is_over_both(tmp_path):
    path = built(tree(tmp_path / "r"), tmp_path / "a.eif")
    seen = []
    diff_images(path, path, lambda done, total: seen.append((done, total)))
    size = path.stat().st_size
    assert seen[-1] == (2 * size, 2 * size)
    assert seen == sorted(seen)
