"""The error codes of nitro-cli: what each means. [src: nitro-cli src/common/document_errors.rs]."""

from __future__ import annotations

from typing import Final

from nitro_workflow.errors import HostError

__all__ = ["MEANINGS", "ended_at_once", "failure", "status_of"]

MEANINGS: Final = {
    "E00": "Unspecified error",
    "E01": "Missing argument",
    "E02": "Conflicting arguments",
    "E03": "Invalid argument provided",
    "E04": "Socket pair creation failure",
    "E05": "Process spawn failure",
    "E06": "Daemonize process failure",
    "E07": "Read from disk failure",
    "E08": "Unusable connection",
    "E09": "Socket close failure",
    "E10": "Socket connect set timeout failure",
    "E11": "Socket error",
    "E12": "Epoll error",
    "E13": "Inotify error",
    "E14": "Invalid command",
    "E15": "Lock acquire failure",
    "E16": "Thread join failure",
    "E17": "Serde error",
    "E18": "File permissions error",
    "E19": "File operation failure",
    "E20": "Invalid CPU configuration",
    "E21": "No such CPU available in the pool",
    "E22": "Insufficient CPUs available in the pool",
    "E23": "Malformed CPU ID error",
    "E24": "CPU error",
    "E25": "No such hugepage flag error",
    "E26": "Insufficient memory requested",
    "E27": "Insufficient memory available",
    "E28": "Invalid enclave descriptor",
    "E29": "Ioctl failure",
    "E30": "Ioctl image get load info failure",
    "E31": "Ioctl set memory region failure",
    "E32": "Ioctl add vCPU failure",
    "E33": "Ioctl start enclave failure",
    "E34": "Memory overflow",
    "E35": "EIF file parsing error",
    "E36": "Enclave boot failure",
    "E37": "Enclave event wait error",
    "E38": "Enclave process command not executed error",
    "E39": "Could not connect to the enclave process",
    "E40": "Socket path not found",
    "E41": "Enclave process failed to send a reply",
    "E42": "Could not allocate memory through mmap",
    "E43": "Could not release memory through munmap",
    "E44": "Enclave console connection failure",
    "E45": "Enclave console read error",
    "E46": "Enclave console write output error",
    "E47": "Integer parsing error",
    "E48": "EIF building error",
    "E49": "Docker image build error",
    "E50": "Docker image pull error",
    "E51": "Artifacts path environment variable not set",
    "E52": "Blobs path environment variable not set",
    "E53": "Clock skew error",
    "E54": "Signal mask error",
    "E55": "Signal unmask error",
    "E56": "Logger error",
    "E57": "Hasher error",
    "E58": "Naming error",
    "E59": "EIF signature checker error",
    "E60": "EIF signing error",
}
"""Code → nitro-cli's name of it."""


def failure(code: str, text: str, *, expected: str = "", next: str = "") -> HostError:  # noqa: A002
    """Return the error that nitro-cli gives as ``code``, with its text."""
    return HostError(text, expected=expected, where="nitro-cli", next=next, code=code)


def ended_at_once(how: str, said: str) -> HostError:
    """Return the E36 of a program that did not stay; ``said`` where its console may be read."""
    return failure(
        "E36",
        f"The enclave's program ended at once{how}" + (f"; it said: {said}" if said else ""),
        expected="a program that runs",
        next="the lab's logs/hypervisor.log has what it said",
    )


def status_of(code: str) -> int:
    """Return nitro-cli's exit status for ``code``: its number, 1 for E00 and what has none."""
    number = int(code[1:]) if code in MEANINGS else 0
    return number or 1
