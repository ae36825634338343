"""Lesson 05, as its learners answer it."""

from __future__ import annotations

_THREE = """
def pcr(content):
    return hashlib.sha384(bytes(48) + hashlib.sha384(content).digest()).hexdigest()
pcr0 = pcr(kernel + cmdline + boot + app)
pcr1 = pcr(kernel + cmdline + boot)
pcr2 = pcr(app)
"""
_MOVES = """
moves = {
    "kernel": "PCR0 PCR1", "command line": "PCR0 PCR1", "first ramdisk": "PCR0 PCR1",
    "a file of the application": "PCR0 PCR2", "metadata": "none",
}
"""
_AGAIN = """
from datetime import timedelta
second = build_image(**inputs | {"build_time": inputs["build_time"] + timedelta(days=1)},
                     output=lesson.scratch("second.eif"))
"""
_CRC = """
forged = bytearray(data)
forged[-1] ^= 1
crc = zlib.crc32(forged[0x224:], zlib.crc32(forged[:0x220]))
"""

SOLUTIONS = {
    "compute-pcrs": _THREE,
    "write-moves": _MOVES,
    "write-tomorrow": _AGAIN,
    "write-crc": _CRC,
}


def _pcrs(old: str, new: str) -> tuple[str, str, str]:
    return ("compute-pcrs", _THREE.replace(old, new), "check-pcrs")


def _moves(old: str, new: str) -> tuple[str, str, str]:
    return ("write-moves", _MOVES.replace(old, new, 1), "check-moves")


def _crc(call: str) -> tuple[str, str, str]:
    return ("write-crc", _CRC.rsplit("crc =", 1)[0] + f"crc = {call}", "check-crc")


MISTAKES = [
    (*_pcrs("bytes(48) + hashlib.sha384(content).digest()", "content"), "starts as 48 zero bytes"),
    (*_pcrs("bytes(48) + ", ""), "without the 48 zero bytes"),
    (
        *_pcrs(
            "bytes(48) + hashlib.sha384(content).digest()",
            "hashlib.sha384(content).digest() + bytes(48)",
        ),
        "The zeros come first",
    ),
    (*_pcrs("hashlib.sha384(content).digest())", "content)"), "not the content"),
    (*_pcrs(".digest())", ".hexdigest().encode())"), "not its hex text"),
    (
        "compute-pcrs",
        _THREE.replace("sha384", "sha256").replace("bytes(48)", "bytes(32)"),
        "check-pcrs",
        "This is SHA-256",
    ),
    (*_pcrs("pcr0 = pcr(kernel + cmdline + boot + app)", "pcr0 = pcr(app)"), "This is PCR2"),
    (*_pcrs("boot + app", "app + boot"), "in the order of the file"),
    (*_pcrs("cmdline + boot + app", "cmdline + metadata + boot + app"), "it is not measured"),
    (*_pcrs("pcr2 = pcr(app)", "pcr2 = 7"), "this is of type int"),
    (*_pcrs("pcr2 = pcr(app)", "pcr2 = pcr(data)"), "Look at the rule"),
    (*_moves('"none"', '"PCR0"'), "metadata: you say PCR0"),
    (*_moves('"PCR0 PCR2"', '["PCR0"]'), "a file of the application: you say PCR0"),
    (*_moves('"none"', '"PCR9"'), "PCR9 is none of"),
    (*_moves('"metadata": "none",', ""), "not of the form that was asked for"),
    ("write-tomorrow", "second = build_image(**inputs, output=lesson.scratch('second.eif'))",
     "check-rebuilt", "Both files are the same"),
    ("write-tomorrow",
     "second = build_image(**inputs | {'command': ('/bin/other',)},"
     " output=lesson.scratch('second.eif'))",
     "check-rebuilt", "The PCRs differ"),
    ("write-tomorrow", "second = inputs", "check-rebuilt", "not of the form that was asked for"),
    (*_crc("zlib.crc32(forged)"), "its own four bytes"),
    (*_crc("zlib.crc32(forged[0x224:])"), "The header is missing"),
    (*_crc("zlib.crc32(forged[:0x220])"), "The sections are missing"),
    (*_crc("struct.unpack_from('>I', data, 0x220)[0]"), "the old checksum"),
    (*_crc("'0'"), "would refuse the file"),
]  # fmt: skip

WRONG = {"built-tomorrow": 1, "forged-image": 2}
