from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from asn1crypto import algos, core
from asn1crypto import cms as asn1_cms
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow import cms
from nitro_workflow.errors import EnvelopeError

FOLDER = Path(__file__).parents[1] / "vectors" / "cms"
VECTORS = sorted(path.parent.name for path in FOLDER.glob("*/envelope.ber"))
OPENABLE = sorted(path.parent.name for path in FOLDER.glob("*/key.pkcs8.der"))
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def spki_of(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def load(name: str) -> tuple[bytes, rsa.RSAPrivateKey, bytes]:
    folder = FOLDER / name
    key = serialization.load_der_private_key((folder / "key.pkcs8.der").read_bytes(), None)
    plaintext = (folder / "expected_plaintext.bin").read_bytes()
    return (folder / "envelope.ber").read_bytes(), key, plaintext


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def spki(key: rsa.RSAPrivateKey) -> bytes:
    return spki_of(key)


def mask(envelope: bytes) -> bytes:
    """The envelope with what is random in it set to zero."""
    parsed = cms.parse_envelope(envelope)
    masked = bytearray(envelope)
    for field in ("key_identifier", "encrypted_key", "iv"):
        start, end = parsed.spans[field]
        masked[start:end] = bytes(end - start)
    start, end = parsed.spans["encrypted_content"]
    payload = len(parsed.encrypted_content)
    masked[end - 2 - payload : end - 2] = bytes(payload)
    return bytes(masked)


def flips(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    for bit in range(start * 8, end * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(changed)


def opens(envelope: bytes, key: rsa.RSAPrivateKey) -> bool:
    try:
        cms.open_envelope(envelope, key)
    except EnvelopeError:
        return False
    return True


# --- KMS's own envelopes -----------------------------------------------------------------------


def test_there_are_four_vectors_and_two_with_keys():
    assert len(VECTORS) == 4
    assert len(OPENABLE) == 2


@pytest.mark.parametrize("name", VECTORS)
def test_every_vector_is_parsed(name):
    envelope = (FOLDER / name / "envelope.ber").read_bytes()
    parsed = cms.parse_envelope(envelope)
    assert len(parsed.encrypted_key) == 256
    for field in ("key_identifier", "encrypted_key", "iv"):
        start, end = parsed.spans[field]
        assert envelope[start:end] == getattr(parsed, field)


@pytest.mark.parametrize("name", OPENABLE)
def test_vectors_with_a_key_open(name):
    envelope, private, plaintext = load(name)
    assert cms.open_envelope(envelope, private) == plaintext
    assert cms.parse_envelope(envelope).key_identifier == cms.key_identifier(spki_of(private))


def test_the_primitive_form_of_the_content_is_read():
    envelope = (FOLDER / "aws_sdk_c_1" / "envelope.ber").read_bytes()
    start, end = cms.parse_envelope(envelope).spans["encrypted_content"]
    assert envelope[start] == 0x80
    assert cms.parse_envelope(envelope).encrypted_content == envelope[start + 2 : end]


@pytest.mark.parametrize("name", [name for name in VECTORS if name != "aws_sdk_c_1"])
def test_sealed_envelopes_have_kms_layout_byte_for_byte(name, spki):
    theirs = (FOLDER / name / "envelope.ber").read_bytes()
    content = cms.parse_envelope(theirs).encrypted_content
    ours = cms.seal_envelope(bytes(len(content) - 1), spki)
    assert mask(ours) == mask(theirs)


# --- two other implementations, in both directions ----------------------------------------------


@pytest.mark.parametrize("name", VECTORS)
def test_asn1crypto_reads_the_same_fields(name):
    envelope = (FOLDER / name / "envelope.ber").read_bytes()
    _compare_with_asn1crypto(envelope)


def test_asn1crypto_reads_what_is_sealed_here(spki):
    _compare_with_asn1crypto(cms.seal_envelope(b"x" * 32, spki))


def _compare_with_asn1crypto(envelope: bytes) -> None:
    theirs = asn1_cms.ContentInfo.load(envelope, strict=True)["content"]
    (recipient,) = theirs["recipient_infos"]
    info = recipient.chosen
    ours = cms.parse_envelope(envelope)
    assert info["rid"].chosen.native == ours.key_identifier
    assert info["encrypted_key"].native == ours.encrypted_key
    content = theirs["encrypted_content_info"]
    assert content["content_encryption_algorithm"]["parameters"].native == ours.iv
    assert content["encrypted_content"].native == ours.encrypted_content


def test_an_envelope_of_asn1crypto_opens_here(key, spki):
    content_key, iv, plaintext = bytes(range(32)), bytes(16), b"made by another implementation"
    encrypted = _cbc(plaintext, content_key, iv)
    info = asn1_cms.ContentInfo(
        {
            "content_type": "enveloped_data",
            "content": asn1_cms.EnvelopedData(
                {
                    "version": "v2",
                    "recipient_infos": [
                        asn1_cms.RecipientInfo(
                            "ktri",
                            asn1_cms.KeyTransRecipientInfo(
                                {
                                    "version": "v2",
                                    "rid": asn1_cms.RecipientIdentifier(
                                        "subject_key_identifier", cms.key_identifier(spki)
                                    ),
                                    "key_encryption_algorithm": _oaep(),
                                    "encrypted_key": key.public_key().encrypt(content_key, OAEP),
                                }
                            ),
                        )
                    ],
                    "encrypted_content_info": {
                        "content_type": "data",
                        "content_encryption_algorithm": {
                            "algorithm": "aes256_cbc",
                            "parameters": core.OctetString(iv),
                        },
                        "encrypted_content": encrypted,
                    },
                }
            ),
        }
    )
    assert cms.open_envelope(info.dump(), key) == plaintext


def _oaep() -> asn1_cms.KeyEncryptionAlgorithm:
    sha256 = {"algorithm": "sha256", "parameters": core.Null()}
    mgf1 = {"algorithm": "mgf1", "parameters": sha256}
    parameters = algos.RSAESOAEPParams({"hash_algorithm": sha256, "mask_gen_algorithm": mgf1})
    # asn1crypto leaves DEFAULTs out and pSourceAlgorithm is one: what KMS writes is what is left.
    return asn1_cms.KeyEncryptionAlgorithm({"algorithm": "rsaes_oaep", "parameters": parameters})


def _cbc(plaintext: bytes, content_key: bytes, iv: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    count = 16 - len(plaintext) % 16
    cipher = Cipher(algorithms.AES256(content_key), modes.CBC(iv)).encryptor()
    return cipher.update(plaintext + bytes([count]) * count) + cipher.finalize()


@pytest.fixture
def openssl(require) -> str:
    found = shutil.which("openssl")
    require("openssl", found is not None, "apt-get install openssl")
    return found or ""


def test_openssl_opens_what_is_sealed_here(openssl, key, spki, tmp_path):
    (tmp_path / "envelope").write_bytes(cms.seal_envelope(b"for another tool", spki))
    _write_key(tmp_path / "key.pem", key)
    opened = _run(
        *(openssl, "cms", "-decrypt", "-inform", "DER", "-in", tmp_path / "envelope"),
        *("-inkey", tmp_path / "key.pem"),
    )
    assert opened == b"for another tool"


@pytest.mark.parametrize("name", OPENABLE)
def test_openssl_and_this_room_open_kms_vectors_alike(openssl, name, tmp_path):
    envelope, private, plaintext = load(name)
    (tmp_path / "envelope").write_bytes(envelope)
    _write_key(tmp_path / "key.pem", private)
    opened = _run(
        *(openssl, "cms", "-decrypt", "-inform", "DER", "-in", tmp_path / "envelope"),
        *("-inkey", tmp_path / "key.pem"),
    )
    assert opened == plaintext == cms.open_envelope(envelope, private)


@pytest.mark.parametrize("form", [[], ["-stream"]])
def test_an_envelope_of_openssl_opens_here(openssl, form, key, spki, tmp_path):
    certificate = _certificate(key, cms.key_identifier(spki), tmp_path / "certificate.pem")
    (tmp_path / "plaintext").write_bytes(b"sealed by openssl")
    envelope = _run(
        *(openssl, "cms", "-encrypt", "-binary", "-aes256", "-outform", "DER", *form),
        *("-in", tmp_path / "plaintext", "-recip", certificate, "-keyid"),
        *("-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"),
        *("-keyopt", "rsa_mgf1_md:sha256"),
    )
    assert cms.open_envelope(envelope, key) == b"sealed by openssl"


def _run(*arguments: object) -> bytes:
    return subprocess.run(list(map(str, arguments)), check=True, capture_output=True).stdout


def _write_key(path: Path, key: rsa.RSAPrivateKey) -> None:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _certificate(key: rsa.RSAPrivateKey, identifier: bytes, path: Path) -> Path:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "recipient")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


# --- nothing else is accepted --------------------------------------------------------------------


def test_every_shorter_envelope_and_every_longer_one_is_refused(key, spki):
    envelope = cms.seal_envelope(b"k" * 32, spki)
    for length in range(len(envelope)):
        with pytest.raises(EnvelopeError):
            cms.open_envelope(envelope[:length], key)
    with pytest.raises(EnvelopeError, match="no bytes after it"):
        cms.open_envelope(envelope + b"\0", key)
    with pytest.raises(EnvelopeError, match="1 to 6144"):
        cms.open_envelope(bytes(6145), key)


def test_flips_outside_iv_and_content_are_all_refused(key, spki):
    """Object identifiers, versions, lengths, key identifier, RSA block: not one bit may change."""
    envelope = cms.seal_envelope(b"k" * 32, spki)
    spans = cms.parse_envelope(envelope).spans
    iv, content = spans["iv"], spans["encrypted_content"]
    for start, end in ((0, iv[0]), (iv[1], content[0] + 4), (content[1] - 2, len(envelope))):
        for bit, changed in flips(envelope, start, end):
            assert not opens(changed, key), f"bit {bit % 8} of byte {bit // 8} does not count"


def test_flips_in_iv_and_content_may_open_and_are_caught_by_the_gcm_tag(key, spki):
    """An envelope has no MAC: what opens is another key, and the data's own tag refuses it."""
    data_key = AESGCM.generate_key(256)
    message = AESGCM(data_key).encrypt(bytes(12), b"customer records", b"context")
    envelope = cms.seal_envelope(data_key, spki)
    spans = cms.parse_envelope(envelope).spans
    opened = 0
    for start, end in (spans["iv"], (spans["encrypted_content"][0] + 4, len(envelope) - 8)):
        for _, changed in flips(envelope, start, end):
            try:
                other = cms.open_envelope(changed, key)
            except EnvelopeError:
                continue
            opened += 1
            assert other != data_key
            if len(other) != 32:
                continue  # no AES-256 key: `attested` refuses its length
            with pytest.raises(InvalidTag):
                AESGCM(other).decrypt(bytes(12), message, b"context")
    # Flips of the IV and of all but the last two blocks always open, the others hardly ever.
    assert 256 <= opened <= 400


def test_there_is_one_error_for_all_that_does_not_open(key, spki):
    """Bad OAEP, a content key of another length, bad padding: the same text, so no oracle."""
    errors = set()
    for changed in (
        _sealed_with(spki, encrypted_key=bytes(256)),
        _sealed_with(spki, encrypted_key=key.public_key().encrypt(bytes(16), OAEP)),
        _padded_with_zeros(key, spki),
    ):
        with pytest.raises(EnvelopeError) as caught:
            cms.open_envelope(changed, key)
        assert caught.value.__context__ is None or caught.value.__suppress_context__
        errors.add(caught.value.diagnostics())
    assert len(errors) == 1


def _sealed_with(spki: bytes, *, encrypted_key: bytes) -> bytes:
    envelope = cms.seal_envelope(b"k" * 32, spki)
    start, end = cms.parse_envelope(envelope).spans["encrypted_key"]
    return envelope[:start] + encrypted_key + envelope[end:]


def _padded_with_zeros(key: rsa.RSAPrivateKey, spki: bytes) -> bytes:
    """Zeros are never a padding; what another content key makes of a content now and then is one."""
    envelope = _sealed_with(spki, encrypted_key=key.public_key().encrypt(bytes(32), OAEP))
    parsed = cms.parse_envelope(envelope)
    start = parsed.spans["encrypted_content"][0] + 4
    content = _cbc(bytes(48), bytes(32), parsed.iv)[:48]
    return envelope[:start] + content + envelope[start + 48 :]


def test_two_recipients_are_refused(key, spki):
    envelope = cms.seal_envelope(b"k" * 32, spki)
    start, end = cms.parse_envelope(envelope).spans["recipient"]
    recipient = envelope[start:end]
    # The SET's header is the four bytes before its one recipient (31 82 hh ll).
    length = (2 * len(recipient)).to_bytes(2, "big")
    doubled = envelope[: start - 2] + length + recipient * 2 + envelope[end:]
    with pytest.raises(EnvelopeError, match="the end of recipientInfos"):
        cms.open_envelope(doubled, key)


def test_another_key_is_named(spki):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(EnvelopeError, match="sealed to the key") as caught:
        cms.open_envelope(cms.seal_envelope(b"k", spki), other)
    assert cms.key_identifier(spki_of(other)).hex() in caught.value.expected


def test_many_segments_open_and_too_many_are_refused(key, spki):
    envelope = cms.seal_envelope(bytes(63 * 16 - 1), spki)
    parsed = cms.parse_envelope(envelope)
    start, end = parsed.spans["encrypted_content"]
    blocks = [parsed.encrypted_content[i : i + 16] for i in range(0, 63 * 16, 16)]
    segments = b"".join(b"\x04\x10" + block for block in blocks)
    many = envelope[:start] + b"\xa0\x80" + segments + b"\0\0" + envelope[end:]
    assert cms.open_envelope(many, key) == bytes(63 * 16 - 1)
    empty = envelope[:start] + b"\xa0\x80" + b"\x04\x00" * 65 + b"\0\0" + envelope[end:]
    with pytest.raises(EnvelopeError):
        cms.open_envelope(empty, key)


@pytest.mark.parametrize("length", ["8120", "820020", "83000020", "8400000020", "ff"])
def test_lengths_that_are_not_minimal_are_refused(length, key, spki):
    envelope = cms.seal_envelope(b"k", spki)
    start, _ = cms.parse_envelope(envelope).spans["key_identifier"]
    with pytest.raises(EnvelopeError):
        cms.parse_envelope(envelope[: start - 1] + bytes.fromhex(length) + envelope[start:])


# --- sealing -------------------------------------------------------------------------------------


def test_a_plaintext_of_any_length_comes_back(key, spki):
    for length in (0, 1, 15, 16, 17, 32, 1024, 2374, 4096):
        assert cms.open_envelope(cms.seal_envelope(bytes(length), spki), key) == bytes(length)
    with pytest.raises(EnvelopeError, match="4097"):
        cms.seal_envelope(bytes(4097), spki)


def test_the_largest_envelope_fits_kms_limit(spki):
    assert len(cms.seal_envelope(bytes(4096), spki)) <= cms.MAX_ENVELOPE_BYTES


@pytest.mark.parametrize("bits", [3072, 4096])
def test_larger_keys_work(bits):
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    assert cms.open_envelope(cms.seal_envelope(b"k", spki_of(private)), private) == b"k"


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_an_exponent_that_is_slow_or_that_openssl_refuses_later_is_refused(bits):
    """An image may ask for a document with any key: no answer may take 12 ms, or fail, for it."""
    modulus = (1 << bits) - 1
    for exponent in (modulus - 2, (1 << 64) + 1):
        spki = rsa.RSAPublicNumbers(exponent, modulus).public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )  # fmt: skip
        with pytest.raises(EnvelopeError, match="an exponent of"):
            cms.load_recipient_key(spki)


def test_keys_that_cannot_be_sealed_to_are_refused():
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for spki_der in (b"", b"no key", curve.public_bytes(*form), small.public_bytes(*form)):
        with pytest.raises(EnvelopeError, match="2048, 3072 or 4096"):
            cms.seal_envelope(b"k", spki_der)


# --- any bytes -----------------------------------------------------------------------------------

SEEDS = [(FOLDER / name / "envelope.ber").read_bytes() for name in VECTORS]


@given(st.binary(max_size=600))
def test_any_bytes_are_parsed_or_refused(data):
    with suppress(EnvelopeError):
        cms.parse_envelope(data)


@settings(max_examples=400)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4),
    st.integers(0, 600),
)
def test_any_change_is_read_alike_or_refused(seed, changes, cut):
    data = bytearray(seed)
    for place, value in changes:
        if place < len(data):
            data[place] = value
    data = data[: max(cut, 1)] if cut < len(data) // 4 else data
    try:
        parsed = cms.parse_envelope(bytes(data))
    except EnvelopeError:
        return
    theirs = asn1_cms.ContentInfo.load(bytes(data))["content"]["encrypted_content_info"]
    assert theirs["encrypted_content"].native == parsed.encrypted_content


def test_the_error_of_a_base64_text_says_what_to_do(spki):
    with pytest.raises(EnvelopeError) as caught:
        cms.parse_envelope(base64.b64encode(cms.seal_envelope(b"k", spki)))
    assert "base64-decoded" in caught.value.next
