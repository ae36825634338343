"""P5 to P7: the applications are inspected, packed, measured; PCRs enter the key policy."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import ImageRefused
from nitro_workflow.lab.lab_folder import read_json, save
from nitro_workflow.lab.step_result import Outcome
from nitro_workflow.lab.steps.image_boot_parts import boot_part_digests, ensure_boot_parts
from nitro_workflow.lab.steps.p1_p2_keys import (
    CONTEXT,
    RESULT_CONTEXT,
    change_policy,
    policy_of,
)
from nitro_workflow.vsock import PROXY_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from enclave_image.packing import RootfsReport
    from nitro_workflow.lab.workbench import Workbench

__all__ = [
    "build",
    "build_holds",
    "build_inputs",
    "fence_key",
    "image_of",
    "inspect",
    "measured_config",
]

BUILD_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""A declared input: the same inputs give the same bytes, on whatever day."""


# -- P5 --------------------------------------------------------------------------------------------


def inspect(bench: Workbench) -> Outcome:
    """Lay out the enclave's root filesystem; list what both applications consist of.

    The developer makes the folder, the owner reads it: every file with its digest and origin.
    """
    from enclave_image.packing import inspect_parent, report_json

    config = measured_config(bench)
    application = bench.application
    save(bench.path / "developer" / "config.json", config)

    def tell(what: str, done: int, total: int) -> None:
        bench.say(f"Root filesystem: {what} ({done} of {total}) …")

    report = application.lay_out(bench.path / "developer" / "rootfs", config=config, progress=tell)
    shown = {"folder": "rootfs", "config": config}
    bench.calls.note("function", "application developer", "build_rootfs", shown,
                     service="enclave_image.packing", source="this process")  # fmt: skip
    listing = report_json(report).encode()
    save(bench.path / "owner" / "inspected.json", listing)
    digest = _digest_of(report)
    parent = inspect_parent()
    evidence = {
        "basis": "observed by the developer who laid it out, and by the owner who read every file",
        "files": len(report.files),
        "rootfs_bytes": report.size,
        "rootfs_sha256": digest,
        "origins": {
            name: {"files": count, "bytes": size} for name, (count, size) in report.origins.items()
        },
        "dependencies": dict(report.dependencies),
        "python": report.python,
        "entry_point": " ".join(report.command),
        "environment": report.environment,
        "vsock_ports": report.vsock_ports,
        "trusts": report.trust,
        "measured_configuration": _public_facts(config),
        "parent_application": {one.path: one.sha256 for one in parent},
        "belongs_to": "this machine, whose Python is in it; the Dockerfile gives everyone's PCRs",
    }
    config_digest = hashlib.sha256(config).hexdigest()
    produces = {
        "config_sha256": config_digest,
        "rootfs_sha256": digest,
        "application_sha256": application.fingerprint(),
    }
    return Outcome(evidence, produces)


def _public_facts(config: bytes) -> dict[str, Any]:
    """Return the measured configuration for people: PEM blocks as the digest of their text."""
    values: dict[str, Any] = json.loads(config)
    pems = [name for name, value in values.items() if str(value).startswith("-----BEGIN")]
    digests = {f"{name}_sha256": hashlib.sha256(values[name].encode()).hexdigest() for name in pems}
    return {name: value for name, value in values.items() if name not in pems} | digests


def _digest_of(report: RootfsReport) -> str:
    """Return one digest of all paths and digests: the folder as a whole."""
    lines = "".join(f"{one.sha256}  {one.path}\n" for one in report.files)
    return hashlib.sha256(lines.encode()).hexdigest()


def inspection_holds(bench: Workbench, produced: Mapping[str, Any]) -> bool:
    """Tell whether the inspected folder is there, for the key, CA and application of today."""
    config = hashlib.sha256(measured_config(bench)).hexdigest()
    same = bench.application.fingerprint() == produced.get("application_sha256", "")
    there = (bench.path / "developer" / "rootfs").is_dir()
    return same and config == produced["config_sha256"] and there


