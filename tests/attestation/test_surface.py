"""The room's public names, their examples, and what importing it costs."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest

from nitro_workflow import attestation, encoding

MODULES = ["", ".channel", ".expectations", ".inputs", ".issue", ".pcrs", ".wrapped_inputs"]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    found = importlib.import_module(f"nitro_workflow.attestation{module}")
    result = doctest.testmod(found)
    assert result.attempted > 0
    assert result.failed == 0


def test_examples_of_encoding_run() -> None:
    assert doctest.testmod(encoding).failed == 0


def test_names_are_sorted_and_are_these() -> None:
    names = [
        "AWS_ROOT_FINGERPRINT",
        "MAX_INPUT_BYTES",
        "PUBLISHED_AT",
        "STEPS",
        "At",
        "AttestationDocument",
        "CertificateRecord",
        "ChannelVerifier",
        "Expected",
        "FieldSpan",
        "HypervisorPki",
        "InstanceIssuer",
        "PackDocument",
        "PcrExpectation",
        "Reading",
        "Report",
        "StepOutcome",
        "VerifiedAttestation",
        "Verifier",
        "all_of",
        "any_of",
        "aws_root",
        "bound_to_public_key",
        "bound_to_user_data",
        "build_pack",
        "channel_digest",
        "decode_input",
        "exactly",
        "fields_json",
        "from_key_policy",
        "from_measurements",
        "one_of_values",
        "pack_files",
        "parse_certificate",
        "parse_document",
        "parse_pcr",
        "parse_root",
        "pcr3",
        "pcr4",
        "pcr8",
        "plain",
        "render_document",
        "render_report",
        "render_row",
    ]
    assert attestation.__all__ == names
    assert encoding.__all__ == ["cbor", "cose", "der_reason"]
    assert all(getattr(attestation, name) is not None for name in names)


def test_parsing_does_not_import_pycose() -> None:
    code = (
        "import sys; from nitro_workflow.attestation import parse_document;"
        "import nitro_workflow.attestation.issue; sys.exit('pycose' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_room_imports_nothing_of_weight() -> None:
    code = (
        "import sys; import nitro_workflow.attestation;"
        "inside = [m for m in sys.modules if m.startswith('nitro_workflow.attestation.')];"
        "sys.exit(len(inside) + len({'cbor2', 'cryptography'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
