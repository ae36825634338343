"""``nitro-cli describe-eif``'s object, key for key, and beside it what more there is to say."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.encoding import cose
from nitro_workflow.errors import EncodingError, ImageError
from nitro_workflow.image.format import (
    Image,
    SectionKind,
    is_stand_in_kernel,
    kernel_version,
    missing_keys,
    open_image,
    parse_signature_section,
    pcr0_payload,
)
from nitro_workflow.image.inspect.image_signature import load_certificate, public_key_of
from nitro_workflow.image.inspect.measure import Measurements, measure_image

if TYPE_CHECKING:
    from cryptography import x509

    from nitro_workflow.image.format import Progress, Readable

# OpenSSL's long names of what certificates' names hold (crypto/objects/objects.txt).
_LONG_NAMES: Final = {
    "2.5.4.3": "commonName",
    "2.5.4.4": "surname",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.9": "streetAddress",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "2.5.4.12": "title",
    "2.5.4.17": "postalCode",
    "2.5.4.42": "givenName",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "0.9.2342.19200300.100.1.1": "userId",
    "0.9.2342.19200300.100.1.25": "domainComponent",
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.10045.4.3.1": "ecdsa-with-SHA224",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.3.101.112": "ED25519",
}
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


def describe_image(source: Readable, progress: Progress | None = None) -> dict[str, Any]:
    """Return what ``nitro-cli describe-eif`` prints, in its key order (EifDescribeInfo, 1.5.0).

    Like nitro-cli it looks at the CRC and the signature but refuses neither a wrong CRC nor a
    signature over another PCR0: ``CheckCRC`` and ``SignatureCheck`` say so. Raises `ImageError` for
    what it cannot read, a signature that does not hold included (nitro-cli's E35).
    """
    with open_image(source) as image:
        measured = measure_image(image, progress)
        info: dict[str, Any] = {
            "EifVersion": image.header.version,
            "Measurements": measured.to_json(),
            "IsSigned": False,
        }
        signed = _describe_signature(image, measured)
        if signed is not None:
            info["IsSigned"] = True
            info["SigningCertificate"] = signed[0]
        info["CheckCRC"] = measured.crc32 == image.header.crc32
        if signed is not None:
            info["SignatureCheck"] = signed[1]
        return info | _describe_metadata(image)


def _describe_signature(image: Image, measured: Measurements) -> tuple[dict[str, Any], bool] | None:
    section = image.signature_section
    if section is None:
        return None
    parsed = parse_signature_section(section)
    certificate = load_certificate(parsed.certificate_pem)
    try:
        message = cose.parse_sign1(parsed.cose)
        holds = cose.verify_sign1(message, public_key_of(parsed.certificate_pem))
    except EncodingError as error:
        raise ImageError(
            f"a signature that cannot be read: {error}",
            expected="an untagged COSE_Sign1",
            where="signature section",
            next="Sign the image again with `nitro-workflow image sign`.",
        ) from error
    if not holds:
        raise ImageError(
            "a signature that does not hold",
            expected="one made with the certificate's key",
            where="signature section",
            next="Sign the image again with `nitro-workflow image sign`; do not run this one.",
        )
    return certificate_json(certificate), message.payload == pcr0_payload(measured.pcr0)


def certificate_json(certificate: x509.Certificate) -> dict[str, Any]:
    """Return nitro-cli's ``SigningCertificate`` object, with its issuer's names sorted."""
    names = {_long_name(item.oid.dotted_string): _debug(item.value) for item in certificate.issuer}
    return {
        "IssuerName": dict(sorted(names.items())),
        "Algorithm": _long_name(certificate.signature_algorithm_oid.dotted_string),
        "NotBefore": _asn1_time(certificate.not_valid_before_utc),
        "NotAfter": _asn1_time(certificate.not_valid_after_utc),
        "Signature": certificate.signature.hex(":").upper(),
    }


def _long_name(oid: str) -> str:
    return _LONG_NAMES.get(oid, oid)


def _debug(value: str | bytes) -> str:
    """Write a string as Rust's ``{:?}`` with the quotes taken away, as eif_reader.rs does."""
    if isinstance(value, bytes):
        return "non-UTF8-string"
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return escaped.replace("\t", "\\t").replace('"', "\\")


def _asn1_time(moment: datetime) -> str:
    """Write a time as OpenSSL's ASN1_TIME_print, whatever the locale."""
    return (
        f"{_MONTHS[moment.month - 1]} {moment.day:2d} "
        f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} {moment.year} GMT"
    )


def _describe_metadata(image: Image) -> dict[str, Any]:
    metadata = image.metadata
    if metadata is None:
        return {}
    missing = missing_keys(metadata)
    if missing:
        raise ImageError(
            f"metadata without {', '.join(missing)}",
            expected="the keys of EifIdentityInfo",
            where="metadata section",
            next="`nitro-workflow image check` and `measure` read the image all the same.",
        )
    about: dict[str, Any] = dict(metadata["BuildMetadata"])
    about["DockerInfo"] = metadata.get("DockerInfo")
    custom = metadata.get("CustomMetadata")
    if isinstance(custom, dict):
        about |= custom
    elif custom is not None:
        about["CustomMetadata"] = custom  # nitro-cli cannot print this one at all
    return {
        "ImageName": metadata.get("ImageName"),
        "ImageVersion": metadata.get("ImageVersion"),
        "Metadata": about,
    }


def describe_contents(image: Image) -> dict[str, Any]:
    """Return what nitro-cli does not print: architecture, sections, kernel, command line."""
    kernels = image.of_kind(SectionKind.KERNEL)
    start = (
        image.source.read_at(kernels[0].data_offset, min(kernels[0].size, 256)) if kernels else b""
    )
    return {
        "Architecture": image.header.architecture,
        "UnknownFlags": f"0x{image.header.unknown_flags:04x}",
        "Size": image.source.size,
        "Bootable": not is_stand_in_kernel(start),
        "KernelVersionString": kernel_version(image),
        "CommandLine": image.command_line.decode("utf-8", "backslashreplace"),
        "Sections": [
            {
                "Index": section.index,
                "Type": section.kind.name.lower(),
                "Offset": section.offset,
                "DataOffset": section.data_offset,
                "Size": section.size,
            }
            for section in image.sections
        ],
    }
