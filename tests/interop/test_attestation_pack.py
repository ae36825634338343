"""Other people's verifiers are asked about every document of the pack: who accepts what is known."""

from __future__ import annotations

import json

import pytest

from tests.interop.attestation_peers import PROGRAMS
from tests.interop.pack_page import PEERS, VERDICTS, kept, seen
from tests.interop.peers import Unbuilt

pytestmark = pytest.mark.interop
PROGRAM_MARKS = [
    pytest.param(program, id=program.name, marks=pytest.mark.heavy if program.heavy else ())
    for program in PROGRAMS
]


@pytest.mark.parametrize("program", PROGRAM_MARKS)
def test_what_they_accept_is_what_the_page_says(program, require, tmp_path):
    require("interop", program.present, f"{program.name} needs {program.remedy}")
    try:
        said = seen(program, tmp_path)
    except Unbuilt as error:
        require("interop", False, f"{program.name} needs {program.remedy}: {error}")
    known = json.loads(VERDICTS.read_text())
    assert set(said) == set(program.peers)
    for peer, answers in said.items():
        assert kept(answers) == known[peer], peer


def test_every_peer_has_a_program():
    asked = {peer for program in PROGRAMS for peer in program.peers}
    assert asked == {peer.name for peer in PEERS[1:]}