def measured_config(bench: Workbench, *, threshold: int = 0) -> bytes:
    """Return what the enclave trusts, as the file that is measured with it."""
    from cryptography.hazmat.primitives import serialization

    from enclave_image import MeasuredConfig

    application = bench.application
    public = (bench.path / "owner" / "results-public-key.der").read_bytes()
    pem = serialization.load_der_public_key(public).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return MeasuredConfig(
        region=bench.cloud.region,
        kms_host=bench.cloud.kms_host,
        kms_port_vsock=PROXY_PORT,
        ca_pem=bench.cloud.trust().ca_pem,
        key_arn=bench.produced("P1", "key_arn"),
        encryption_context=dict(CONTEXT),
        query=application.work,
        threshold=threshold or application.threshold,
        owner_public_key_pem=pem.decode(),
        owner_result_context=dict(RESULT_CONTEXT),
    ).to_json()


# -- P6 --------------------------------------------------------------------------------------------


def image_of(bench: Workbench) -> Path:
    """Return where the developer's image is."""
    return bench.path / "developer" / "application.eif"


def build(bench: Workbench) -> Outcome:
    """Pack the inspected folder into an image; the owner measures that very file themselves.

    The owner compares each file of the image's ramdisk with what was inspected in P5.
    """
    from nitro_workflow.image import measure_file

    ensure_boot_parts(bench)
    built = pack(bench, bench.path / "developer" / "rootfs", image_of(bench))
    measured = measure_file(built.path)
    bench.calls.note("function", "data owner", "measure_file", {"path": built.path.name},
                     service="nitro_workflow.image", answer=measured.hex(),
                     source="this process")  # fmt: skip
    compared = _compare_with_inspection(bench)
    with built.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    names = measured.hex()
    claimed = built.measurements.hex()
    pcrs = {name.removeprefix("PCR"): value for name, value in names.items() if name != "PCR8"}
    if names != claimed:
        raise ImageRefused(
            f"the developer's PCR0 {claimed['PCR0']}",
            expected=f"{names['PCR0']}, which the owner measured",
            where="P6",
            next="do not use this image",
        )
    evidence = {
        "basis": "observed by the developer who built it, and by the owner who measured the file",
        "image_bytes": built.size,
        "image_sha256": digest,
        "measurements": claimed,
        "owner_measurements": names,
        "same_as_inspected": compared,
        "bootable": not built.is_stand_in,
        "inputs": _inputs(bench),
        "build_notes": list(built.notes),
        **({"boot_parts": boot_part_digests(bench)} if bench.cloud.public else {}),
    }
    return Outcome(evidence, {"pcrs": pcrs, "image_sha256": digest}, _repeated(bench, digest))


def build_holds(bench: Workbench, produced: Mapping[str, Any]) -> bool:
    """Tell whether the image is still the file that was measured."""
    try:
        with image_of(bench).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == str(produced["image_sha256"])
    except OSError:
        return False


def pack(bench: Workbench, rootfs: Path, output: Path, *, command: tuple[str, ...] = ()) -> Any:
    """Build an image from a folder; the attacks build others from it."""
    from nitro_workflow.image import build_image

    inputs = {**build_inputs(bench), "rootfs": rootfs}
    inputs |= {"command": command} if command else {}
    built = build_image(output=output, **inputs)
    told = {name: value for name, value in inputs.items() if name not in ("boot", "rootfs")}
    shown = {"rootfs": rootfs.name, "output": output.name, **told}
    bench.calls.note("function", "application developer", "build_image", shown,
                     service="nitro_workflow.image", answer=built.measurements.hex(),
                     source="this process")  # fmt: skip
    return built


def build_inputs(bench: Workbench) -> dict[str, Any]:
    """Return what P6 gives to `build_image`, by name: all but ``output``.

    Raises `LabError` before P5, which lays the folder out.
    """
    application, inspected = bench.application, read_json(bench.path / "owner" / "inspected.json")
    return {
        "rootfs": bench.path / "developer" / "rootfs",
        "command": tuple(inspected["command"]),
        "environment": inspected["environment"],
        "name": application.name,
        "version": application.version,
        "build_time": BUILD_TIME,
        "boot": bench.host.boot_parts(),
    }


