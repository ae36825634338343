"""Kernel and init of an image for hardware: AWS's own, of a named folder or got from a parent."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from nitro_workflow.errors import HostError
from nitro_workflow.host import NO_BOOT_PARTS
from nitro_workflow.lab.steps.parent_launch import booted_instance

if TYPE_CHECKING:
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["boot_part_digests", "ensure_boot_parts"]


def ensure_boot_parts(bench: Workbench) -> None:
    """Have the kernel and init that the image is built with, from the parent if need be.

    Those come through the administrator's hands: the host takes what AWS has published, only.
    """
    try:
        bench.host.boot_parts()
    except HostError as error:
        if error.code != NO_BOOT_PARTS:
            raise
        bench.say(
            "AWS's boot parts come from the parent's package: it is launched now, for P8 too …"
        )
        _, booted = booted_instance(bench)
        for name, digest in bench.host.fetch_boot_parts(booted["InstanceId"]).items():
            bench.say(f"{name}, SHA-256 {digest}: as AWS publishes it")


def boot_part_digests(bench: Workbench) -> dict[str, str]:
    """Return the SHA-256 of each part that the host's images are built with."""
    boot = bench.host.boot_parts()
    parts = {
        "kernel": boot.kernel,
        "command line": boot.command_line,
        "init": boot.init,
        "NSM driver": boot.nsm_module,
    }
    return {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
