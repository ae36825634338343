"""docs/attestation-pack.md: what verifiers make of the pack, from what was seen when they were asked.

python -m tests.interop.pack_page            write the page from attestation_verdicts.json
python -m tests.interop.pack_page NAME …     ask these programs first (go, rust, npm, pypi)
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nitro_workflow.attestation import (
    PUBLISHED_AT,
    PackDocument,
    Verifier,
    build_pack,
    pack_files,
)
from nitro_workflow.attestation.pack.pack_readme import table_of
from tests.interop.attestation_peers import PROGRAMS, Verdicts, VerifierProgram, ask

__all__ = ["OURS", "PAGE", "PEERS", "VERDICTS", "Peer", "ours", "render", "seen", "written_pack"]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "attestation-pack.md"
VERDICTS = Path(__file__).parent / "attestation_verdicts.json"
OURS = "nitro-workflow"
_EXPECTATIONS = frozenset({"freshness", "nonce", "pcrs", "debug"})


@dataclass(frozen=True)
class Peer:
    """A verifier: where it is from, and the checks that it leaves to who calls it.

    ``now``: it takes no time, and cannot be asked about a second.
    """

    name: str
    short: str
    source: str
    leaves: frozenset[str]
    now: bool = False

    def is_asked(self, document: PackDocument) -> bool:
        """Tell whether it can be asked: it takes what the question is about."""
        by_the_second = document.row.name in ("first-second", "last-second")
        return document.row.check not in self.leaves and not (self.now and by_the_second)


PEERS = (
    Peer(OURS, "ours", "this package", frozenset()),
    Peer("github.com/hf/nitrite", "nitrite", "Go module, c2d5d3c", _EXPECTATIONS),
    Peer("nsm-nitro-enclave-utils", "nsm-utils", "crate 0.1.3", _EXPECTATIONS),
    Peer("@0xsequence/tee-verifier", "sequence", "npm 0.1.2", frozenset({"freshness", "nonce"})),
    Peer("epsilon-attestation-verifier", "epsilon", "PyPI 1.1.0",
         frozenset({"freshness", "nonce"}), now=True),
)  # fmt: skip

_HEAD = """# What verifiers make of the pack

`nitro-workflow attestation pack DIR` writes {count} documents ([how to use it](your-ci.md)). Here is what published
verifiers answered, each given the pack's time and root, and whatever else it takes. The tests ask them again and
compare; this page is written from that (`python -m tests.interop.pack_page`).

A verifier that takes no nonce, PCRs or age **leaves** those checks to who calls it: it is not asked about them, and who
calls it must do them. To accept what nothing forbids is no fault; to refuse it is none either.

"""
_NOT_ASKED = """
`@0xsequence/tee-verifier` is asked through its classes, since its `fetch` takes no root but AWS's;
`epsilon-attestation-verifier` takes no time, and is asked about a pack made for now.

