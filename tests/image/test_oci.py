"""Container images: OCI layouts and docker save archives, layer by layer, and hostile ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import ImageError, ServiceError
from nitro_workflow.image.container.container_image import open_container_image
from nitro_workflow.image.container.dockerfile import built_dockerfile, saved_image
from nitro_workflow.image.container.entry_command import choose_command
from nitro_workflow.image.ramdisk.file_tree import RamdiskLayout
from tests.image.conftest import UNHURRIED


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: object) -> tuple:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, len(data), 0o644
    if kind == tarfile.DIRTYPE:
        info.mode = 0o755
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def folder(name: str, **fields: object) -> tuple:
    return member(name, kind=tarfile.DIRTYPE, **fields)


def link(name: str, target: str) -> tuple:
    return member(name, kind=tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> tuple:
    return member(name, kind=tarfile.LNKTYPE, linkname=target)


def tar(*members: tuple, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


CONFIG = {"Cmd": ["/run"], "Env": ["PATH=/bin", "A=b=c"]}


def configuration(layers: list[bytes], architecture: str = "amd64", **config: object) -> bytes:
    value = {
        "architecture": architecture, "os": "linux", "config": config or CONFIG,
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
    }  # fmt: skip
    return json.dumps(value).encode()


def oci_files(layers: list[bytes], pack=lambda layer: layer, **config: object) -> dict[str, bytes]:
    """Return the files of an OCI layout."""
    blobs = [pack(layer) for layer in layers]
    settings_ = configuration(layers, **config)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"digest": digest(settings_), "size": len(settings_)},
            "layers": [{"digest": digest(blob), "size": len(blob)} for blob in blobs],
        }
    ).encode()
    name = {"org.opencontainers.image.ref.name": "app:1"}
    index = {"manifests": [{"digest": digest(manifest), "size": 1, "annotations": name}]}
    files = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps(index).encode(),
    }
    for blob in (settings_, manifest, *blobs):
        files["blobs/" + digest(blob).replace(":", "/")] = blob
    return files


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def as_tar(path: Path, files: dict[str, bytes], pack=lambda data: data) -> Path:
    path.write_bytes(pack(tar(*(member(name, data) for name, data in files.items()))))
    return path


def docker_files(layers: list[bytes], **config: object) -> dict[str, bytes]:
    settings_ = configuration(layers, **config)
    names = [f"layer{n}/layer.tar" for n in range(len(layers))]
    entry = {"Config": "config.json", "RepoTags": ["app:1"], "Layers": names}
    files = dict(zip(names, layers, strict=True))
    return files | {"config.json": settings_, "manifest.json": json.dumps([entry]).encode()}


def tree_of(path: Path) -> dict[str, tuple]:
    """Return path -> (kind and mode, content) of an image, hard links as one object."""
    with open_container_image(path) as image:
        return {
            os.fsdecode(node.path): (
                stat.filemode(node.mode),
                b"".join(node.content()) if node.content else b"",
            )
            for node in image.tree.nodes
        }


def flat(tmp_path: Path, *layers: bytes) -> dict[str, tuple]:
    return tree_of(as_folder(tmp_path / "oci", oci_files(list(layers))))


def test_a_layer_of_no_bytes_changes_nothing(tmp_path):
    """umoci and GNU tar take it for an empty archive."""
    assert flat(tmp_path, tar(member("a", b"A")), b"") == {"a": ("-rw-r--r--", b"A")}


LAYERS = [
    tar(folder("bin"), member("bin/a", b"A", mode=0o755), folder("etc"), member("etc/old", b"O")),
    tar(member("bin/a", b"AA"), member("etc/.wh.old"), link("sh", "bin/a"), hard("twin", "bin/a")),
]
EXPECTED = {
    "bin": ("drwxr-xr-x", b""),
    "bin/a": ("-rw-r--r--", b"AA"),
    "etc": ("drwxr-xr-x", b""),
    "sh": ("lrwxrwxrwx", b"bin/a"),
    "twin": ("-rw-r--r--", b"AA"),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_same_tree_from_every_form(tmp_path, pack):
    files = oci_files(LAYERS, pack)
    assert tree_of(as_folder(tmp_path / "folder", files)) == EXPECTED
    assert tree_of(as_tar(tmp_path / "a.tar", files)) == EXPECTED
    assert tree_of(as_tar(tmp_path / "a.tgz", files, gzip.compress)) == EXPECTED
    assert tree_of(as_tar(tmp_path / "d.tar", docker_files(LAYERS))) == EXPECTED


def test_configuration_and_names(tmp_path):
    with open_container_image(as_tar(tmp_path / "a.tar", oci_files(LAYERS))) as image:
        assert (image.architecture, image.tags) == ("x86_64", ("app:1",))
        assert image.docker_info["Id"] == image.image_id == digest(configuration(LAYERS))
        assert image.docker_info["RootFS"]["Layers"] == [digest(layer) for layer in LAYERS]
        links = [node.inode for node in image.tree.nodes if node.inode is not None]
        assert len(links) == 2
        assert links[0] is links[1]
        assert RamdiskLayout(image.tree.nodes).size == sum(
            map(len, RamdiskLayout(image.tree.nodes).pieces())
        )


def test_several_architectures(tmp_path):
    files = oci_files(LAYERS)
    other = oci_files([tar(member("arm"))], architecture="arm64")
    merged = (
        json.loads(files["index.json"])["manifests"] + json.loads(other["index.json"])["manifests"]
    )
    for entry, name in zip(merged, ("amd64", "arm64"), strict=True):
        entry["platform"] = {"architecture": name, "os": "linux"}
    attestation = {**merged[0], "platform": {"architecture": "unknown", "os": "unknown"}}
    nested = json.dumps({"manifests": [*merged, attestation]}).encode()
    index = {
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": digest(nested),
                "size": 1,
            }
        ]
    }
    all_files = (
        files
        | other
        | {
            "index.json": json.dumps(index).encode(),
            "blobs/" + digest(nested).replace(":", "/"): nested,
        }
    )
    path = as_folder(tmp_path / "multi", all_files)
    for name in ("x86_64", "aarch64"):
        with open_container_image(path, name) as image:
            assert image.architecture == name


def test_whiteouts_speak_of_lower_layers_only(tmp_path):
    lower = tar(folder("d"), member("d/low", b"1"), folder("d/sub"), member("d/sub/x", b"2"))
    upper = tar(folder("d"), member("d/new", b"3"), member("d/.wh..wh..opq"), member("d/.wh.new"))
    assert sorted(flat(tmp_path, lower, upper)) == ["d", "d/new"]
    # opaque in one layer, then a whiteout of a folder, then aufs marks
    third = tar(member(".wh.d"), member(".wh..wh.plnk"), member("e", b"4"))
    assert sorted(flat(tmp_path, lower, upper, third)) == ["e"]
    assert sorted(flat(tmp_path, lower, tar(member(".wh..wh..opq"), member("f")))) == ["f"]
    # of things that are not there
    assert sorted(flat(tmp_path, lower, tar(member("no/.wh.thing"), member("n/.wh..wh..opq")))) == [
        "d", "d/low", "d/sub", "d/sub/x",
    ]  # fmt: skip


def test_links_are_followed_inside(tmp_path):
    lower = tar(folder("usr"), folder("usr/lib"), link("lib", "usr/lib"), link("up", "../../usr"))
    upper = tar(
        member("lib/a", b"1"), member("up/lib/b", b"2"), link("abs", "/usr"), member("abs/c")
    )
    tree = flat(tmp_path, lower, upper)
    assert {"usr/lib/a", "usr/lib/b", "usr/c"} <= set(tree)
    assert tree["lib"][0] == "lrwxrwxrwx"


def test_kinds_replace_each_other(tmp_path):
    lower = tar(
        folder("a"), member("a/x"), member("b", b"1"), folder("c", mode=0o700), member("c/k")
    )
    upper = tar(member("a", b"now a file"), folder("b"), member("b/y"), folder("c", mode=0o711))
    tree = flat(tmp_path, lower, upper)
    assert sorted(tree) == ["a", "b", "b/y", "c", "c/k"]
    assert tree["c"][0] == "drwx--x--x"


def test_devices_owners_and_attributes(tmp_path):
    layer = tar(
        member("null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        member("fifo", kind=tarfile.FIFOTYPE),
        member("owned", b"x", uid=1000, gid=70_000),
        member("ping", b"x", pax_headers={"SCHILY.xattr.security.capability": "x"}),
        member("odd", kind=b"Z"),
    )
    path = as_folder(tmp_path / "oci", oci_files([layer]))
    with open_container_image(path) as image:
        nodes = {node.path: node for node in image.tree.nodes}
        assert nodes[b"null"].device == (1, 3)
        assert stat.S_ISFIFO(nodes[b"fifo"].mode)
        assert (nodes[b"owned"].uid, nodes[b"owned"].gid) == (1000, 70_000)
        assert any("ping has security.capability" in note for note in image.tree.notes)


def test_names_that_are_not_utf8(tmp_path):
    layer = tar(member(os.fsdecode(b"caf\xe9"), b"x"), form=tarfile.GNU_FORMAT)
    assert flat(tmp_path, layer)[os.fsdecode(b"caf\xe9")][1] == b"x"


def _sparse(size: int, segments: list[tuple[int, int]], data: bytes) -> bytes:
    """A pax sparse file, version 0.1."""
    info = tarfile.TarInfo("sparse")
    info.size = len(data)
    info.pax_headers = {
        "GNU.sparse.map": ",".join(f"{at},{length}" for at, length in segments),
        "GNU.sparse.size": str(size), "GNU.sparse.name": "sparse",
        "GNU.sparse.numblocks": str(len(segments)),
    }  # fmt: skip
    return tar((info, data))


def test_sparse_files(tmp_path):
    tree = flat(tmp_path, _sparse(10, [(2, 3), (7, 1)], b"abcd"))
    assert tree["sparse"][1] == b"\0\0abc\0\0d\0\0"


def _negative_size() -> bytes:
    """An entry whose size leads a reader back to its own header; found by fuzzing."""
    block = bytearray(tar(member("x"), form=tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 10 + b"\xfe\x00"  # -512, in base 256
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


def _bomb(kind: bytes) -> bytes:
    """An archive whose first header is about the next one, and 64 MiB long by its own word."""
    header = tarfile.TarInfo("././@Header")
    header.type, header.size = kind, 64 * 1024**2
    return header.tobuf(tarfile.USTAR_FORMAT) + bytes(3 * 1024**2)


HOSTILE = {
    "negative size": _negative_size(),
    "traversal": tar(member("../x")),
    "traversal inside": tar(member("a/../../x")),
    "hard link outside": tar(hard("x", "../../etc/passwd")),
    "hard link absolute": tar(hard("x", "/etc/passwd")),
    "hard link to nothing": tar(hard("x", "y")),
    "hard link to itself": tar(member("x"), hard("x", "x")),
    "hard link to itself by a link": tar(
        folder("d"), member("d/x"), link("l", "d"), hard("l/x", "d/x")
    ),
    "hard link to a folder": tar(folder("d"), hard("x", "d")),
    "below a file": tar(member("f"), member("f/x")),
    "link loop": tar(link("a", "b"), link("b", "a"), member("a/x")),
    "whiteout of nothing": tar(member(".wh.")),
    "whiteout of dots": tar(member("d/.wh...")),
    "long name": tar(member("x" * 256)),
    "sparse bomb": _sparse(1 << 50, [(0, 1)], b"a"),
    "sparse map out of order": _sparse(10, [(5, 1), (0, 1)], b"ab"),
    "sparse map out of range": _sparse(10, [(0, 11)], b"a" * 11),
    "sparse map negative": _sparse(10, [(0, -5)], b"a"),
    "huge owner": tar(member("x", pax_headers={"uid": str(1 << 40)})),
    "negative owner": tar(member("x", pax_headers={"uid": "-5"})),
    "pax bomb": tar(member("x", pax_headers={"comment": "a" * (2 * 1024**2)})),
    "long link": tar(link("x", "a" * 5000)),
    "not a tar": b"nothing of the kind" * 100,
    **{f"bomb {kind.decode()}": _bomb(kind) for kind in (b"x", b"g", b"X", b"L", b"K")},
}


@pytest.mark.parametrize("layer", HOSTILE.values(), ids=HOSTILE)
def test_hostile_layers_are_refused(tmp_path, layer):
    with pytest.raises(ImageError) as error:
        flat(tmp_path, layer)
    assert error.value.where
    assert sorted(p.name for p in tmp_path.iterdir()) == ["oci"]


def test_limits_have_names(tmp_path, monkeypatch):
    monkeypatch.setattr("nitro_workflow.image.container.tar_archive.MAX_ENTRIES", 2)
    with pytest.raises(ImageError, match="MAX_ENTRIES"):
        flat(tmp_path, tar(*(member(f"{n}") for n in range(3))))
    monkeypatch.setattr("nitro_workflow.image.container.layers.MAX_UNPACKED", 10)
    with pytest.raises(ImageError, match="MAX_UNPACKED"):
        flat(tmp_path, tar(member("a", b"x" * 11)))
    monkeypatch.setattr("nitro_workflow.image.container.layer_compression.MAX_UNPACKED", 100_000)
    bomb = [tar(member("zeros", bytes(5_000_000)))]
    with pytest.raises(ImageError, match="MAX_UNPACKED"):
        tree_of(as_folder(tmp_path / "bomb", oci_files(bomb, gzip.compress)))


def test_every_cut_of_a_layer_is_noticed(tmp_path):
    layer = tar(member("a", b"1" * 600), folder("d"), member("d/b", b"2"))
    packed = gzip.compress(layer)
    files = oci_files([layer], lambda layer: packed)
    name = "blobs/" + digest(packed).replace(":", "/")
    path = as_folder(tmp_path / "oci", files)
    for length in range(0, len(packed), 7):
        (path / name).write_bytes(packed[:length])
        with pytest.raises(ImageError):
            tree_of(path)


def test_manifests_that_lie(tmp_path):
    good = oci_files(LAYERS)
    bad_indexes = [
        b"{", b"[]", b"{}", b'{"manifests": 1}', b'{"manifests": []}',
        b'{"manifests": [1]}', b'{"manifests": [{"digest": "sha256:../../etc/passwd"}]}',
        b"[" * 100_000,
    ]  # fmt: skip
    for data in bad_indexes:
        with pytest.raises(ImageError):
            tree_of(as_folder(tmp_path / "oci", good | {"index.json": data}))
    for name in [name for name in good if name.startswith("blobs")]:
        with pytest.raises(ImageError):
            tree_of(as_folder(tmp_path / "oci", good | {name: good[name] + b" "}))
    files = docker_files(LAYERS) | {"config.json": configuration(LAYERS[:1])}
    with pytest.raises(ImageError, match="1 diff ids"):
        tree_of(as_tar(tmp_path / "d.tar", files))
    with pytest.raises(ImageError, match="amd64 or arm64"):
        tree_of(as_tar(tmp_path / "d.tar", docker_files(LAYERS, architecture="riscv64")))


def test_docker_archives_that_lie(tmp_path):
    files = docker_files(LAYERS)
    for manifest in (b"{}", b"[1]", b'[{"Config": 1}]', b'[{"Config": "config.json"}]',
                     b'[{"Config": "../../etc/passwd", "Layers": []}]',
                     b'[{"Config": "/etc/passwd", "Layers": []}]'):  # fmt: skip
        with pytest.raises(ImageError):
            tree_of(as_tar(tmp_path / "d.tar", files | {"manifest.json": manifest}))
    # a link in the archive, as old docker save writes for equal layers, may not lead out of it
    inside = tar(
        *(member(name, data) for name, data in files.items() if name != "layer1/layer.tar"),
        link("layer1/layer.tar", "../real/layer.tar"), member("real/layer.tar", LAYERS[1]),
    )  # fmt: skip
    (tmp_path / "d.tar").write_bytes(inside)
    assert tree_of(tmp_path / "d.tar") == EXPECTED
    for target in ("../../../etc/passwd", "/etc/passwd", "layer.tar"):
        outside = tar(
            *(member(name, data) for name, data in files.items() if name != "layer1/layer.tar"),
            link("layer1/layer.tar", target),
        )
        (tmp_path / "d.tar").write_bytes(outside)
        with pytest.raises(ImageError):
            tree_of(tmp_path / "d.tar")


def test_a_folder_whose_blob_is_a_link_outside(tmp_path):
    files = oci_files(LAYERS)
    path = as_folder(tmp_path / "oci", files)
    blob = path / "blobs" / digest(LAYERS[0]).replace(":", "/")
    (tmp_path / "elsewhere").write_bytes(LAYERS[0])
    blob.unlink()
    blob.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ImageError, match="no such file in the image"):
        tree_of(path)


@pytest.mark.parametrize("data", [b"", b"x" * 2000, gzip.compress(b"x"), b"\x1f\x8bxx"])
def test_files_that_are_no_image(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ImageError):
        tree_of(tmp_path / "x")
    with pytest.raises(ImageError, match="container image"):
        tree_of(as_folder(tmp_path / "empty", {"x": b""}))


parts = st.text("abc.", min_size=1, max_size=3)
paths = st.lists(parts, min_size=1, max_size=3).map("/".join)
members = st.one_of(
    st.builds(member, paths, st.binary(max_size=5)), st.builds(folder, paths),
    st.builds(link, paths, paths), st.builds(hard, paths, paths),
    st.builds(lambda path: member(f"{path}/.wh.a"), paths),
)  # fmt: skip


@given(st.lists(st.lists(members, max_size=6), min_size=1, max_size=3))
@settings(UNHURRIED, max_examples=150)
def test_any_layers_make_a_tree_or_an_image_error(tmp_path_factory, layers):
    path = tmp_path_factory.mktemp("oci")
    try:
        with open_container_image(as_folder(path, oci_files([tar(*m) for m in layers]))) as image:
            packed = b"".join(RamdiskLayout(image.tree.nodes).pieces())
            names = [node.path for node in image.tree.nodes]
    except ImageError:
        return
    assert names == sorted(set(names))
    assert all(b".." not in name.split(b"/") for name in names)
    assert len(packed) % 4 == 0


def test_nitro_clis_rule_and_dockers():
    both = {"Cmd": ["serve"], "Entrypoint": ["/init", "--"], "Env": ["A=1"]}
    choice = choose_command(both)
    assert choice.command == ("serve",)
    assert "NOT run" in choice.notes[0]
    joined = choose_command(both, join_entrypoint=True)
    assert joined.command == ("/init", "--", "serve")
    assert "joined" in joined.notes[0]
    assert choose_command({"Entrypoint": ["/a"]}).command == ("/a",)
    assert choose_command({"Cmd": []} | {"Entrypoint": ["/a"]}).command == ("/a",)
    assert choose_command(both, given=["x"]).command == ("x",)
    assert choose_command(both).environment == ("A=1",)
    ignored = choose_command({**both, "User": "1000", "WorkingDir": "/srv"}).notes
    assert len(ignored) == 3
    for config in ({}, {"Cmd": None}, {"Cmd": "text"}, {"Cmd": [1]}, {"Cmd": ["a"], "Env": "x"}):
        with pytest.raises(ImageError):
            choose_command(config)


def _tool(folder_: Path, name: str, script: str) -> None:
    path = folder_ / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_dockerfiles(tmp_path, monkeypatch, name):
    archive = as_tar(tmp_path / "image.tar", docker_files(LAYERS))
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    source = tmp_path / "source"
    source.mkdir()
    with pytest.raises(ImageError, match="no Dockerfile"), built_dockerfile(source):
        pass
    (source / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(ServiceError, match="no docker, podman, buildah"), built_dockerfile(source):
        pass
    _tool(
        tools, name,
        'case "$1" in build) echo building; echo id > "$3";; '
        f'save) for last; do :; done; while [ "$1" != -o ]; do shift; done; /bin/cp {archive} "$2";; '
        f'push) /bin/cp {archive} "${{4#docker-archive:}}";; esac',
    )  # fmt: skip
    said = []
    with built_dockerfile(source, "aarch64", say=said.append) as built:
        assert tree_of(built) == EXPECTED
    assert said == ["building"]
    assert not built.exists()
    _tool(tools, name, '[ "$1" = version ] || { echo no such layer; exit 1; }')
    with pytest.raises(ServiceError, match="no such layer"), built_dockerfile(source):
        pass


def test_dockers_client_without_its_daemon_is_no_tool(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    _tool(tmp_path, "docker", "echo Cannot connect to the Docker daemon >&2; exit 1")
    with pytest.raises(ServiceError, match="its daemon does not answer") as caught:
        built_dockerfile(tmp_path).__enter__()
    assert "skopeo copy" in caught.value.next
    archive = as_tar(tmp_path / "image.tar", docker_files(LAYERS))
    _tool(
        tmp_path, "buildah",
        f'case "$1" in build) echo id > "$3";; '
        f'push) /bin/cp {archive} "${{4#docker-archive:}}";; esac',
    )  # fmt: skip
    with built_dockerfile(tmp_path) as built:
        assert tree_of(built) == EXPECTED
    with saved_image("app:1") as saved:
        assert tree_of(saved) == EXPECTED
    assert not saved.exists()
