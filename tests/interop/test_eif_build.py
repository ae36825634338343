"""AWS's own builder and reader against ours, on the same parts.

Two programs are made by cargo in a cache folder: ``eif_build`` 0.2.1 as its registry has it, and
``eif_build/`` beside this file over the library that nitro-cli uses today (0.8.1).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from nitro_workflow.errors import ImageError
from nitro_workflow.image import (
    KmsSigningKey,
    describe_image,
    measure_file,
    open_image,
    sign_image,
    signing_key_from_pem,
    verify_signature,
)
from nitro_workflow.image.build.builder import build_from_parts
from nitro_workflow.image.format.eif import SectionKind
from nitro_workflow.image.format.metadata import BuildInfo, Identity
from nitro_workflow.image.inspect.validator import check_image
from tests.image.conftest import key_and_certificate
from tests.image.test_signature import _Kms
from tests.interop.peers import Unbuilt, fetched, locked

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
BUILDER = "0.2.1"
BUILD_TIME = "2026-01-02T03:04:05+00:00"
NOW = dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Parts:
    """What both builders are given."""

    architecture: str = "x86_64"
    ramdisks: tuple[int, ...] = (10_000, 30_000)  # bytes of each
    curve: str | None = None
    kernel: int = 100_000
    command_line: str = "reboot=k panic=30 console=ttyS0"
    name: str = "image"
    custom: object = None


SETS = {
    "one ramdisk": Parts(ramdisks=(10_000,)),
    "two ramdisks": Parts(),
    "three ramdisks": Parts(ramdisks=(1, 2, 3)),
    "aarch64": Parts("aarch64"),
    "aarch64 three ramdisks signed": Parts("aarch64", (5, 6, 7), "P-384"),
    "signed P-256": Parts(curve="P-256"),
    "signed P-384": Parts(curve="P-384"),
    "signed P-521": Parts(curve="P-521"),
    "empty ramdisks": Parts(ramdisks=(0, 0)),
    "empty command line": Parts(command_line=""),
    "200 MB ramdisk": Parts(ramdisks=(644, 200_000_000), curve="P-384"),
    "names and metadata": Parts(
        name='bild-ä \\ " \t',
        custom={"z": [1, -2, 1.5, 1e-7, 1e21, True, None], "a": {"ü": "\u001f"}, "B": 2**53},
    ),
}


@dataclass(frozen=True)
class Tools:
    eif_build: Path
    aws_eif: Path

    def ask(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(self.aws_eif), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def describe(self, path: Path) -> dict:
        answer = self.ask("describe", path)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)


def _make() -> Tools:
    """Build what is not there yet; raises `Unbuilt`."""
    with locked() as cache:
        tools = Tools(
            cache / f"eif_build-{BUILDER}/bin/eif_build", cache / "aws_eif/target/release/aws_eif"
        )
        if not tools.eif_build.exists():
            words = ("eif_build", "--version", BUILDER, "--locked")
            root = str(tools.eif_build.parents[1])
            fetched("cargo", "install", *words, "--root", root, cwd=cache)
        source = cache / "aws_eif"
        shutil.copytree(HERE / "eif_build", source, dirs_exist_ok=True)
        fetched("cargo", "build", "--release", "--quiet", cwd=source)
        return tools


@pytest.fixture(scope="session")
def made() -> Tools | str:
    if shutil.which("cargo") is None:
        return "no cargo"
    try:
        return _make()
    except Unbuilt as trouble:
        return str(trouble)


@pytest.fixture
def tools(made, require) -> Tools:
    remedy = "cargo, libssl-dev and pkg-config for AWS's eif_build"
    require("interop", isinstance(made, Tools), f"{remedy}: {str(made)[-300:]}")
    return made


@dataclass(frozen=True)
class Given:
    """A part set on disk."""

    parts: Parts
    folder: Path
    certificate: bytes = b""
    key: bytes = b""

    @property
    def kernel(self) -> Path:
        return self.folder / "bzImage"

    @property
    def ramdisks(self) -> list[Path]:
        return [self.folder / f"ramdisk{n}" for n in range(len(self.parts.ramdisks))]

    def ours(self, output: Path, *, signed: bool = True):
        info = BuildInfo(BUILD_TIME, "eif_build", BUILDER, "Linux", "6.6.79")
        signing = signed and self.parts.curve and signing_key_from_pem(self.certificate, self.key)
        return build_from_parts(
            kernel=self.kernel,
            command_line=self.parts.command_line.encode(),
            ramdisks=self.ramdisks,
            # eif_build takes the version from --name too
            identity=Identity(self.parts.name, self.parts.name, info, None, self.parts.custom),
            output=output,
            architecture=self.parts.architecture,
            signing=signing or None,
        )

    def eif_build(self, tools: Tools, output: Path, *, signed: bool = True) -> dict[str, str]:
        command = [
            str(tools.eif_build), "--kernel", str(self.kernel), "--cmdline", self.parts.command_line,
            "--output", str(output), "--name", self.parts.name, "--arch", self.parts.architecture,
            "--build-time", BUILD_TIME, "--img-os", "Linux", "--img-kernel", "6.6.79",
        ]  # fmt: skip
        for path in self.ramdisks:
            command += ["--ramdisk", str(path)]
        if self.parts.custom is not None:
            (self.folder / "custom.json").write_text(json.dumps(self.parts.custom))
            command += ["--metadata", str(self.folder / "custom.json")]
        if signed and self.parts.curve:
            command += ["--signing-certificate", str(self.folder / "cert.pem")]
            command += ["--private-key", str(self.folder / "key.pem")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout.partition("\n")[2])

    def current(self, tools: Tools, output: Path) -> dict[str, str]:
        """Build with the library of today."""
        identity = {
            "ImageName": self.parts.name, "ImageVersion": self.parts.name,
            "BuildMetadata": BuildInfo(BUILD_TIME, "eif_build", BUILDER, "Linux", "6.6.79").to_json(),
            "DockerInfo": None, "CustomMetadata": self.parts.custom,
        }  # fmt: skip
        (self.folder / "identity.json").write_text(json.dumps(identity))
        pair = ("cert.pem", "key.pem") if self.parts.curve else ()
        answer = tools.ask(
            "build", output, self.parts.architecture, self.kernel, self.parts.command_line,
            self.folder / "identity.json", *([self.folder / name for name in pair] or ["-", "-"]),
            *self.ramdisks,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)


@pytest.fixture(params=SETS.values(), ids=SETS)
def given(request, tmp_path) -> Given:
    parts = request.param
    given = Given(parts, tmp_path)
    block = os.urandom(1_000_003)
    for path, size in zip(
        [given.kernel, *given.ramdisks], [parts.kernel, *parts.ramdisks], strict=True
    ):
        with path.open("wb") as file:
            for at in range(0, size, len(block)):
                file.write(block[: size - at])
    if parts.curve:
        certificate, key = key_and_certificate(
            parts.curve, NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=1)
        )
        (tmp_path / "cert.pem").write_bytes(certificate)
        (tmp_path / "key.pem").write_bytes(key)
        given = replace(given, certificate=certificate, key=key)
    return given


def _without_algorithm(measurements: dict[str, str]) -> dict[str, str]:
    """The Debug text of a Rust type, which changes with the version of a crate."""
    return {key: value for key, value in measurements.items() if key != "HashAlgorithm"}


def _same_description(path: Path, tools: Tools) -> None:
    ours, theirs = describe_image(path), tools.describe(path)
    for description in (ours, theirs):
        description["Measurements"] = _without_algorithm(description["Measurements"])
    assert ours == theirs


def test_measurements_readers_and_bytes_agree(given, tools, tmp_path):
    ours, theirs, current = (tmp_path / name for name in ("ours.eif", "theirs.eif", "current.eif"))
    measured = given.ours(ours).measurements.hex()
    # 1 PCRs equal, whoever builds and whoever measures
    assert measured == _without_algorithm(given.eif_build(tools, theirs))
    assert measured == _without_algorithm(given.current(tools, current))
    assert measure_file(theirs).hex() == measured == measure_file(current).hex()
    # 2 each reads the other's, key for key
    for path in (ours, theirs, current):
        _same_description(path, tools)
        assert check_image(path, at=NOW).ok
    # 3 unsigned bytes equal
    given.ours(ours, signed=False)
    given.eif_build(tools, theirs, signed=False)
    assert ours.read_bytes() == theirs.read_bytes()


def test_signatures_are_verified_by_the_other_side(given, tools, tmp_path):
    if given.parts.curve is None:
        # an unsigned image is one to both
        given.ours(tmp_path / "ours.eif")
        assert tools.ask("verify", tmp_path / "ours.eif").stderr == "not signed\n"
        return
    ours, theirs, current = (tmp_path / name for name in ("ours.eif", "theirs.eif", "current.eif"))
    given.ours(ours)
    given.eif_build(tools, theirs)
    given.current(tools, current)
    for path in (ours, theirs, current):
        assert tools.ask("verify", path).returncode == 0
        with open_image(path) as image:
            verify_signature(image, measure_file(path), at=NOW)
    # a signature by KMS is one to AWS's checker too
    by_kms = KmsSigningKey(given.certificate, "arn", _Kms(given.key))
    sign_image(ours, by_kms, tmp_path / "kms.eif")
    assert tools.ask("verify", tmp_path / "kms.eif").returncode == 0
    # all but the signature's data, and what counts it, is the same
    assert _before_signature(ours) == _before_signature(theirs) == _before_signature(current)


def _before_signature(path: Path) -> tuple[bytes, bytes, tuple[int, ...]]:
    with open_image(path) as image:
        [signature] = image.of_kind(SectionKind.SIGNATURE)
        data = path.read_bytes()
        return data[:0x11C], data[548 : signature.offset], image.header.offsets


def test_signing_in_place_and_again(given, tools, tmp_path):
    if given.parts.curve is None or given.parts.ramdisks[-1] > 1_000_000:
        given = replace(given, parts=replace(given.parts, curve="P-384"))
        certificate, key = key_and_certificate(
            "P-384", NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=1)
        )
        (tmp_path / "cert.pem").write_bytes(certificate)
        (tmp_path / "key.pem").write_bytes(key)
        given = replace(given, certificate=certificate, key=key)
    for ramdisk in given.ramdisks:  # AWS's signer reads an image four times: keep it small
        os.truncate(ramdisk, min(ramdisk.stat().st_size, 100_000))
    path = tmp_path / "image.eif"
    given.ours(path, signed=False)
    # nitro-cli signs ours; we sign it again with another curve, and then nitro-cli does
    signed = tools.ask("sign", path, tmp_path / "cert.pem", tmp_path / "key.pem")
    assert signed.returncode == 0, signed.stderr
    assert check_image(path, at=NOW).ok
    other = key_and_certificate("P-521", NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=1))
    sign_image(path, signing_key_from_pem(*other))
    assert tools.ask("verify", path).returncode == 0
    assert check_image(path, at=NOW).ok
    _same_description(path, tools)
    assert tools.ask("sign", path, tmp_path / "cert.pem", tmp_path / "key.pem").returncode == 0
    _same_description(path, tools)
    # AWS's signer leaves the old size in the header's table: taken by its reader, found by ours
    report = check_image(path, at=NOW)
    assert report.rules & {"table-size"} == ({"table-size"} if not report.ok else set())
    sign_image(path, signing_key_from_pem(given.certificate, given.key))
    assert check_image(path, at=NOW).ok
    assert path.read_bytes() == given.ours(tmp_path / "again.eif").path.read_bytes()


@pytest.mark.parametrize("given", [Parts(curve="P-384")], indirect=True, ids=["signed"])
def test_what_either_refuses_the_other_refuses(given, tools, tmp_path):
    path = tmp_path / "ours.eif"
    given.ours(path)
    data = path.read_bytes()
    with open_image(path) as image:
        sections = image.sections

    def metadata(text: bytes) -> bytes:
        """Put another metadata section of the same length in."""
        place = sections[2]
        assert len(text) <= place.size, len(text)
        return data[: place.data_offset] + text.ljust(place.size) + data[place.end :]

    whole = data[sections[2].data_offset : sections[2].end]
    short = json.loads(whole) | {"BuildMetadata": BuildInfo("t", "", "", "", "").to_json()}
    text = json.dumps(short, separators=(",", ":")).encode()
    assert tools_agree(metadata(text), path, tools)
    broken = {
        "metadata with NaN": metadata(text.replace(b"null}", b"NaN}")),
        "metadata without a key": metadata(text.replace(b"DockerInfo", b"DockarInfo")),
        "metadata with a key twice": metadata(text.replace(b"{", b'{"DockerInfo":1,', 1)),
        "metadata with half a pair": metadata(text.replace(b"null}", b'"\\ud800"}')),
        "metadata that is an array": metadata(b"[]"),
        "metadata of another type": metadata(text.replace(b'"image"', b"7")),
        "cut in a section": data[:-10],
        "section type 6": _changed(data, sections[3].offset + 1, 6),
        "section type 0": _changed(data, sections[3].offset + 1, 0),
        "metadata": _changed(data, sections[2].data_offset, ord("[")),
        "signature section": _changed(data, sections[5].data_offset, 0x80),
        "signature": _changed(data, len(data) - 1, data[-1] ^ 1),
    }
    for name, bytes_ in broken.items():
        path.write_bytes(bytes_)
        assert tools.ask("describe", path).returncode == 1, name
        assert not check_image(path).ok, name
        with pytest.raises(ImageError):
            describe_image(path)


def tools_agree(data: bytes, path: Path, tools: Tools) -> bool:
    path.write_bytes(data)
    _same_description(path, tools)
    return True


def _changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]
