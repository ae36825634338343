"""Which image of a layout is meant, as others write them; and those that are refused by name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys

import pytest

from nitro_workflow.errors import ImageError
from nitro_workflow.image import open_container_image
from nitro_workflow.image.container.image_choice import ARCHITECTURES
from nitro_workflow.image.format.boot_parts import host_architecture
from tests.image.test_oci import (
    EXPECTED,
    LAYERS,
    as_folder,
    as_tar,
    configuration,
    digest,
    docker_files,
    member,
    oci_files,
    tar,
    tree_of,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

REF = "org.opencontainers.image.ref.name"
HERE = {v: k for k, v in ARCHITECTURES.items() if k in ("amd64", "arm64")}[host_architecture()]
THERE = "arm64" if HERE == "amd64" else "amd64"


def blob(data: bytes) -> dict[str, bytes]:
    return {"blobs/" + digest(data).replace(":", "/"): data}


def manifest_of(files: dict[str, bytes]) -> dict:
    return json.loads(files["index.json"])["manifests"][0]


def layout(tmp_path, *descriptors: dict, **files: bytes):
    held = files | {"index.json": json.dumps({"manifests": descriptors}).encode()}
    return as_folder(tmp_path / "layout", held)


def with_config(layers: list[bytes], **changes: object) -> dict[str, bytes]:
    """An OCI layout whose configuration is changed."""
    value = json.loads(configuration(layers)) | changes
    data = json.dumps(value).encode()
    manifest = json.dumps(
        {
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(data),
            },
            "layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer)}
                for layer in layers
            ],
        }
    ).encode()
    held = blob(data) | blob(manifest)
    for layer in layers:
        held |= blob(layer)
    return held | {"index.json": json.dumps({"manifests": [{"digest": digest(manifest)}]}).encode()}


def artifact(**fields: object) -> tuple[dict, dict[str, bytes]]:
    empty = b"{}"
    manifest = json.dumps(
        {
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(empty)},
            "layers": [],
            **fields,
        }
    ).encode()
    return {"digest": digest(manifest)}, blob(empty) | blob(manifest)


SIGNED = "application/vnd.dev.cosign.simplesigning.v1+json"


def signature() -> tuple[dict, dict[str, bytes]]:
    """A signature of cosign: an image's configuration, a layer that is none."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(b"{}")}
    return artifact(config=config, layers=[{"mediaType": SIGNED, "digest": digest(b"{}")}])


def test_one_image_under_two_tags_is_one(tmp_path):
    files = oci_files(LAYERS)
    entry = manifest_of(files)
    names = [entry | {"annotations": {REF: tag}} for tag in ("1.0", "latest")]
    with open_container_image(layout(tmp_path, *names, **files)) as image:
        assert image.tags == ("1.0", "latest")


def test_what_is_no_image_for_linux_is_passed_over(tmp_path):
    files = oci_files(LAYERS)
    windows = with_config([tar(member("Files/x"))], os="windows")
    descriptors, held = [manifest_of(files)], {**files}
    for extra, blobs in (
        artifact(artifactType="application/vnd.example.sbom"), artifact(), signature(),
        (manifest_of(windows), windows),
        (manifest_of(windows) | {"platform": {"os": "windows", "architecture": HERE}}, windows),
    ):  # fmt: skip
        descriptors.append(extra)
        held |= blobs
    gone = {"digest": digest(b"left out"), "platform": {"os": "linux", "architecture": THERE}}
    attested = manifest_of(files) | {
        "digest": digest(b"x"),
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    }
    path = layout(tmp_path, *descriptors, gone, attested, **held)
    assert tree_of(path) == EXPECTED


@pytest.mark.parametrize("architecture", [None, "x86_64"])
def test_an_image_for_windows_is_refused_by_name(tmp_path, architecture):
    files = with_config(LAYERS, os="windows")
    with pytest.raises(ImageError, match="windows/amd64"):
        _open(as_folder(tmp_path / "oci", files), architecture)
    saved = docker_files(LAYERS)
    saved["config.json"] = json.dumps(json.loads(saved["config.json"]) | {"os": "windows"}).encode()
    with pytest.raises(ImageError, match="windows/amd64"):
        _open(as_tar(tmp_path / "a.tar", saved), architecture)


def _open(path, architecture=None, **choice):
    with open_container_image(path, architecture, **choice) as image:
        return image


