"""Lesson 04, as its learners answer it."""

from __future__ import annotations

_PLACES = """
places = {
    "KMS's host name": "measured", "the CA certificates": "measured",
    "the KMS key's ARN": "measured", "the encryption context": "measured",
    "the threshold": "measured", "the owner's public key": "measured",
    "the role's credentials": "carried", "the ciphertext's size": "carried",
    "the owner's nonce": "carried",
}
"""
_BACKDOOR = """
difference = diff_images(ours, offered)
backdoor = [file.path for file in difference.files if file.path.endswith(".pyc")][0]
"""
_HOLDS = """
from_source = compile(source, name, "exec", dont_inherit=True)
genuine_holds = marshal.loads(compiled[0][16:]) == from_source
offered_holds = marshal.loads(compiled[1][16:]) == from_source
"""

SOLUTIONS = {
    "write-places": _PLACES,
    "write-change": 'change = {"threshold": 2}',
    "write-backdoor": _BACKDOOR,
    "write-recompiled": _HOLDS,
}


def _places(old: str, new: str) -> tuple[str, str, str]:
    return ("write-places", _PLACES.replace(old, new, 1), "check-sorted")


def _change(change: str) -> tuple[str, str, str]:
    return ("write-change", f"change = {change}", "check-betrayal")


def _path(path: str) -> tuple[str, str, str]:
    return ("write-backdoor", f"difference = None\nbackdoor = {path!r}", "check-backdoor")


MISTAKES = [
    (*_places('"measured"', '"carried"'), "KMS's host name is not carried"),
    (*_places('"carried"', '"measured"'), "the role's credentials is not measured"),
    (*_places('"carried"', '"vsock"'), 'write "measured" or "carried"'),
    (*_places('"the owner\'s nonce": "carried",', ""), "not of the form that was asked for"),
    (*_change('{"threshold": 1}'), "The application does not start"),
    (*_change('{"treshold": 2}'), "The configuration has no treshold"),
    (*_change("{}"), "Nothing is changed by that"),
    (*_change('{"threshold": 1000}'), "tells nobody more than before"),
    (*_change("2"), "not of the form that was asked for"),
    (*_path("app/enclave_image/inside/query.py"), "the same in both images"),
    (*_path("rootfs/app/enclave_image/inside/sealed_result.py"), "nobody executes it"),
    (*_path("/etc/passwd"), "the same in both images"),
    (
        "write-recompiled",
        "genuine_holds, offered_holds = True, True",
        "check-recompiled",
        "The offered image would be sound",
    ),
    (
        "write-recompiled",
        "genuine_holds, offered_holds = compiled[0] == source, compiled[1] == source",
        "check-recompiled",
        "The true image fails your comparison",
    ),
]

WRONG = {"show-small-groups": 1, "read-every-source": 1}
