"""The pack of documents: our verifier is right on every one, and each has the defect it names."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from nitro_workflow.attestation import (
    PUBLISHED_AT,
    STEPS,
    PackDocument,
    Report,
    Verifier,
    build_pack,
    pack_files,
)
from nitro_workflow.cli import cli
from nitro_workflow.errors import UsageError

PACK = build_pack(PUBLISHED_AT)
NAMES = [f"{document.row.check}-{document.row.name}" for document in PACK]
BY_NAME = dict(zip(NAMES, PACK, strict=True))
# What our parser refuses before the check that the row is about.
EARLIER = {"fields-timestamp-float": "shape"}


def judged(document: PackDocument) -> Report:
    verifier = Verifier.with_root(document.root)
    return verifier.explain(document.data, at=document.at, expected=document.expected)


@pytest.mark.parametrize("name", NAMES)
def test_our_verifier_is_right(name):
    document = BY_NAME[name]
    report = judged(document)
    if document.row.verdict == "refuse":
        assert EARLIER.get(name, document.row.check) in report.failed
    elif document.row.verdict == "accept":
        assert report.failed == ()
        assert report.accepted
    elif not report.accepted:
        assert document.row.check in report.failed


def test_only_what_is_about_it_fails():
    """A document of one defect fails in one check, but for what cannot be read any more."""
    follows = {
        "shape": {"signature", "chain"},
        "fields": {"freshness", "pcrs", "nonce", "chain", "root", "shape"},
        "chain": {"root"}, "root": {"chain"}, "freshness": {"fields"}, "pcrs": {"debug"},
    }  # fmt: skip
    for document in PACK:
        check = document.row.check
        assert set(judged(document).failed) <= {check} | follows.get(check, set()), document.file


def test_the_rows_say_what_they_must():
    assert len({document.file for document in PACK}) == len(PACK)
    steps = {step.id for step in STEPS}
    for row in (document.row for document in PACK):
        assert row.check in steps
        assert row.defect
        assert row.clause
        assert bool(row.reason) is (row.verdict == "may"), row.name
    counts = Counter(document.row.verdict for document in PACK)
    assert counts["refuse"] >= 140
    assert counts["accept"] >= 14
    covered = {document.row.check for document in PACK if document.row.verdict == "refuse"}
    assert covered == steps - {"user_data", "public_key"}


def test_no_two_documents_are_the_same_question():
    asked = {(document.data, document.root, str(document.expected)) for document in PACK}
    assert len(asked) == len(PACK)


def test_the_published_pack_never_changes_and_another_does():
    assert [one.data for one in build_pack(PUBLISHED_AT)] == [one.data for one in PACK]
    own = build_pack(PUBLISHED_AT, own_root=True)
    assert {one.row.name for one in own} == {one.row.name for one in PACK}
    assert own[0].root != PACK[0].root
    later = build_pack(datetime.now(UTC))
    for document in (*own, *later):
        accepted = judged(document).accepted
        assert {"refuse": not accepted, "accept": accepted}.get(document.row.verdict, True)


def test_the_files_say_it_all_and_the_key_is_the_roots():
    files = pack_files(PACK)
    manifest = json.loads(files["manifest.json"])
    assert [one["file"] for one in manifest["documents"]] == [
        f"documents/{one.file}" for one in PACK
    ]
    assert all(
        files[one["file"]] == two.data for one, two in zip(manifest["documents"], PACK, strict=True)
    )
    assert manifest["count"] == dict(Counter(one.row.verdict for one in PACK))
    (name,) = [name for name in files if "PRIVATE" in name]
    key = load_pem_private_key(files[name], None)
    root = x509.load_pem_x509_certificate(files["roots/published.pem"])
    assert key.public_key() == root.public_key()
    assert "PUBLIC" in root.subject.rfc4514_string()
    assert "NEVER" in name.upper()
    assert all(f"`{one.row.name}`" in files["README.md"].decode() for one in PACK)
    for root_name, one in manifest["roots"].items():
        assert f"roots/{root_name}.pem" == one["file"] in files


def test_a_pack_with_its_own_root_gives_no_key_away():
    files = pack_files(build_pack(PUBLISHED_AT, own_root=True), own_root=True)
    assert not [name for name in files if "PRIVATE" in name]
    assert not [name for name, data in files.items() if b"PRIVATE KEY" in data]
    assert "kept nowhere" in files["README.md"].decode()


def test_a_time_without_zone_is_refused():
    with pytest.raises(UsageError, match="time zone"):
        build_pack(datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_command_writes_a_pack_that_its_manifest_alone_explains(tmp_path):
    """As other people use it: the manifest and the files, and no knowledge of this package."""
    folder = tmp_path / "pack"
    done = CliRunner().invoke(cli, ["attestation", "pack", str(folder)])
    assert done.exit_code == 0, done.output
    assert f"{len(PACK)} documents" in done.output
    manifest = json.loads((folder / "manifest.json").read_text())
    for one in manifest["documents"][:60:7]:
        command = ["attestation", "verify", "--at", one["at"]]
        command += ["--root", str(folder / manifest["roots"][one["root"]]["file"])]
        wanted = one["expected"]
        command += [
            part
            for index, value in wanted["pcrs"].items()
            for part in ("--pcr", f"{index}={value}")
        ]
        command += ["--nonce", wanted["nonce"]] if wanted["nonce"] else []
        command += (
            ["--max-age", str(wanted["max_age_seconds"])] if wanted["max_age_seconds"] else []
        )
        code = CliRunner().invoke(cli, [*command, str(folder / one["file"])]).exit_code
        if one["verdict"] != "may":
            assert (code == 0) is (one["verdict"] == "accept"), one["name"]


@pytest.mark.parametrize(
    "words", [["--at", "document"], ["--at", "soon"], ["--at", "2026-01-01"], ["full"]]
)
def test_what_the_command_does_not_take(tmp_path, words):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.cose").write_bytes(b"")
    target = tmp_path / ("full" if words == ["full"] else "new")
    words = [] if words == ["full"] else words
    done = CliRunner().invoke(cli, ["attestation", "pack", str(target), *words])
    assert isinstance(done.exception, UsageError)
    assert not (tmp_path / "new").exists()


def test_now_is_now(tmp_path):
    done = CliRunner().invoke(
        cli, ["attestation", "pack", str(tmp_path / "p"), "--at", "now", "--own-root"]
    )
    assert done.exit_code == 0
    at = datetime.fromisoformat(
        json.loads((tmp_path / "p/manifest.json").read_text())["documents"][0]["at"]
    )
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
    assert not [*(tmp_path / "p").rglob("*PRIVATE*")]