@pytest.mark.parametrize("save", [oci_files, docker_files])
def test_the_images_own_architecture_is_the_default_and_another_is_refused(tmp_path, save):
    path = as_tar(tmp_path / "a.tar", save(LAYERS, architecture=THERE))
    assert _open(path).architecture == ARCHITECTURES[THERE]
    with pytest.raises(ImageError, match=f"image for {ARCHITECTURES[THERE]}") as caught:
        _open(path, ARCHITECTURES[HERE])
    assert f"--arch {ARCHITECTURES[THERE]}" in caught.value.next


def test_an_index_that_lies_of_the_architecture_is_refused(tmp_path):
    files = oci_files(LAYERS, architecture="arm64")
    entry = manifest_of(files) | {"platform": {"architecture": "amd64", "os": "linux"}}
    for architecture in (None, "x86_64", "aarch64"):
        with pytest.raises(ImageError, match="which its index calls x86_64"):
            _open(layout(tmp_path, entry, **files), architecture)


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_the_kernels_words_for_architectures_are_taken(tmp_path, name):
    path = as_folder(tmp_path / "oci", with_config(LAYERS, architecture=name))
    assert _open(path).architecture == name


@pytest.mark.parametrize("name", ["riscv64", None, 5, ["amd64"]])
def test_other_architectures_are_refused(tmp_path, name):
    path = as_folder(tmp_path / "oci", with_config(LAYERS, architecture=name))
    with pytest.raises(ImageError, match="amd64 or arm64"):
        _open(path)


@pytest.fixture
def several(tmp_path):
    """Two images of this architecture under names, as `docker save a b` and `skopeo` keep them."""
    held, descriptors = {}, []
    for name, layers in {"docker.io/library/app:1.0": LAYERS, "other:2": LAYERS[:1]}.items():
        files = oci_files(layers, architecture=HERE)
        descriptors.append(manifest_of(files) | {"annotations": {REF: name}})
        held |= files
    return layout(tmp_path, *descriptors, **held)


def test_several_are_listed_with_the_way_to_choose(several):
    with pytest.raises(ImageError, match="2 images") as caught:
        _open(several)
    assert "docker.io/library/app:1.0" in caught.value.found
    assert "other:2" in caught.value.found
    assert "--tag" in caught.value.next
    assert "--digest" in caught.value.next


@pytest.mark.parametrize("tag", ["docker.io/library/app:1.0", "app:1.0", "1.0"])
def test_a_tag_chooses(several, tag):
    assert _open(several, tag=tag).tags == ("docker.io/library/app:1.0",)


def test_a_digest_chooses_by_its_beginning(several):
    wanted = _open(several, tag="other:2")
    for text in (wanted.image_id, wanted.image_id[:15], wanted.image_id.partition(":")[2][:12]):
        assert _open(several, digest=text).tags == ("other:2",)


@pytest.mark.parametrize("choice", [{"tag": "0"}, {"tag": "pp:1.0"}, {"digest": "sha256:00"}])
def test_a_choice_that_is_not_there_lists_what_is(several, choice):
    with pytest.raises(ImageError, match="other:2"):
        _open(several, **choice)


def test_of_a_saved_archive_a_tag_chooses_too(tmp_path):
    one, two = docker_files(LAYERS), docker_files(LAYERS[:1])
    second = {"Config": "two.json", "RepoTags": ["two:1"], "Layers": ["layer0/layer.tar"]}
    entries = [*json.loads(one["manifest.json"]), second]
    files = one | {"two.json": two["config.json"], "manifest.json": json.dumps(entries).encode()}
    path = as_tar(tmp_path / "a.tar", files)
    with pytest.raises(ImageError, match="2 images"):
        _open(path)
    assert _open(path, tag="two:1").tags == ("two:1",)
    assert _open(path, tag="app:1").tags == ("app:1",)


