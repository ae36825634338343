"""The checks of a document, to be done again with openssl and cbor2 alone."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime

__all__ = ["Recipe", "recipes_of"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Commands of a shell, what they are for, and what they print where the check holds."""

    title: str
    commands: str
    prints: str = ""


_TAKE_APART = """\
python3 - {name} <<'EOF'
import base64, pathlib, sys
import cbor2

raw = cbor2.loads(pathlib.Path(sys.argv[1]).read_bytes())
protected, _, payload, signature = getattr(raw, "value", raw)
document = cbor2.loads(payload)
# RFC 9052 §4.4: what is signed
signed = cbor2.dumps(["Signature1", protected, b"", payload])
pathlib.Path("signed.bin").write_bytes(signed)
# r and s as two DER integers, which is what openssl reads
half = len(signature) // 2
numbers = b""
for part in (signature[:half], signature[half:]):
    number = part.lstrip(b"\\0")
    number = b"\\0" * (not number or number[0] > 127) + number
    numbers += bytes([2, len(number)]) + number
pathlib.Path("signature.der").write_bytes(bytes([0x30, len(numbers)]) + numbers)

def pem(der):
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\\n{{body}}-----END CERTIFICATE-----\\n"

root, *between = document["cabundle"]
pathlib.Path("root.pem").write_text(pem(root))
pathlib.Path("between.pem").write_text("".join(map(pem, between)))
pathlib.Path("leaf.pem").write_text(pem(document["certificate"]))
for index, value in sorted(document["pcrs"].items()):
    if any(value):
        print(f"PCR{{index}}", value.hex())
EOF"""

_SIGNATURE = """\
openssl x509 -in leaf.pem -noout -pubkey > leaf.pub
openssl dgst -sha384 -verify leaf.pub -signature signature.der signed.bin"""


def recipes_of(name: str, *, at: datetime | None, root_fingerprint: str) -> tuple[Recipe, ...]:
    """Return the recipes for a document that lies in the file ``name`` as raw bytes."""
    time = "" if at is None else f"-attime {int(at.timestamp())} "
    pairs = [root_fingerprint[i : i + 2].upper() for i in range(0, len(root_fingerprint), 2)]
    take_apart = _TAKE_APART.format(name=shlex.quote(name))
    return (
        Recipe("Take it apart: fields, PCRs, and what is signed", take_apart),
        Recipe("signature: the leaf's key signed header and payload", _SIGNATURE, "Verified OK"),
        Recipe(
            "chain and validity: each certificate is issued by the one above, at that time",
            f"openssl verify {time}-CAfile root.pem -untrusted between.pem leaf.pem",
            "leaf.pem: OK",
        ),
        Recipe(
            "root: the first certificate is the one that is trusted",
            "openssl x509 -in root.pem -noout -fingerprint -sha256",
            ":".join(pairs),
        ),
    )  # fmt: skip
