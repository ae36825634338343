"""The lab says when its trust root changed, and what that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nitro_workflow.lab.lab_folder import save

if TYPE_CHECKING:
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["notice_trust_root"]

RECORD: Final = "trusted-root"


def notice_trust_root(bench: Workbench) -> str:
    """Compare the root with the one of the last start, and remember it; return what a change ends.

    Returns "" where it did not change.
    """
    path = bench.path / "hypervisor" / RECORD
    now = bench.cloud.trust().root_sha256
    before = path.read_text("ascii", "replace") if path.exists() else ""
    if before == now:
        return ""
    save(path, now.encode())
    if not before:
        return ""
    changed = (
        f"The lab's trust root changed: SHA-256 {before[:16]}… went with its hypervisor, "
        f"{now[:16]}… is new.\n"
    )
    if bench.folder.record("P8") is None:
        return f"{changed}No enclave had run under the old one, so nothing ends with it."
    return (
        f"{changed}That ends the enclave of step P8, and no document made before verifies any "
        "longer. P8 and the D steps run again when they are needed."
    )
