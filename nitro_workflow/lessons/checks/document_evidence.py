"""What the engine says of a document that a prediction is about."""

from __future__ import annotations

from datetime import timedelta

from nitro_workflow.attestation import PUBLISHED_AT, Expected, HypervisorPki, Verifier
from nitro_workflow.lab import Lab
from nitro_workflow.lessons.checks.finished_verifier import logged
from nitro_workflow.lessons.document_pile import pack_document

__all__ = ["an_hour_ago", "debug_document", "mock_root", "one_byte"]


def an_hour_ago(_: Lab) -> str:
    """Have a lab's hypervisor sign a document, and judge it an hour later, without and with age."""
    now, earlier = PUBLISHED_AT, PUBLISHED_AT - timedelta(hours=1)
    pki = HypervisorPki.create(earlier)
    instance = "i-0123456789abcdef0"
    document = pki.instance(instance, earlier).issue(
        module_id=f"{instance}-enc0123456789abcdef", pcrs={0: bytes([1]) * 48}, now=earlier
    )
    verifier = Verifier.local(pki.root_der)
    young = Expected(max_age=timedelta(minutes=5))
    said = [
        ", ".join(verifier.explain(document, at=now, expected=wanted).failed) or "nothing"
        for wanted in (Expected(), young)
    ]
    return f"Tried: refused by {said[0]}; with a maximum age of five minutes, by {said[1]}."


def debug_document(_: Lab) -> str:
    """Return where AWS's document of a debug enclave fails."""
    failed = Verifier.aws().explain(logged("debug.log"), at="document").failed
    return f"AWS's document of debug.log fails at {' and '.join(failed)}, and nowhere else."


def one_byte(_: Lab) -> str:
    """Return where a document with a changed PCR0 fails."""
    document = pack_document("pcr0-changed")
    failed = Verifier.with_root(document.root).explain(document.data, at=document.at).failed
    return f"The pack has such a document: it fails at {' and '.join(failed)}."


def mock_root(_: Lab) -> str:
    """Return what chain and root are for a chain that anybody made."""
    document = pack_document("mock-root")
    report = Verifier.with_root(document.root).explain(document.data, at=document.at)
    return (
        f"The pack has one: chain {report.step('chain').status}, root {report.step('root').status}."
    )