def _inputs(bench: Workbench) -> dict[str, Any]:
    config = (bench.path / "developer" / "config.json").read_bytes()
    boot = bench.host.boot_parts()
    parts = (boot.kernel, boot.command_line, boot.init, boot.nsm_module)
    return {
        "config_sha256": hashlib.sha256(config).hexdigest(),
        "rootfs_sha256": bench.produced("P5", "rootfs_sha256"),
        "build_time": BUILD_TIME.isoformat(),
        "name": bench.application.name,
        "version": bench.application.version,
        "architecture": platform.machine(),
        **({} if boot.is_stand_in else {"boot_parts_sha256": _digest_of_parts(parts)}),
    }


def _digest_of_parts(parts: Iterable[bytes]) -> str:
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(digests).hexdigest()


def _repeated(bench: Workbench, digest: str) -> tuple[str, ...]:
    earlier = bench.result("P6")
    if earlier is None or earlier.evidence.get("inputs") != _inputs(bench):
        return ()
    if earlier.produced.get("image_sha256") != digest:
        raise ImageRefused(
            f"an image of digest {digest}",
            expected=f"{earlier.produced.get('image_sha256')}, as the same inputs gave before",
            where="P6",
            next="compare both images: `nitro-workflow image diff`",
        )
    return ("the same inputs gave the same bytes as before",)


def _compare_with_inspection(bench: Workbench) -> int:
    """Return how many files of the image are those inspected; another is `ImageRefused`."""
    from nitro_workflow.image import open_image, ramdisk_entries

    inspected = {
        one["path"]: one["sha256"]
        for one in read_json(bench.path / "owner" / "inspected.json")["files"]
    }
    seen = 0
    with open_image(image_of(bench)) as image:
        for entry in ramdisk_entries(image, 1):
            path = entry.path.removeprefix("rootfs")
            if entry.kind != "file" or path == entry.path or entry.link_of:
                continue
            if inspected.get(path) != entry.sha256():
                raise ImageRefused(
                    f"{path} is not what was inspected",
                    expected=f"SHA-256 {inspected.get(path, 'none: there was no such file')}",
                    where="P6, ramdisk 1",
                    next="run step P5 again and look at what changed",
                )
            seen += 1
    if seen != len(inspected):
        raise ImageRefused(
            f"{seen} files",
            expected=f"the {len(inspected)} that were inspected",
            where="P6, ramdisk 1",
            next="run step P5 again and look at what changed",
        )
    return seen


# -- P7 --------------------------------------------------------------------------------------------


def fence_key(bench: Workbench) -> Outcome:
    """Put the PCRs that the owner measured into the key policy: Allow inside, Deny everywhere else.

    PCR3 is that of the instance's role. IAM: kms:PutKeyPolicy, by the key policy.
    """
    from nitro_workflow.attestation import pcr3
    from nitro_workflow.policy import author

    kms = bench.parties.session("owner").client("kms")
    key = bench.produced("P1", "key_arn")
    role = bench.policies.role_arn("instance")
    pcrs = {f"PCR{index}": value for index, value in bench.produced("P6", "pcrs").items()}
    pcrs["PCR3"] = pcr3(role).hex()
    new = author.attestation_policy(policy_of(kms, key), role, [pcrs], encryption_context=CONTEXT)
    _, difference = change_policy(bench, kms, key, new)
    notes = () if difference else ("the policy says so already: nothing was put",)
    earlier = bench.result("P7")
    evidence = {
        "basis": "observed by the data owner",
        "pcrs": pcrs,
        "encryption_context": dict(CONTEXT),
        "difference": difference or (earlier.evidence.get("difference") if earlier else []),
        "policy": policy_of(kms, key),
    }
    return Outcome(evidence, {"pcrs": pcrs}, notes)


def fence_holds(bench: Workbench, produced: Mapping[str, Any]) -> bool:
    """Tell whether the key policy still names these PCRs."""
    kms = bench.parties.session("owner").client("kms")
    text = json.dumps(policy_of(kms, bench.produced("P1", "key_arn")))
    return all(value in text for value in produced["pcrs"].values())
