"""describe-eif's object, key for key, and what is said beside it."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nitro_workflow.errors import ImageError
from nitro_workflow.image import (
    certificate_der,
    check_image,
    describe_contents,
    describe_image,
    measure_file,
    open_image,
    sign_image,
    signing_key_from_pem,
    verify_signature,
)
from nitro_workflow.image.format.kernel_header import kernel_version
from tests.image.conftest import IDENTITY, NOW, key_and_certificate
from tests.image.test_check import ARM_IMAGE, BZIMAGE


def test_an_unsigned_image(small):
    path = small()
    assert describe_image(path) == {
        "EifVersion": 4,
        "Measurements": measure_file(path).to_json(),
        "IsSigned": False,
        "CheckCRC": True,
        "ImageName": "image",
        "ImageVersion": "1.0",
        "Metadata": {
            "BuildTime": "2026-01-02T03:04:05+00:00",
            "BuildTool": "eif_build",
            "BuildToolVersion": "0.2.1",
            "OperatingSystem": "Linux",
            "KernelVersion": "6.6.79",
            "DockerInfo": None,
        },
    }
    assert list(describe_image(path)) == [
        "EifVersion", "Measurements", "IsSigned", "CheckCRC", "ImageName", "ImageVersion", "Metadata",
    ]  # fmt: skip


def test_a_signed_image(small, pairs):
    info = describe_image(small(signing_key_from_pem(*pairs["P-384"])))
    assert list(info) == [
        "EifVersion", "Measurements", "IsSigned", "SigningCertificate", "CheckCRC",
        "SignatureCheck", "ImageName", "ImageVersion", "Metadata",
    ]  # fmt: skip
    about = info["SigningCertificate"]
    assert about["IssuerName"] == {"commonName": "image signer", "countryName": "US"}
    assert about["Algorithm"] == "ecdsa-with-SHA384"
    assert about["NotBefore"] == "May 31 00:00:00 2026 GMT"
    assert about["NotAfter"] == "May 27 00:00:00 2046 GMT"
    assert about["Signature"].startswith("30:")
    assert info["SignatureCheck"] is True


def test_days_of_one_digit():
    pem, _ = key_and_certificate("P-256", dt.datetime(2026, 2, 3, 4, 5, 6, tzinfo=dt.UTC))
    from nitro_workflow.image.inspect.describe import certificate_json

    about = certificate_json(x509.load_pem_x509_certificate(pem))
    assert about["NotBefore"] == "Feb  3 04:05:06 2026 GMT"


def test_versions_without_metadata(small):
    info = describe_image(small(version=3, metadata=None))
    assert list(info) == ["EifVersion", "Measurements", "IsSigned", "CheckCRC"]


def test_custom_metadata_is_flattened(small):
    packed = IDENTITY.pack()[:-5]
    info = describe_image(small(metadata=packed + b'{"owner":"me","BuildTool":"mine"}}'))
    assert info["Metadata"]["owner"] == "me"
    assert info["Metadata"]["BuildTool"] == "mine"
    assert describe_image(small(metadata=packed + b"[1]}"))["Metadata"]["CustomMetadata"] == [1]


def test_metadata_that_nitro_cli_refuses(small):
    with pytest.raises(ImageError, match=r"without ImageName, .*BuildMetadata"):
        describe_image(small(metadata=b"{}"))


def test_a_wrong_crc_is_said_and_a_bad_signature_refused(small, pairs):
    path = small(signing_key_from_pem(*pairs["P-384"]))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ImageError, match="does not hold"):
        describe_image(path)
    data[-1] ^= 1
    data[560] ^= 1  # the kernel: another PCR0
    path.write_bytes(data)
    info = describe_image(path)
    assert (info["CheckCRC"], info["SignatureCheck"]) == (False, False)


def test_certificates_with_names_that_cannot_be_read(small, pairs):
    """Found by fuzzing: the library parses names only when they are asked for."""
    pem, key = pairs["P-256"]
    der = certificate_der(pem)
    place = der.index(b"image signer") - 2
    spoiled = der[:place] + b"\x15" + der[place + 1 :]
    body = base64.encodebytes(spoiled)
    forged = b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"
    with pytest.raises(ImageError, match="cannot be read"):
        signing_key_from_pem(forged, key)
    path = small(_Spoiled(forged, signing_key_from_pem(pem, key)))
    with pytest.raises(ImageError, match="cannot be read"):
        describe_image(path)
    assert check_image(path).rules >= {"signature-shape"}


class _Spoiled:
    def __init__(self, certificate, key):
        self.certificate_pem = certificate
        self.cose_sign1 = key.cose_sign1


def test_contents(small):
    version = b"6.6.79 (me@host) #1 SMP"
    kernel = bytearray(BZIMAGE + bytes(200) + version + b"\0")
    kernel[0x20E:0x210] = (len(BZIMAGE) + 200 - 0x200).to_bytes(2, "little")
    with open_image(small(kernel=bytes(kernel))) as image:
        contents = describe_contents(image)
        assert contents["KernelVersionString"] == version.decode()
        assert contents["Bootable"] is True
        assert [s["Type"] for s in contents["Sections"]][:2] == ["kernel", "cmdline"]
    banner = b"Linux version %s (%s)\0" + bytes(5_000_000) + b"Linux version 6.1.0 (x)\nmore"
    with open_image(small(kernel=ARM_IMAGE + banner, arch="aarch64")) as image:
        assert kernel_version(image) == "6.1.0 (x)"
    with open_image(small(kernel=b"none")) as image:
        assert kernel_version(image) is None


def test_signing_again(small, pairs, tmp_path):
    path = small()
    unsigned = measure_file(path)
    built = sign_image(path, signing_key_from_pem(*pairs["P-256"]), tmp_path / "signed.eif")
    assert measure_file(path) == unsigned
    assert built.is_signed
    assert built.measurements.pcr0 == unsigned.pcr0
    once = small(signing_key_from_pem(*pairs["P-256"])).read_bytes()
    assert built.path.read_bytes() == once
    sign_image(built.path, signing_key_from_pem(*pairs["P-521"]))
    with open_image(built.path) as image:
        assert len(image.sections) == 6
        verify_signature(image, measure_file(built.path), at=NOW)
    sign_image(built.path, signing_key_from_pem(*pairs["P-256"]))
    assert built.path.read_bytes() == once


def test_signing_keeps_what_a_header_has(small, pairs):
    path = small(version=2, metadata=None, arch="aarch64")
    data = bytearray(path.read_bytes())
    data[8:16] = (7).to_bytes(8, "big")
    path.write_bytes(data)
    sign_image(path, signing_key_from_pem(*pairs["P-256"]))
    with open_image(path) as image:
        assert image.header.version == 3  # the first with signatures
        assert image.header.default_memory == 7
        assert image.header.architecture == "aarch64"


def test_another_kind_of_certificate(small, pairs):
    key = ec.generate_private_key(ec.SECP256K1())
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
        .public_key(key.public_key()).not_valid_before(NOW).not_valid_after(NOW + dt.timedelta(1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    with pytest.raises(ImageError, match="P-256, P-384 or P-521"):
        signing_key_from_pem(pem, pairs["P-256"][1])
