"""docs/attestation-pack.md is what the known answers make of it; ours are computed here."""

from __future__ import annotations

import json

from nitro_workflow.attestation import PUBLISHED_AT, build_pack
from tests.interop.pack_page import OURS, PAGE, VERDICTS, kept, ours, render


def test_the_page_is_what_was_seen():
    documents, verdicts = build_pack(PUBLISHED_AT), json.loads(VERDICTS.read_text())
    assert verdicts[OURS] == kept(ours(documents))
    assert PAGE.read_text() == render(verdicts, documents)


def test_every_peer_was_asked_about_documents_that_are_there():
    names = {document.file.removesuffix(".cose") for document in build_pack(PUBLISHED_AT)}
    for said in json.loads(VERDICTS.read_text()).values():
        assert {*said["accepts"], *said["panics"]} <= names


def test_ours_is_right_on_all_of_it():
    documents = {one.file.removesuffix(".cose"): one for one in build_pack(PUBLISHED_AT)}
    accepts = set(json.loads(VERDICTS.read_text())[OURS]["accepts"])
    must = {name for name, one in documents.items() if one.row.verdict == "accept"}
    never = {name for name, one in documents.items() if one.row.verdict == "refuse"}
    assert must <= accepts
    assert not never & accepts
