"""Build and sign images, measuring what is written on the way.

>>> from nitro_workflow.image.build import KMS_ARN
>>> KMS_ARN.fullmatch("arn:aws:kms:eu-west-1:111122223333:key/1234abcd")["region"]
'eu-west-1'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.image.build.builder import (
        build_from_parts,
        build_image,
    )
    from nitro_workflow.image.build.image_writer import (
        BuiltImage,
        measure_part_files,
        write_image,
    )
    from nitro_workflow.image.build.signing import (
        sign_image,
    )
    from nitro_workflow.image.build.signing_key import (
        KMS_ARN,
        KmsSigningKey,
        PemSigningKey,
        SigningKey,
        build_signature_section,
        signing_key_from_pem,
    )

_HOMES = {
    "KMS_ARN": "signing_key",
    "BuiltImage": "image_writer",
    "KmsSigningKey": "signing_key",
    "PemSigningKey": "signing_key",
    "SigningKey": "signing_key",
    "build_from_parts": "builder",
    "build_image": "builder",
    "build_signature_section": "signing_key",
    "measure_part_files": "image_writer",
    "sign_image": "signing",
    "signing_key_from_pem": "signing_key",
    "write_image": "image_writer",
}

__all__ = [
    "KMS_ARN",
    "BuiltImage",
    "KmsSigningKey",
    "PemSigningKey",
    "SigningKey",
    "build_from_parts",
    "build_image",
    "build_signature_section",
    "measure_part_files",
    "sign_image",
    "signing_key_from_pem",
    "write_image",
]

__getattr__ = lazy_names(__name__, _HOMES)
