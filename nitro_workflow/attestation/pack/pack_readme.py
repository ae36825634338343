"""The pack's README: how to ask one's verifier, and every document in a table."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.attestation.pack.pack_row import PackDocument

__all__ = ["readme", "table_of"]

_HEAD = """# Attestation documents that every verifier must refuse, and some that it must take

**These are test documents. {root}**

`manifest.json` has an entry for each of the {count} documents:

| key | what it says |
| --- | --- |
| `file` | the document: raw bytes, as the NSM gives them |
| `verdict` | `refuse`: a clause says so. `accept`: a clause says so, or AWS's own \
documents are so. `may`: nothing decides; `reason` says why |
| `check` | what the defect is about: `shape`, `fields`, `chain`, `validity`, `root`, \
`signature`; or one of the expectations `freshness`, `nonce`, `pcrs`, `debug` |
| `defect`, `clause` | what is wrong, and who says so |
| `at`, `at_seconds` | the time to check at, in UTC; seconds since 1970 |
| `root` | the root to trust, by its name in `roots` |
| `expected` | what to tell the verifier: PCRs (hex), nonce (hex), the oldest allowed age; \
debug mode is never allowed |

A document has one defect. Whoever cannot be told a nonce, PCRs or an age skips the documents of
that `check`, and says so: they check less. Whoever takes no time and no root makes a pack of their
own: `nitro-workflow attestation pack DIR --at now`.

Clauses: AWS's attestation process (aws-nitro-enclaves-nsm-api, docs/attestation_process.md), AWS's
user guide, RFC 5280, RFC 8949, RFC 9052 and RFC 9053 (before: RFC 8152), FIPS 186-5.

"""
_PUBLISHED = (
    "The private key of their root is in this folder, on purpose: anyone can sign anything under "
    "it. Trust it nowhere."
)
_OWN = "Their root was made for this pack alone, and its private key was kept nowhere."


def readme(documents: Sequence[PackDocument], *, own_root: bool) -> str:
    """Return the README in Markdown."""
    head = _HEAD.format(root=_OWN if own_root else _PUBLISHED, count=len(documents))
    return head + "\n".join(table_of(documents)) + "\n"


def table_of(documents: Sequence[PackDocument]) -> list[str]:
    """Return the table of all documents, one a line."""
    lines = [
        "| verdict | check | document | what is so | clause or reason |",
        "| - | - | - | - | - |",
    ]
    for document in documents:
        row = document.row
        why = f"{row.clause}: {row.reason}" if row.reason else row.clause
        lines.append(f"| {row.verdict} | {row.check} | `{row.name}` | {row.defect} | {why} |")
    return lines
