"""Lesson 08: right sources of its exercises, likely mistakes, wrong predictions."""

from __future__ import annotations

RECIPIENT = """recipient = {
    "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}"""
RECORD = """to_kms = lesson.bytes("to_kms")
first = to_kms[:5]
kind, length = first[0], int.from_bytes(first[3:5], "big")"""
UNWRAP = """content_key = mine.decrypt(parts.encrypted_key, oaep)
cipher = Cipher(algorithms.AES256(content_key), modes.CBC(parts.iv)).decryptor()
padded = cipher.update(parts.encrypted_content)
data_key = padded[:-padded[-1]]"""
DIGEST = """statement = {
    "result_sha256": hashlib.sha256(lesson.bytes("result")).hexdigest(),
    "input_sha256": hashlib.sha256(lesson.bytes("message")).hexdigest(),
    "encryption_context": {"dataset": "customers", "version": "1"},
    "nonce": lesson.bytes("nonce").hex(),
    "exchange": lesson.exchange(),
}
text = json.dumps(statement, sort_keys=True, separators=(",", ":"))
digest = hashlib.sha256(text.encode()).hexdigest()"""
OF_THE_RESULT_ALONE = 'digest = hashlib.sha256(lesson.bytes("result")).digest()'
PARENT = """could_read = {
    "ciphertext": "yes", "credentials": "yes", "host name": "yes", "request": "no",
    "data key": "no", "result": "no", "receipt": "yes",
}"""
BYTES = """notices = {
    "document": "D4", "request": "D4", "wrapped key": "D7", "iv": "D8",
    "ciphertext": "D8", "result": "D9",
}"""

SOLUTIONS = {
    "write-recipient": RECIPIENT,
    "read-record": RECORD,
    "unwrap": UNWRAP,
    "compute-digest": DIGEST,
    "judge-parent": PARENT,
    "judge-bytes": BYTES,
}


def _changed(cell: str, check: str, *changes: tuple[str, str, str]) -> list[tuple[str, ...]]:
    """Return mistakes of one exercise: in its solution one text stands for another."""
    right = SOLUTIONS[cell]
    assert all(old in right for old, _, _ in changes)
    return [(cell, right.replace(old, new), check, words) for old, new, words in changes]


MISTAKES = [
    *_changed(
        "write-recipient",
        "check-recipient",
        ("document}", "base64.b64encode(document)}", "base64 of base64"),
        ("SHA_256", "SHA_1", "one key encryption algorithm only"),
        (', "AttestationDocument": document', "", "no AttestationDocument"),
        ("AttestationDocument", "attestation_document", "boto3 does not know this form"),
        ("document}", "document[:-1]}", "every byte"),
    ),
    ("write-recipient", "recipient = document", "check-recipient", "a dict with two members"),
    *_changed(
        "read-record",
        "check-record",
        ('"big"', '"little"', "high byte first"),
        ("first[0]", "first[1]", "first byte"),
        ('"big")', '"big") + 5', "does not count the header"),
        ("int.from_bytes(first[3:5]", "int.from_bytes(first[1:3]", "last two bytes"),
        ('int.from_bytes(first[3:5], "big")', "first[3:5]", "Numbers are asked for"),
    ),
    *_changed(
        "unwrap",
        "check-unwrap",
        ("padded[:-padded[-1]]", "padded", "the padding is still on"),
        ("padded[:-padded[-1]]", "content_key", "is it the content key"),
        ("padded[:-padded[-1]]", "padded[:16]", "Too much was taken off"),
        ("padded[:-padded[-1]]", "padded.hex()", "A data key is bytes"),
        ("padded[:-padded[-1]]", "parts.encrypted_content", "not the data key"),
    ),
    *_changed(
        "compute-digest",
        "check-digest",
        (', separators=(",", ":")', "", "One space"),
        ("sort_keys=True, ", "", "sort_keys=True"),
        (DIGEST, OF_THE_RESULT_ALONE, "of the result alone"),
    ),
    *_changed(
        "judge-parent",
        "check-parent",
        ('"host name": "yes"', '"host name": "no"', "ClientHello"),
        ('"credentials": "yes"', '"credentials": "no"', "metadata service"),
        ('"request": "no"', '"request": "yes"', "encrypted records only"),
        ('"result": "no"', '"result": "yes"', "data owner's public key"),
        ('"receipt": "yes"', '"receipt": "no"', "signed, not encrypted"),
    ),
    *_changed(
        "judge-bytes",
        "check-bytes",
        ('"document": "D4"', '"document": "D3"', "ValidationException"),
        ('"request": "D4"', '"request": "D3"', "InvalidSignature"),
        ('"wrapped key": "D7"', '"wrapped key": "D5"', "wrapped key: not D5"),
        ('"iv": "D8"', '"iv": "D7"', "opened to 32 bytes without a word"),
        ('"result": "D9"', '"result": "D8"', "result: not D8"),
    ),
]

WRONG = {"replay": 1, "iv": 3}
