"""Lesson 02, as its learners answer it."""

from __future__ import annotations

_CONTEXT = 'context = {"dataset": "customers", "version": "1"}\n'
_ASK = (
    _CONTEXT + 'answer = kms.generate_data_key(KeyId=key, KeySpec="AES_256", '
    "EncryptionContext=context)\n"
)
_ROW = """
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

rows = list(islice(CustomerRecords(seed=1, size=4096), 7, 12))
row = rows[0].rstrip()
context, answer = lesson.use(context, "context"), lesson.use(answer, "answer")
bound = json.dumps(context, sort_keys=True, separators=(",", ":")).encode()
nonce = os.urandom(12)
sealed = AESGCM(answer["Plaintext"]).encrypt(nonce, row, bound)
by_hand = nonce + sealed
"""
_HEADER = """
(suite,) = struct.unpack_from(">H", message, 1)
(context_bytes,) = struct.unpack_from(">H", message, 35)
"""
_KEYS = """
at = 35 + 2 + lesson.use(context_bytes, "context_bytes") + 2
size = struct.unpack_from(">H", message, at)[0]
provider = message[at + 2 : at + 2 + size]
at += 2 + size
size = struct.unpack_from(">H", message, at)[0]
information = message[at + 2 : at + 2 + size]
at += 2 + size
at += 2 + struct.unpack_from(">H", message, at)[0]
content_type = message[at]
frame_length = struct.unpack_from(">I", message, at + 1)[0]
"""
_PLACE = """
place = -20
broken = bytearray(message)
broken[lesson.use(place, "place")] ^= 1
with lesson.refusal():
    open_message(source=bytes(broken))
"""
_NOTICED = """
noticed = {
    "the context's version": "KMS",
    "the frame length": "header tag",
    "the message id": "commitment",
    "a frame's ciphertext": "frame tag",
}
"""

SOLUTIONS = {
    "ask-data-key": _ASK,
    "encrypt-row": _ROW,
    "read-header": _HEADER,
    "read-keys": _KEYS,
    "choose-place": _PLACE,
    "write-noticed": _NOTICED,
}


def _ask(old: str, new: str) -> tuple[str, str, str]:
    return ("ask-data-key", _ASK.replace(old, new), "check-data-key")


def _row(old: str, new: str) -> tuple[str, str, str]:
    return ("encrypt-row", _ROW.replace(old, new), "check-row")


def _header(old: str, new: str) -> tuple[str, str, str]:
    return ("read-header", _HEADER.replace(old, new), "check-header")


def _keys(old: str, new: str) -> tuple[str, str, str]:
    return ("read-keys", _KEYS.replace(old, new), "check-keys")


def _place(at: str) -> tuple[str, str, str]:
    return ("choose-place", _PLACE.replace("-20", at), "check-place")


def _noticed(old: str, new: str) -> tuple[str, str, str]:
    return ("write-noticed", _NOTICED.replace(old, new), "check-noticed")


MISTAKES = [
    (*_ask(", EncryptionContext=context", ""), "nothing was bound to it"),
    (*_ask("AES_256", "AES_128"), "A key of 128 bits"),
    (*_ask("EncryptionContext=context", 'EncryptionContext={"dataset": "a"}'), "with another"),
    (*_ask('"version": "1"', '"version": "2"'), "not to what the policy of P2 asks for"),
    ("ask-data-key", _CONTEXT + "answer = {'CiphertextBlob': b''}", "check-data-key",
     "the encrypted form only"),
    ("ask-data-key", _CONTEXT + "answer = key", "check-data-key", "the encrypted form only"),
    (*_row(", bound)", ", None)"), "opens without the context"),
    (*_row("by_hand = nonce + sealed", "by_hand = sealed"), "The nonce of 12 bytes stands in front"),
    (*_row("os.urandom(12)", "bytes(12)"), "the nonce is all zeros"),
    (*_row("os.urandom(12)", "os.urandom(16)"), "The nonce of 12 bytes stands in front"),
    (*_row('answer["Plaintext"]', 'answer["CiphertextBlob"][:32]'), "Which of the two forms"),
    (*_row("nonce + sealed", "sealed + nonce"), "does not open with the data key"),
    (*_row("nonce + sealed", "7"), "not 12 +"),
    (*_header(", message, 1)", ", message, 0)"), "that is the version"),
    (*_header('">H", message, 1', '"<H", message, 1'), "the other way round"),
    (*_header("(suite,)", "suite"), "A tuple"),
    (*_header("message, 1)", "message, 3)"), "The suite is another number"),
    (*_header("message, 35)", "message, 37)"), "how many pairs"),
    (*_header("message, 35)", "message, 33)"), "another length"),
    (*_keys("information = message[at + 2 : at + 2 + size]", "information = provider"),
     "That is the provider"),
    (*_keys("information = message[at + 2 : at + 2 + size]", "information = message[at:at + size]"),
     "The information is another"),
    (*_keys("content_type = message[at]", "content_type = message[at + 1]"), "content type"),
    (*_keys('">I", message, at + 1', '">H", message, at + 1'), "The frame length is another"),
    (*_place("-1"), "in the last frame's tag"),
    (*_place("400"), "in another frame"),
    (*_place("40"), "in the encryption context"),
    (*_place("5000"), "is outside"),
    (*_place("'end'"), "not of the form"),
    (*_noticed('"KMS"', '"header tag"'), "Decrypt takes the context"),
    (*_noticed('"header tag"', '"commitment"'), "what covers the header"),
    (*_noticed('"commitment"', '"header tag"'), "derived from the data key"),
    (*_noticed('"frame tag"', '"KMS"'), "The header is untouched"),
    (*_noticed('"frame tag"', '"nobody"'), "is none of"),
    ("write-noticed", "noticed = {}", "check-noticed", "not of the form"),
]  # fmt: skip

WRONG = {"encrypted-data-key": 2, "changed-frame": 1, "result-key": 1}