def in_dir(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same image as skopeo's dir: transport keeps it."""
    top = manifest_of(files)["digest"].replace(":", "/")
    held = {name.rpartition("/")[2]: data for name, data in files.items() if "sha256" in name}
    manifest = files["blobs/" + top]
    return held | {"version": b"Directory Transport Version: 1.1\n", "manifest.json": manifest}


def test_skopeos_dir(tmp_path):
    path = as_folder(tmp_path / "dir", in_dir(oci_files(LAYERS)))
    assert tree_of(path) == EXPECTED
    (path / digest(LAYERS[0]).partition(":")[2]).write_bytes(LAYERS[1])
    with pytest.raises(ImageError, match="sha256"):
        tree_of(path)


def test_skopeos_dir_of_several_architectures(tmp_path):
    held, entries = {}, []
    for name in ("amd64", "arm64"):
        files = oci_files(LAYERS, architecture=name)
        entry = manifest_of(files) | {"platform": {"architecture": name, "os": "linux"}}
        entries.append(entry)
        held |= in_dir(files)
        data = files["blobs/" + entry["digest"].replace(":", "/")]
        held[entry["digest"].partition(":")[2] + ".manifest.json"] = data
    held["manifest.json"] = json.dumps({"manifests": entries}).encode()
    path = as_folder(tmp_path / "dir", held)
    for name, architecture in ARCHITECTURES.items():
        if name in ("amd64", "arm64"):
            assert _open(path, architecture).architecture == architecture


def zstd_chunked(layer: bytes) -> bytes:
    """Frames one after the other and skipped ones between, as zstd:chunked writes them."""
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"toc!"
    half = len(layer) // 2
    return skipped + zstd.compress(layer[:half]) + skipped + zstd.compress(layer[half:]) + skipped


@pytest.mark.parametrize("pack", [zstd.compress, zstd_chunked])
def test_layers_in_zstd(tmp_path, pack):
    assert tree_of(as_folder(tmp_path / "oci", oci_files(LAYERS, pack))) == EXPECTED


def test_a_whole_archive_in_zstd(tmp_path):
    assert tree_of(as_tar(tmp_path / "a.tar.zst", oci_files(LAYERS), zstd.compress)) == EXPECTED


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_zstd_that_is_cut_is_refused(tmp_path, cut):
    path = as_folder(tmp_path / "oci", oci_files(LAYERS, lambda d: zstd.compress(d)[:-cut]))
    with pytest.raises(ImageError, match="zstd"):
        tree_of(path)


def test_zstd_that_is_changed_is_refused(tmp_path):
    layer = tar(member("a", hashlib.sha256(b"x").digest() * 40))
    packed = bytearray(zstd.compress(layer))
    for at in range(4, len(packed), 3):
        changed = bytes([*packed[:at], packed[at] ^ 0xFF, *packed[at + 1 :]])
        path = as_folder(tmp_path / f"oci{at}", oci_files([layer], lambda _, data=changed: data))
        with pytest.raises(ImageError):
            tree_of(path)


def test_zstd_with_a_window_that_takes_all_memory_is_refused(tmp_path):
    # a frame header with window log 41 (RFC 8878 §3.1.1.1.2)
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([31 << 3]) + b"\x00" * 8
    path = as_folder(tmp_path / "oci", oci_files(LAYERS[:1], lambda _: frame))
    with pytest.raises(ImageError, match="zstd"):
        tree_of(path)


@pytest.mark.parametrize("magic", [b"BZh9", b"\xfd7zXZ\0", b"\x04\x22\x4d\x18"])
def test_another_compression_names_a_command_that_helps(tmp_path, magic):
    path = as_folder(tmp_path / "oci", oci_files(LAYERS, lambda _: magic + b"x" * 600))
    with pytest.raises(ImageError, match="compressed with") as caught:
        tree_of(path)
    assert "skopeo copy --dest-compress-format gzip" in caught.value.next


def test_an_index_of_a_million_entries_is_refused(tmp_path):
    entry = {"digest": digest(b""), "platform": {"os": "windows", "architecture": "amd64"}}
    path = as_folder(
        tmp_path / "oci", {"index.json": json.dumps({"manifests": [entry] * 2_000}).encode()}
    )
    with pytest.raises(ImageError, match="more than 1024 entries"):
        _open(path)


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": 5}, {"annotations": 5}, {"annotations": {REF: ["a"]}}, {"platform": []},
        {"platform": {"os": 5, "architecture": {}}}, {"artifactType": [1]},
    ],
)  # fmt: skip
def test_odd_descriptors_never_break_the_reader(tmp_path, change):
    files = oci_files(LAYERS)
    with contextlib.suppress(ImageError):
        _open(layout(tmp_path, manifest_of(files) | change, **files))


def test_a_name_with_a_nul_is_an_image_error(tmp_path):
    files = docker_files(LAYERS)
    entry = json.loads(files["manifest.json"])[0] | {"Config": "a\0b"}
    files["manifest.json"] = json.dumps([entry]).encode()
    for path in (as_folder(tmp_path / "d", files), as_tar(tmp_path / "d.tar", files)):
        with pytest.raises(ImageError):
            _open(path)


def test_an_encrypted_layer_is_named(tmp_path):
    files = with_config(LAYERS)
    manifest = files["blobs/" + manifest_of(files)["digest"].replace(":", "/")]
    secret = manifest.replace(b"layer.v1.tar", b"layer.v1.tar+gzip+encrypted")
    path = layout(tmp_path, {"digest": digest(secret)}, **files, **blob(secret))
    with pytest.raises(ImageError, match="an encrypted layer") as caught:
        _open(path)
    assert "--decryption-key" in caught.value.next
