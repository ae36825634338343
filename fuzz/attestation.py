"""Coverage-guided fuzzing of the attestation room: `python fuzz/attestation.py [CORPUS] [-runs=N]`.

Needs atheris, which is not a dependency of the package. The first byte of an input chooses what the
rest replaces: the whole input, the payload, one certificate of a good document, or its fields'
values; so that mutations get past CBOR. An error outside the package's tree, or an input that takes
longer than a second of processor time, is a finding.
"""

from __future__ import annotations

import sys
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["nitro_workflow", "cbor2", "pycose"]):
    import cbor2

    from nitro_workflow.attestation import Expected, Verifier, decode_input, parse_document
    from nitro_workflow.encoding import cbor
    from nitro_workflow.errors import NitroWorkflowError

VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "attestation"
GOOD = min(VECTORS.glob("*.bin")).read_bytes()
MESSAGE = cbor2.loads(GOOD)
PAYLOAD = cbor2.loads(MESSAGE[2])
NAMES = list(PAYLOAD)
AWS = Verifier.aws()
AT = datetime(2025, 8, 18, 9, 0, tzinfo=UTC)
LIMIT_SECONDS = 1.0


def wrapped(payload: bytes) -> bytes:
    return cbor2.dumps([MESSAGE[0], {}, payload, MESSAGE[3]])


def with_field(data: bytes) -> bytes:
    """Replace one field's value by the bytes given, as they are."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    parts = [b"\xbf"]
    for key, value in PAYLOAD.items():
        parts += [cbor2.dumps(key), data[1:] if key == name else cbor2.dumps(value)]
    return wrapped(b"".join([*parts, b"\xff"]))


def with_certificate(data: bytes) -> bytes:
    """Replace one certificate of the chain."""
    position = data[0] % 5 if data else 4
    bundle = [*PAYLOAD["cabundle"], PAYLOAD["certificate"]]
    bundle[position] = data[1:] or b"\x30"
    changed = PAYLOAD | {"cabundle": bundle[:4], "certificate": bundle[4]}
    return wrapped(cbor2.dumps(changed))


def judge(data: bytes) -> None:
    report = AWS.explain(data, at=AT)
    # The tag is not signed: with and without it the document is the same.
    if report.verdict == "valid" and data.removeprefix(b"\xd2") != GOOD:
        raise AssertionError("a changed document is believed")
    AWS.explain_including_debug(data, at="document", expected=Expected(nonce=b"n", public_key=b"k"))
    try:
        document = parse_document(data)
    except NitroWorkflowError:
        return
    if document.raw != data:
        raise AssertionError("a document that is not its bytes")


def read_text(data: bytes) -> None:
    try:
        judge(decode_input(data).data)
    except NitroWorkflowError:
        return


def read_cbor(data: bytes) -> None:
    try:
        value = cbor.loads_strict(data)
    except NitroWorkflowError:
        return
    if cbor.loads_strict(cbor.dumps(value)) != value:
        raise AssertionError("a value that is not written as it was read")


MODES = (
    judge,
    lambda data: judge(wrapped(data)),
    lambda data: judge(with_field(data)),
    lambda data: judge(with_certificate(data)),
    read_text,
    read_cbor,
)


def one_input(data: bytes) -> None:
    started = time.process_time()
    MODES[data[0] % len(MODES) if data else 0](data[1:])
    if time.process_time() - started > LIMIT_SECONDS:
        raise AssertionError(f"{len(data)} bytes took more than {LIMIT_SECONDS} s")


def write_seeds(folder: Path) -> None:
    """Begin with what is real: whole documents, payloads, fields and certificates."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(VECTORS.glob("*.bin")):
        raw = path.read_bytes()
        payload = cbor2.loads(raw)[2]
        fields = cbor2.loads(payload)
        seeds = [b"\x00" + raw, b"\x01" + payload, b"\x04" + raw.hex().encode(), b"\x05" + payload]
        seeds += [
            b"\x02" + bytes([number]) + cbor2.dumps(value)
            for number, value in enumerate(fields.values())
        ]
        chain = [*(fields["cabundle"] or []), fields["certificate"]]
        seeds += [b"\x03" + bytes([number]) + der for number, der in enumerate(chain)]
        for number, seed in enumerate(seeds):
            (folder / f"{path.stem}-{number}").write_bytes(seed)


def main() -> None:
    warnings.simplefilter("ignore")
    for argument in sys.argv[1:]:
        # A file is an input to try again, a folder the corpus.
        if not argument.startswith("-") and not Path(argument).is_file():
            write_seeds(Path(argument))
            break
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
