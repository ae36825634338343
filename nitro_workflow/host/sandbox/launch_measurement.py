"""What the hypervisor checks of an image before it runs: structure, CRC, signature, registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitro_workflow.attestation import pcr3, pcr4
from nitro_workflow.errors import ImageError, ImageRefused
from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.host.rules.launch_rules import host_architecture
from nitro_workflow.image import Measurements, measure_fd, open_image, verify_signature
from nitro_workflow.registers import ZERO_PCR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from datetime import datetime

__all__ = ["MeasuredImage", "awaited_measurement", "launch_registers", "measure_image"]


@dataclass(frozen=True, slots=True)
class MeasuredImage:
    """An image that may run: what it measured to, and its metadata, which is not measured."""

    measurements: Measurements
    metadata: Mapping[str, object] | None


def measure_image(descriptor: int, now: datetime) -> MeasuredImage:
    """Check and measure the image behind ``descriptor``, a sealed copy.

    Raises `ImageError` (nitro-cli's E35) or `ImageRefused` (E59).
    """
    with open_image(descriptor) as image:
        _check_architecture(image.header.architecture)
        measurements = measure_fd(descriptor)
        if measurements.crc32 != image.header.crc32:
            raise ImageError(
                f"CRC {measurements.crc32:08x}",
                expected=f"{image.header.crc32:08x}, as the header says",
                where="EIF header, bytes 544-547",
                next="the file was changed or cut: build or copy it again",
            )
        if image.signature_section is not None:
            verify_signature(image, measurements, at=now)
        return MeasuredImage(measurements, image.metadata)


def awaited_measurement(measuring: Future[MeasuredImage]) -> MeasuredImage:
    """Return what `measure_image` found; its refusals as `HostError` with nitro-cli's code."""
    try:
        return measuring.result()
    except ImageRefused as error:
        text = f"EIF signature checker error: {error.found}"
        raise failure("E59", text, expected=error.expected, next=error.next) from error
    except ImageError as error:
        text = f"EIF file parsing error: {error.found}"
        raise failure("E35", text, expected=error.expected, next=error.next) from error


def launch_registers(
    image: MeasuredImage, *, instance_id: str, role_arn: str | None, debug: bool
) -> dict[int, bytes]:
    """Return the PCRs at launch. In debug mode 0, 1 and 2 are zero, and only these."""
    measured = image.measurements
    boot = (measured.pcr0, measured.pcr1, measured.pcr2)
    registers = {index: ZERO_PCR if debug else value for index, value in enumerate(boot)}
    registers[3] = pcr3(role_arn) if role_arn else ZERO_PCR
    registers[4] = pcr4(instance_id)
    if measured.pcr8 is not None:
        registers[8] = measured.pcr8
    return registers


def _check_architecture(architecture: str) -> None:
    if architecture != host_architecture():
        raise ImageError(
            f"an image for {architecture}",
            expected=host_architecture(),
            where="EIF header, flags",
            next="build it on, or for, this architecture",
        )
