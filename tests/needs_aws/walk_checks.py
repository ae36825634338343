"""What must hold of a lab that walked on AWS. Each check takes the lab, and asserts.

The suite of `make needs-aws` asks them of AWS; the tests of the stand-in ask the same ones of it, so
that a person's first run does not find faults of the suite.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from nitro_workflow.attestation import Expected, from_measurements
from nitro_workflow.lab import STEPS, Lab, document_of

__all__ = ["CHECKS"]

_CONTEXT: Final = {"dataset": "customers", "version": "1"}


def every_step_is_done_and_its_record_says_where(lab: Lab) -> None:
    """17 records; each names the cloud that it was made on."""
    kind = lab.bench.cloud.kind
    for step in STEPS:
        record = lab.bench.folder.record(step.number)
        assert record, step.number
        assert record["cloud"] == kind, step.number


def each_step_says_what_it_rests_on(lab: Lab) -> None:
    """Never more than is known: the table of docs/aws.md."""

    def known(step: str) -> set[str]:
        found = dict(lab.bench.result(step).evidence)
        forms = [one["known"] for one in found.values() if isinstance(one, dict) and "known" in one]
        return set(forms) | ({found["known"]} if "known" in found else set())

    assert known("D3") == {"observed"}
    assert known("D4") <= {"inferred", "observed"}
    assert known("D5") == {"signed"}
    for step in ("D1", "D2", "D6", "D7", "D8"):
        assert known(step) == {"word"}, step


def the_document_verifies_under_the_clouds_root(lab: Lab) -> None:
    """As an outsider does: the kept bytes, the root, the owner's PCRs."""
    pcrs = {f"PCR{n}": value for n, value in lab.bench.produced("P6", "pcrs").items()}
    verified = (
        lab.bench.cloud.trust()
        .verifier()
        .verify(
            document_of(lab.bench),
            at="document",  # an archived one: it was judged for its age when it came
            expected=Expected(pcrs=from_measurements(pcrs, "P6")),
        )
    )
    assert verified.document.pcrs[0].hex() == pcrs["PCR0"]


def nobody_decrypts_without_the_enclave(lab: Lab) -> None:
    """Tried, not read: the owner, the developer and the administrator with the wrapped key."""
    wrapped = (lab.bench.path / "owner" / "data-key.encrypted").read_bytes()
    key = lab.bench.produced("P1", "key_arn")
    for party in ("owner", "developer", "administrator"):
        kms = lab.bench.parties.session(party).client("kms")
        _refused(
            lambda kms=kms: kms.decrypt(
                CiphertextBlob=wrapped, KeyId=key, EncryptionContext=_CONTEXT
            )
        )


def the_administrator_neither_changes_the_key_nor_becomes_its_owner(lab: Lab) -> None:
    """Policy, state, grants, the owner's role, and roles at all."""
    session = lab.bench.parties.session("administrator")
    kms, key = session.client("kms"), lab.bench.produced("P1", "key_arn")
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = lab.bench.policies.role_arn("administrator")
    _refused(lambda: kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy))
    _refused(lambda: kms.disable_key(KeyId=key))
    _refused(lambda: kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Decrypt"]))
    owner = lab.bench.policies.role_arn("owner")
    sts = session.client("sts")
    _refused(lambda: sts.assume_role(RoleArn=owner, RoleSessionName="administrator"))
    iam = session.client("iam")
    name = lab.bench.policies.role_name("administrator")
    _refused(lambda: iam.put_role_policy(RoleName=name, PolicyName="more", PolicyDocument=policy))


def _refused(call: Callable[[], Any]) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    code = caught.value.response["Error"]["Code"]
    assert "AccessDenied" in code or "Unauthorized" in code, code


CHECKS: Final = (
    every_step_is_done_and_its_record_says_where,
    each_step_says_what_it_rests_on,
    the_document_verifies_under_the_clouds_root,
    nobody_decrypts_without_the_enclave,
    the_administrator_neither_changes_the_key_nor_becomes_its_owner,
)
