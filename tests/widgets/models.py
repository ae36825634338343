"""One model of each kind, small, with hostile texts in it."""

from __future__ import annotations

from nitro_workflow.widgets import (
    Cell,
    CheckLine,
    FieldNode,
    Inspection,
    Table,
    TableRow,
)

HOSTILE = "<img src=x onerror=alert(1)>\u202e</script>"

INSPECTION = Inspection(
    title="Attestation document",
    verdict="refused: the signature does not verify",
    tone="bad",
    trust="Trust root: this lab's (local.nitro-workflow-lab), not AWS's",
    checks=(
        CheckLine("shape", "COSE_Sign1 shape", "good", "an array of four"),
        CheckLine(
            "signature", "Signature", "bad", "does not verify", "ES384 over 4,300 bytes", "valid"
        ),
    ),
    nodes=(
        FieldNode("protected", "{1: -35}", 1, 6),
        FieldNode(
            "payload",
            "map of 9",
            6,
            40,
            children=(
                FieldNode("module_id", HOSTILE, 8, 20),
                FieldNode("digest", "SHA384", 20, 30, note="the only one"),
            ),
        ),
    ),
    data=bytes(range(64)),
    detail="line one\n  line <two>",
)

TABLE = Table(
    title="PCRs",
    columns=("document", "image", "policy"),
    rows=(
        TableRow("PCR0", (Cell("ab" * 48), Cell("ab" * 48), Cell("ab" * 20 + "cd" * 28, "bad", 40)), "bad",
            "the whole image"),
        TableRow("PCR1", (Cell("01" * 48), Cell("01" * 48), Cell("not asked for")), "good", "kernel"),
    ),
    verdict="the policy expects another image",
    tone="bad",
)  # fmt: skip

ALL = (INSPECTION, TABLE)
