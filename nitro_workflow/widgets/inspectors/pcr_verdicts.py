"""What a comparison of PCRs comes to, in a sentence, and what one does about it."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.inspectors.pcr_rows import ZERO, PcrRow, listed
from nitro_workflow.widgets.inspectors.pcr_sources import PcrSource

__all__ = ["differing", "nothing_compared", "twin_head"]

_WHY = {
    (
        True,
        False,
        True,
    ): "Kernel and boot ramdisk are the same (PCR1): only the application changed.",
    (True, True, False): "The application is the same (PCR2): kernel, command line or boot ramdisk"
    " changed.",
    (True, True, True): "The boot parts (PCR1) and the application (PCR2) are others.",
}
_OTHERS = {
    "PCR3": "The parent instance has another IAM role.",
    "PCR4": "The enclave runs on another instance.",
    "PCR8": "The image was signed with another certificate, or only one of them is signed.",
}


def nothing_compared(what: str) -> Head:
    """Return the head where no register is told twice."""
    return Head(what, "Nothing to compare", "neutral", "No register is told by two of them.",
                "Give a second source: a document, an image, a key policy.")  # fmt: skip


def differing(what: str, rows: Sequence[PcrRow], sources: Sequence[PcrSource]) -> Head:
    """Return the head of a comparison of which at least one row was compared."""
    names = [row.name for row in rows if row.state == "differs"]
    compared = sum(row.state != "not compared" for row in rows)
    if not names:
        verdict = f"All {compared} that are compared agree" if compared > 1 else "It agrees"
        return Head(what, verdict, "good", _alone(rows))
    if (debug := _in_debug_mode(sources)) is not None:
        why = "PCR0, PCR1 and PCR2 are all zero in debug mode, whatever the image."
        then = "Run the enclave without --debug-mode; its PCRs are then the image's."
        return Head(what, f"The {debug} is of a debug enclave", "bad", why, then)
    verdict = f"{listed(names)} differ{'' if len(names) > 1 else 's'}"
    return Head(what, verdict, "bad", _why(names), _next(names, sources))


def _alone(rows: Sequence[PcrRow]) -> str:
    alone = [row.name for row in rows if row.state == "not compared"]
    return f"{', '.join(alone)}: told by one of them only." if alone else ""


def _in_debug_mode(sources: Sequence[PcrSource]) -> str | None:
    """Return the source whose image registers are all zero."""
    for source in sources:
        told = [source.registers[index] for index in (0, 1, 2) if index in source.registers]
        if told and all(values == (ZERO,) for values in told):
            return source.name
    return None


def _why(names: Sequence[str]) -> str:
    image = tuple(f"PCR{index}" in names for index in (0, 1, 2))
    said = [_WHY[image]] if image in _WHY else []
    return " ".join(said + [text for name, text in _OTHERS.items() if name in names])


def _next(names: Sequence[str], sources: Sequence[PcrSource]) -> str:
    if not {"PCR0", "PCR1", "PCR2"} & set(names):
        return "Compare with where the enclave was started, or have the policy's owner review it."
    if any(source.how == "asked for" or "policy" in source.name for source in sources):
        return "Run the image the policy names, or have its owner review the new one and its PCRs."
    return "See which file changed: nitro-workflow image diff A.eif B.eif"


def twin_head(what: str, rows: Sequence[PcrRow]) -> Head:
    """Return the head of the debug twin: what would be attested, and who would refuse it."""
    refused = [row.name for row in rows if row.state == "differs"]
    verdict = "A debug enclave of this image would not pass for it"
    why = f"{', '.join(refused)} would be all zero, whatever the image. Hypothetical."
    if not refused:
        verdict, why = "Nothing here tells a debug enclave from this image", "Hypothetical."
    then = "Ask whether the policy takes one: nitro-workflow policy check POLICY.json"
    return Head(what, verdict, "warning", why, then)
