"""Three images of the practice application: today's, the release before, and today's signed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import LabError
from nitro_workflow.lab.failures import practice_program
from nitro_workflow.lab.lab_folder import read_json, save
from nitro_workflow.lab.steps import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.image import PemSigningKey
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["BEFORE", "SIGNED", "TODAY", "PracticeImages", "make_images"]

TODAY: Final = "practice.eif"
BEFORE: Final = "practice-before.eif"
SIGNED: Final = "practice-signed.eif"

_COMMAND: Final = ("/usr/bin/python3", "-I", "-S", "-B", "/app/practice_program.py")
_VALID: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class PracticeImages:
    """Where the images are, and what each measures to: name → PCR name → 96 hex digits."""

    folder: Path
    pcrs: Mapping[str, Mapping[str, str]]

    def path(self, name: str) -> Path:
        """Return the image's file."""
        return self.folder / name


def make_images(bench: Workbench) -> PracticeImages:
    """Build what is missing; the images of the same root filesystem and program are kept."""
    folder = bench.path / "developer" / "practice"
    inputs, record = _inputs(bench), folder / "images.json"
    try:
        kept = read_json(record)
    except LabError:
        kept = {}
    if kept.get("inputs") != inputs or not all((folder / n).exists() for n in kept["pcrs"]):
        kept = {"inputs": inputs, "pcrs": _build(bench, folder)}
        save(record, json.dumps(kept).encode())
    return PracticeImages(folder, kept["pcrs"])


def _inputs(bench: Workbench) -> str:
    parts = (_source(), bench.produced("P5", "rootfs_sha256").encode(), bench.host.execution())
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _source() -> bytes:
    return Path(practice_program.__file__).read_bytes()


def _build(bench: Workbench, folder: Path) -> dict[str, dict[str, str]]:
    from nitro_workflow.image import measure_file, sign_image

    bench.say("Building three images of the practice application …")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    rootfs = folder / "rootfs"
    shutil.copytree(bench.path / "developer" / "rootfs", rootfs, copy_function=os.link)
    program, text = rootfs / "app" / "practice_program.py", _source()
    program.write_bytes(text.replace(b'RELEASE = "2"', b'RELEASE = "1"'))
    pack(bench, rootfs, folder / BEFORE, command=_COMMAND)
    program.write_bytes(text)
    pack(bench, rootfs, folder / TODAY, command=_COMMAND)
    shutil.rmtree(rootfs)
    sign_image(folder / TODAY, _signing_key(), folder / SIGNED)
    return {name: measure_file(folder / name).hex() for name in (TODAY, BEFORE, SIGNED)}


def _signing_key() -> PemSigningKey:
    """Return a key pair with its certificate; the private half is dropped after one signature."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from nitro_workflow.image import PemSigningKey

    key, now = ec.generate_private_key(ec.SECP384R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "practice developer")])
    builder: Any = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _VALID)
    )
    certificate = builder.sign(key, hashes.SHA384())
    return PemSigningKey(certificate.public_bytes(serialization.Encoding.PEM), key)
