"""What a sandbox that did not start is called, and what its owner can do about it."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError, SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["boot_error", "remedy"]

_NUMBER: Final = re.compile(r"^\[Errno -?\d+\] ")  # Python's own beginning of an OSError's text


def boot_error(fields: Mapping[str, Any]) -> HostError | SandboxUnavailable:
    """Return the error for what the bootstrap told, by its stage."""
    stage = fields.get("stage", "?")
    text = _NUMBER.sub("", str(fields.get("text", "")))
    if stage in ("image", "program", "vsock"):
        check = "`nitro-workflow image check` names what a command lacks that cannot start"
        return HostError(
            text,
            expected="an image that boots",
            where=f"boot, {stage}",
            next=check if stage == "program" else "",
            code="E36",
        )
    if stage == "supervisor":
        return SandboxUnavailable(
            f"{text} ({stage})",
            expected="seccomp with user notifications, pidfd_getfd and process_vm_readv",
            where="sandbox",
            next="in a container, give it a seccomp profile that allows seccomp and pidfd_getfd "
            "(Docker: --security-opt seccomp=unconfined); Yama's ptrace_scope must be below 3",
        )
    return SandboxUnavailable(
        f"{text} ({stage})",
        expected="user, mount, pid and network namespaces",
        where="sandbox",
        next=remedy(),
    )


def remedy(settings: Path = Path("/proc/sys")) -> str:
    """Return what forbids the sandbox on this machine, and how the owner allows it."""
    for setting, bad, remedy in (
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "=0"),
        ("kernel/unprivileged_userns_clone", "0", "=1"),
        ("user/max_user_namespaces", "0", "=15000"),
        ("user/max_net_namespaces", "0", "=15000"),
    ):
        with contextlib.suppress(OSError):
            if (settings / setting).read_text("ascii").strip() == bad:
                name = setting.replace("/", ".")
                return f"{name} is {bad}; to allow it: sudo sysctl -w {name}{remedy}"
    return "run outside a container, or let the container make namespaces (CAP_SYS_ADMIN)"
