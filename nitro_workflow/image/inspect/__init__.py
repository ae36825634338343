"""What an image measures to, whether it keeps the rules, what it says, and what differs.

>>> from nitro_workflow.image.inspect import measure_parts
>>> measured = measure_parts(b"kernel", b"quiet", [b"bootstrap", b"application"])
>>> sorted(measured.hex())
['PCR0', 'PCR1', 'PCR2']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.image.inspect.check_report import (
        CheckReport,
        ImageFinding,
    )
    from nitro_workflow.image.inspect.describe import (
        describe_contents,
        describe_image,
    )
    from nitro_workflow.image.inspect.extract import (
        extract_section,
    )
    from nitro_workflow.image.inspect.image_diff import (
        FileChange,
        ImageDiff,
        diff_images,
    )
    from nitro_workflow.image.inspect.image_signature import (
        VerifiedSignature,
        check_certificate_validity,
        public_key_of,
        signature_refused,
        unusable_key,
        verify_signature,
    )
    from nitro_workflow.image.inspect.measure import (
        Measurements,
        Meter,
        crc_of_header_and_body,
        extend,
        measure_fd,
        measure_file,
        measure_image,
        measure_parts,
        pcr_of,
    )
    from nitro_workflow.image.inspect.validator import (
        check_image,
    )

_HOMES = {
    "CheckReport": "check_report",
    "FileChange": "image_diff",
    "ImageDiff": "image_diff",
    "ImageFinding": "check_report",
    "Measurements": "measure",
    "Meter": "measure",
    "VerifiedSignature": "image_signature",
    "check_certificate_validity": "image_signature",
    "check_image": "validator",
    "crc_of_header_and_body": "measure",
    "describe_contents": "describe",
    "describe_image": "describe",
    "diff_images": "image_diff",
    "extend": "measure",
    "extract_section": "extract",
    "measure_fd": "measure",
    "measure_file": "measure",
    "measure_image": "measure",
    "measure_parts": "measure",
    "pcr_of": "measure",
    "public_key_of": "image_signature",
    "signature_refused": "image_signature",
    "unusable_key": "image_signature",
    "verify_signature": "image_signature",
}

__all__ = [
    "CheckReport",
    "FileChange",
    "ImageDiff",
    "ImageFinding",
    "Measurements",
    "Meter",
    "VerifiedSignature",
    "check_certificate_validity",
    "check_image",
    "crc_of_header_and_body",
    "describe_contents",
    "describe_image",
    "diff_images",
    "extend",
    "extract_section",
    "measure_fd",
    "measure_file",
    "measure_image",
    "measure_parts",
    "pcr_of",
    "public_key_of",
    "signature_refused",
    "unusable_key",
    "verify_signature",
]

__getattr__ = lazy_names(__name__, _HOMES)