Not asked, and why: the crates `attestation-doc-validation` 0.10.1 (Evervault) and `nitro_attest` 0.2.0 take no root but
AWS's. `remote-attestation-verifier` 0.1.2 and `tee-attestation-verifier` 0.1.4 write one byte of the payload's length
into what is signed, so that payloads of 4,352 to 4,607 bytes alone can hold (the pack's have 3,400), and compare the
nonce with 20 zero bytes of their own. `aws-nitro-enclaves-attestation` 0.1.0 does not build with today's serde.
"""


def written_pack(folder: Path, at: datetime = PUBLISHED_AT) -> Path:
    """Write the pack, as the command does; returns its folder."""
    for name, data in pack_files(build_pack(at)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def seen(program: VerifierProgram, folder: Path) -> Verdicts:
    """Build the program, make a pack in ``folder``, and return what its peers say."""
    command = program.make()
    at = datetime.now(UTC) if program.now else PUBLISHED_AT
    return ask(command, written_pack(folder, at))


def ours(documents: Sequence[PackDocument]) -> dict[str, str]:
    """Return what this package says: file → "" where it accepts, else the failed checks."""
    said = {}
    for one in documents:
        verifier = Verifier.with_root(one.root)
        report = verifier.explain(one.data, at=one.at, expected=one.expected)
        said[one.file] = "" if report.accepted else ", ".join(report.failed)
    return said


def kept(said: dict[str, str]) -> dict[str, list[str]]:
    """Return what is kept of a peer's answers: what it accepted, where it did not return."""
    names = {file.removesuffix(".cose"): error for file, error in sorted(said.items())}
    return {
        "accepts": [name for name, error in names.items() if not error],
        "panics": [name for name, error in names.items() if error.startswith("panic")],
    }


def render(verdicts: dict[str, dict[str, list[str]]], documents: Sequence[PackDocument]) -> str:
    """Return the page."""
    lines = [*_summary(verdicts, documents), _NOT_ASKED]
    wrong = [one for one in documents if _wrong(one, verdicts)]
    let_through = [one for one in wrong if one.row.verdict == "refuse"]
    lines += ["## Accepted, though it must be refused", ""]
    lines += _matrix(let_through, verdicts, {True: "accepts", False: ""})
    lines += ["", "## Refused, though it must be taken", ""]
    not_taken = [one for one in wrong if one.row.verdict == "accept"]
    lines += _matrix(not_taken, verdicts, {True: "", False: "refuses"})
    lines += ["", "## Where nothing decides", ""]
    open_ones = [one for one in documents if one.row.verdict == "may"]
    lines += _matrix(open_ones, verdicts, {True: "accepts", False: "refuses"})
    lines += ["", "## Every document", "", *table_of(documents)]
    return _HEAD.format(count=len(documents)) + "\n".join(lines) + "\n"


def _name(document: PackDocument) -> str:
    return document.file.removesuffix(".cose")


def _accepts(peer: Peer, document: PackDocument, verdicts: dict[str, dict[str, list[str]]]) -> bool:
    return _name(document) in verdicts[peer.name]["accepts"]


def _wrong(document: PackDocument, verdicts: dict[str, dict[str, list[str]]]) -> bool:
    right = {"accept": True, "refuse": False}.get(document.row.verdict)
    return right is not None and any(
        peer.is_asked(document) and _accepts(peer, document, verdicts) is not right
        for peer in PEERS
    )


def _summary(
    verdicts: dict[str, dict[str, list[str]]], documents: Sequence[PackDocument]
) -> list[str]:
    lines = [
        "| verifier | must be refused | must be taken | nothing decides: taken | leaves | crashes |",
        "| - | - | - | - | - | - |",
    ]
    for peer in PEERS:
        cells = []
        for verdict in ("refuse", "accept", "may"):
            rows = [one for one in documents if one.row.verdict == verdict and peer.is_asked(one)]
            taken = sum(_accepts(peer, one, verdicts) for one in rows)
            right = len(rows) - taken if verdict == "refuse" else taken
            cells.append(f"{right} of {len(rows)}")
        leaves = ", ".join(sorted(peer.leaves)) or "nothing"
        panics = len(verdicts[peer.name]["panics"]) or ""
        source = f"`{peer.name}` ({peer.source})"
        lines.append(f"| {source} | {' | '.join(cells)} | {leaves} | {panics} |")
    return lines


def _matrix(
    documents: Sequence[PackDocument],
    verdicts: dict[str, dict[str, list[str]]],
    words: dict[bool, str],
) -> list[str]:
    heads = " | ".join(peer.short for peer in PEERS)
    lines = [f"| check | document | what is so | {heads} |", "| - | - | - |" + " - |" * len(PEERS)]
    for one in documents:
        cells = [
            words[_accepts(peer, one, verdicts)] if peer.is_asked(one) else "–" for peer in PEERS
        ]
        row = one.row
        lines.append(f"| {row.check} | `{row.name}` | {row.defect} | {' | '.join(cells)} |")
    return lines


def main(names: Sequence[str]) -> None:
    """Ask the programs named, keep what they say, write the page."""
    verdicts = json.loads(VERDICTS.read_text()) if VERDICTS.exists() else {}
    for program in PROGRAMS:
        if program.name in names:
            with tempfile.TemporaryDirectory() as folder:
                for peer, said in seen(program, Path(folder)).items():
                    verdicts[peer] = kept(said)
    documents = build_pack(PUBLISHED_AT)
    verdicts[OURS] = kept(ours(documents))
    VERDICTS.write_text(json.dumps(dict(sorted(verdicts.items())), indent=1) + "\n")
    PAGE.write_text(render(verdicts, documents))


if __name__ == "__main__":
    main(sys.argv[1:])
