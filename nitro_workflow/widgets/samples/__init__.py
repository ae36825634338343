"""Something real to look at: lines of a log with documents of AWS's, as a service writes them.

``debug.log`` is of an enclave in debug mode.

>>> from nitro_workflow.widgets.samples import sample
>>> "attestation_document" in sample("attested.log").read_text()
True
"""

from __future__ import annotations

from pathlib import Path

from nitro_workflow.errors import UsageError

__all__ = ["sample"]


def sample(name: str) -> Path:
    """Return the path of ``attested.log`` or ``debug.log``. Raises `UsageError` for others."""
    path = Path(__file__).parent / name
    names = sorted(one.name for one in path.parent.glob("*.log"))
    if name not in names:
        raise UsageError(repr(name)[:80], expected=", ".join(names), where="sample")
    return path
