"""A sealed key: the CMS envelope that KMS answers an enclave with, or a KMS ciphertext blob."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from nitro_workflow.cloud import parse_blob
from nitro_workflow.cms import Envelope, parse_envelope
from nitro_workflow.errors import EnvelopeError
from nitro_workflow.widgets.drawing import Digest, Head, digest_of
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.byte_ranges import ByteRange

__all__ = ["EnvelopeModel", "make_blob", "make_envelope"]

SHOWN_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class EnvelopeModel:
    """Nested ranges of a sealed key. ``opens`` says which key opens it, ``key`` identifies that."""

    head: Head
    nodes: tuple[ByteRange, ...]
    data: bytes
    opens: str
    key: Digest | None = None
    facts: tuple[tuple[str, str], ...] = ()
    kind: Literal["envelope"] = "envelope"


def make_envelope(
    data: bytes, *, public_keys: Mapping[str, bytes] | None = None, name: str = ""
) -> EnvelopeModel:
    """Return the view of ``CiphertextForRecipient``. Raises nothing.

    ``public_keys`` are names and SubjectPublicKeyInfos (DER) of keys that may open it, such as the
    one in an attestation document: the envelope names its recipient by the SHA-256 of it.
    """
    what = _what("CMS envelope", data, name)
    try:
        read = parse_envelope(data)
    except EnvelopeError as error:
        head = Head(
            what,
            "Not the envelope that KMS writes",
            "bad",
            next=error.next,
            why=f"{error.where}: {error.found}; expected {error.expected}.",
        )
        return EnvelopeModel(head, (), data[:SHOWN_BYTES], "nobody can tell")
    identifier = read.key_identifier
    known = [
        who for who, spki in (public_keys or {}).items() if sha256(spki).digest() == identifier
    ]
    bits = len(read.encrypted_key) * 8
    return EnvelopeModel(
        head=_head(what, bits, known, asked=bool(public_keys)),
        nodes=tuple(_nodes(read)),
        data=data,
        opens=f"the private key of {known[0]}" if known else "the private key of that identifier",
        key=digest_of(identifier),
        facts=(
            ("key transport", f"RSAES-OAEP, SHA-256, RSA of {bits} bits"),
            ("content", f"AES-256-CBC, {bytes_of(len(read.encrypted_content))} with padding"),
            ("authenticated", "no: CBC has no tag; TLS to the measured host carries that"),
            ("identifier", "SHA-256 of the recipient's SubjectPublicKeyInfo"),
        ),
    )


def _head(what: str, bits: int, known: list[str], *, asked: bool) -> Head:
    why = "Whoever has the public key can make one: it is sealed, and not authenticated."
    if known:
        return Head(what, f"Sealed to the key of {known[0]}", "good", why)
    if asked:
        return Head(
            what,
            "Sealed to a key other than those given",
            "bad",
            why,
            next="Open it where the document was made whose public key it was sealed to.",
        )
    return Head(
        what,
        f"Sealed to one RSA key of {bits} bits",
        "neutral",
        why,
        next="Compare the identifier with SHA-256 of a document's public key.",
    )


def _nodes(read: Envelope) -> Iterator[ByteRange]:
    spans, end = read.spans, len(read.raw)

    def leaf(name: str, label: str, value: str, note: str = "", tint: str = "f6") -> ByteRange:
        start, stop = spans[name]
        return ByteRange(label, value, start, stop, note, tint)

    recipient = ByteRange(
        "KeyTransRecipientInfo",
        "one recipient",
        *spans["recipient"],
        "who may open it",
        "f4",
        True,
        (
            leaf("recipient_version", "version", "2"),
            leaf(
                "key_identifier",
                "subjectKeyIdentifier",
                read.key_identifier.hex(),
                "which key",
                "f4",
            ),
            leaf("key_algorithm", "keyEncryptionAlgorithm", "RSAES-OAEP, SHA-256"),
            leaf(
                "encrypted_key",
                "encryptedKey",
                bytes_of(len(read.encrypted_key)),
                "the content key, sealed",
                "f4",
            ),
        ),
    )
    content = ByteRange(
        "EncryptedContentInfo",
        "the data key",
        spans["inner_content_type"][0],
        spans["encrypted_content"][1],
        "",
        "f2",
        True,
        (
            leaf("inner_content_type", "contentType", "data"),
            leaf("content_algorithm", "contentEncryptionAlgorithm", "AES-256-CBC"),
            leaf("iv", "IV", read.iv.hex(), "", "f2"),
            leaf(
                "encrypted_content",
                "encryptedContent",
                bytes_of(len(read.encrypted_content)),
                "",
                "f5",
            ),
        ),
    )
    inner = ByteRange(
        "EnvelopedData",
        "version 2",
        spans["version"][0],
        end,
        "RFC 5652 §6.1",
        "f1",
        True,
        (leaf("version", "version", "2"), recipient, content),
    )
    yield leaf("content_type", "contentType", "envelopedData", "RFC 5652 §6")
    yield inner


# -- KMS's own blob --------------------------------------------------------------------------------

_LABELS: Final = (
    ("magic", 4, "this package's KMS", "f6"),
    ("key id", 16, "which KMS key", "f4"),
    ("key material id", 32, "which of its materials", "f4"),
    ("IV", 12, "", "f2"),
)


def make_blob(data: bytes, *, name: str = "") -> EnvelopeModel:
    """Return the view of a KMS ciphertext blob. Raises nothing.

    AWS does not publish its blobs' format: of those the view says so, and shows the bytes.
    """
    what = _what("KMS ciphertext blob", data, name)
    blob = parse_blob(data)
    if blob is None:
        head = Head(
            what,
            "A blob of a KMS whose form is not published",
            "neutral",
            why="Only KMS reads it: it finds the key by what stands inside.",
            next="Ask KMS to Decrypt it; it tells the key's ARN with its answer.",
        )
        return EnvelopeModel(head, (), data[:SHOWN_BYTES], "KMS, with the key that made it")
    nodes, at = [], 0
    values = {
        "magic": "NWK1",
        "key id": blob.key_id,
        "key material id": blob.material_id,
        "IV": blob.iv.hex(),
    }
    for label, size, note, tint in _LABELS:
        nodes.append(ByteRange(label, values[label], at, at + size, note, tint))
        at += size
    tag_at = len(data) - 16
    nodes.append(ByteRange("ciphertext", bytes_of(tag_at - at), at, tag_at, "AES-256-GCM", "f5"))
    nodes.append(
        ByteRange("tag", data[tag_at:].hex(), tag_at, len(data), "over header and context", "f2")
    )
    head = Head(
        what,
        f"Sealed by the KMS key {blob.key_id}",
        "neutral",
        why="Its encryption context is authenticated with it, and not stored in it.",
        next="Decrypt needs the same context, and the key policy's consent.",
    )
    facts = (("encryption context", "not in the blob: whoever decrypts must know it"),)
    return EnvelopeModel(
        head,
        tuple(nodes),
        data[:SHOWN_BYTES],
        f"KMS, with the key {blob.key_id}",
        digest_of(blob.material_id),
        facts,
    )


def _what(kind: str, data: bytes, name: str) -> str:
    return f"{kind} · {bytes_of(len(data))}" + (f" · {name}" if name else "")
