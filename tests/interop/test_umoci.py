"""umoci, the OCI's own unpacker, and this package: the same files from the same layers.

umoci follows a link that a whiteout's parent is; this package does not, and tools write a folder's
entry before what is whited out in it, so the corpus does too. What else both take must be equal,
file by file; what one refuses the other refuses, but for names with ``..``, which umoci clamps.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import ImageError
from nitro_workflow.image import open_container_image
from tests.image.conftest import UNHURRIED
from tests.image.test_oci import as_folder, configuration, digest, folder, hard, link, member, tar

pytestmark = pytest.mark.interop

UMOCI = shutil.which("umoci")
MODES = (0o644, 0o755, 0o600, 0o700, 0o555, 0o4755, 0o1777)

# Names above 100 bytes are written in other ways: a prefix, a PAX record, an entry of GNU's.
LONG = ("a/" + "l" * 120, "a/" + "m" * 254, "/".join(["n" * 60] * 3), "b/é", "a/\udcff\udcfe")
FORMS = (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
PACKS = {
    "": lambda data: data,
    "+gzip": lambda data: gzip.compress(data, 1, mtime=0),
    # pigz, bgzip and estargz write several members
    "+gzip, in two": lambda data: gzip.compress(data[:700], 1) + gzip.compress(data[700:], 1),
}

short = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
names = st.one_of(short, short, short, st.sampled_from(LONG))
rooted = st.one_of(names, names.map("/{}".format), names.map("./{}".format))
# umoci writes a target's shortest form, ./a as a: the corpus has shortest forms only
targets = st.one_of(
    names, names.map("/{}".format), st.sampled_from(["..", "../..", "/", ".", "../a", "../../b/c"])
)
modes = st.sampled_from(MODES)


def whited_out(path: str, mark: str) -> list[tuple]:
    """A whiteout as tools write it: after the entries of the folders that it is in."""
    parts = path.split("/")
    above = [folder("/".join(parts[:end])) for end in range(1, len(parts) + 1)]
    return [*above, member(f"{path}/{mark}")]


entries = st.one_of(
    st.builds(lambda n, d, m: [member(n, d, mode=m)], rooted, st.binary(max_size=5), modes),
    st.builds(lambda n, m: [folder(n, mode=m | 0o700)], rooted, modes),
    st.builds(lambda n, t: [link(n, t)], rooted, targets),
    st.builds(lambda n, t: [hard(n, t)], rooted, rooted),
    st.builds(lambda n: [member(n, kind=tarfile.FIFOTYPE)], names),
    st.builds(whited_out, short, st.sampled_from([".wh.a", ".wh.b", ".wh..wh..opq"])),
    st.sampled_from(["a", "b", "c"]).map(lambda name: [member(f".wh.{name}")]),
    st.just([member(".wh..wh..opq")]),
)
layers = st.lists(entries, max_size=8).map(
    lambda groups: [one for group in groups for one in group]
)
packed = st.tuples(layers, st.sampled_from(FORMS), st.sampled_from(sorted(PACKS)))
images = st.lists(packed, min_size=1, max_size=4)


def ours(path: Path) -> dict[str, tuple] | None:
    """Return path → (mode, content or target, its first name), or None where it is refused."""
    try:
        with open_container_image(path) as image:
            first: dict[object, str] = {}
            tree = {}
            for node in image.tree.nodes:
                name = os.fsdecode(node.path)
                data = b"".join(node.content()) if node.content else b""
                same = first.setdefault(node.inode or object(), name)
                tree[name] = (stat.filemode(node.mode), data, same)
            return tree
    except ImageError:
        return None


def theirs(path: Path, target: Path) -> dict[str, tuple] | None:
    """Return the same of umoci's folder."""
    done = subprocess.run(
        [UMOCI, "--log=error", "raw", "unpack", "--rootless", "--image", f"{path}:app", target],
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode:
        return None
    first: dict[int, str] = {}
    tree = {}
    for found in sorted(target.rglob("*"), key=lambda one: os.fsencode(one.relative_to(target))):
        status, name = found.lstat(), str(found.relative_to(target))
        data = b""
        if stat.S_ISREG(status.st_mode):
            data = found.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            data = os.fsencode(found.readlink())
        linked = status.st_nlink > 1 and stat.S_ISREG(status.st_mode)
        same = first.setdefault(status.st_ino, name) if linked else name
        tree[name] = (stat.filemode(status.st_mode), data, same)
    return tree


def test_the_same_files_from_the_same_layers(require, tmp_path):
    require("interop", UMOCI is not None, "apt install umoci")

    @given(images)
    @settings(UNHURRIED, max_examples=200)
    def agree(made):
        where = Path(tempfile.mkdtemp(dir=tmp_path))
        try:
            tars = [tar(*one, form=form) for one, form, _ in made]
            path = as_folder(where / "oci", layout(tars, [pack for _, _, pack in made]))
            assert ours(path) == theirs(path, where / "rootfs")
        finally:
            shutil.rmtree(where)

    agree()


def described(media: str, data: bytes) -> dict[str, object]:
    return {"mediaType": f"application/vnd.oci.image.{media}", "digest": digest(data),
            "size": len(data)}  # fmt: skip


def layout(tars: list[bytes], packs: list[str]) -> dict[str, bytes]:
    """Return the files of an OCI layout with all that the specification asks for."""
    config = configuration(tars)
    blobs = [PACKS[pack](data) for pack, data in zip(packs, tars, strict=True)]
    kinds = [f"layer.v1.tar{pack.partition(',')[0]}" for pack in packs]
    manifest = json.dumps({
        "schemaVersion": 2,
        "config": described("config.v1+json", config),
        "layers": [described(kind, data) for kind, data in zip(kinds, blobs, strict=True)],
    }).encode()  # fmt: skip
    tag = {"annotations": {"org.opencontainers.image.ref.name": "app"}}
    index = {"schemaVersion": 2, "manifests": [described("manifest.v1+json", manifest) | tag]}
    files = {"blobs/" + digest(one).replace(":", "/"): one for one in (config, manifest, *blobs)}
    return files | {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(),
    }  # fmt: skip
