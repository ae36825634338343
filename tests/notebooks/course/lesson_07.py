"""Lesson 07: right sources of its exercises, likely mistakes, wrong predictions."""

from __future__ import annotations

MEMORY = "memory = 4 * -(-size // (1024 * 1024))"
LAUNCH = (
    'launch = f"nitro-cli run-enclave --eif-path application.eif --memory {memory} --cpu-count 2"'
)
LINES = """start = f"nitro-cli run-enclave --eif-path application.eif --memory {memory} --cpu-count 2"
repaired = {"memory": start, "cid": start, "path": start}"""
DEBUG = """debug = {
    ("describe-enclaves", "PCR0"): "image", ("document", "PCR0"): "zeros",
    ("document", "PCR3"): "role", ("document", "PCR4"): "instance",
}"""
TRUST = 'trusted = [pcrs["PCR0"]]'

SOLUTIONS = {
    "compute-memory": MEMORY,
    "write-launch": LAUNCH,
    "repair-lines": LINES,
    "judge-debug": DEBUG,
    "repair-trust": TRUST,
}


def _changed(cell: str, check: str, *changes: tuple[str, str, str]) -> list[tuple[str, ...]]:
    """Return mistakes of one exercise: in its solution one text stands for another."""
    right = SOLUTIONS[cell]
    assert all(old in right for old, _, _ in changes)
    return [(cell, right.replace(old, new), check, words) for old, new, words in changes]


MISTAKES = [
    *_changed(
        "compute-memory",
        "check-memory",
        (MEMORY, "memory = 4 * size // (1024 * 1024)", "Round the image up"),
        (MEMORY, "memory = 4 * -(-size // 10**6)", "1024 × 1024"),
        (MEMORY, "memory = size / 2**20 * 4", "A whole number"),
        (MEMORY, "memory = 64", "Too little"),
        (MEMORY, "memory = 4096", "more than the least"),
    ),
    *_changed(
        "write-launch",
        "check-launch",
        ("{memory}", "64", "E26"),
        ("application.eif", "app.eif", "E19"),
        ("--cpu-count 2", "--cpu-count 1", "whole cores"),
        ("--cpu-count 2", "--cpu-count 2 --debug-mode", "in debug mode"),
        ("--cpu-count 2", "--cpu-count 2 --enclave-cid 3", "the parent's own CID"),
        (" --cpu-count 2", "", "did not understand the line"),
        ("nitro-cli", "docker", "the program 'docker'"),
    ),
    *_changed(
        "repair-lines",
        "check-lines",
        ('"cid": start', '"cid": start + " --enclave-cid 2"', "cid: it still does not start"),
        ('"path": start', '"path": start + " --debug-mode"', "path: it starts, but in debug mode"),
        ('"memory": start, ', "", "Still to fill in: memory"),
    ),
    *_changed(
        "judge-debug",
        "check-debug",
        ('"PCR0"): "image"', '"PCR0"): "zeros"', "computes it from the file"),
        ('"PCR3"): "role"', '"PCR3"): "zeros"', "debug mode keeps it"),
        ('"PCR0"): "zeros"', '"PCR0"): "image"', "96 zeros"),
    ),
    *_changed(
        "repair-trust",
        "check-trust",
        (TRUST, 'trusted = [pcrs["PCR0"], "0" * 96]', "the same zeros"),
        (TRUST, 'trusted = [pcrs["PCR1"]]', "Your own image stays out"),
        (TRUST, "trusted = []", "Your own image stays out"),
    ),
]

WRONG = {"too-little": 1, "same-image": 1, "debug-pcrs": 1, "root-and-memory": 1}
