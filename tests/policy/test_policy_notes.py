"""What `check` says of any policy."""

from __future__ import annotations

import pytest
from policy_help import allow, deny, policy

from nitro_workflow.policy import notes


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (allow("kms:Decrypy"), "no action kms:Decrypy"),
        (deny(["kms:Decrypt", "KMS:De*crypted"]), "no action KMS:De*crypted"),
        (allow(Condition={"DateLessThan": {"aws:CurrentTime": "soon"}}), "'soon' is not a value"),
        (allow(Condition={"Null": {"aws:CurrentTime": "maybe"}}), "'maybe' is not a value"),
        (allow(Condition={"StringEquals": {"aws:SourceIp": []}}), "there is no value"),
        (allow(Condition={"StringEquals": {"aws:SourceIps": "x"}}), "no such condition key"),
        (allow(Condition={"StringEquals": {"kms:RecipientAttestation:PCR77": "x"}}), "no such"),
        (allow(Condition={"StringEquals": {"aws:TagKeys": "x"}}), "needs ForAnyValue"),
        (allow(Condition={"ForAnyValue:StringEquals": {"aws:SourceVpce": "x"}}), "does not belong"),
        (
            allow(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "x"}}),
            "holds when the key",
        ),
    ],
)
def test_oddities(statement, says):
    assert any(says in text for text in notes(policy(statement)))


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "x"},
                         "Null": {"aws:TagKeys": "false"}}),
        deny(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "x"}}),
        allow(Condition={"StringEquals": {"aws:PrincipalTag/any": "x", "s3:anything": "y",
                                          "kms:EncryptionContext:a": "z"}}),
        allow(Condition={"StringEquals": {"KMS:recipientattestation:pcr31": "ab" * 48}}),
    ],
)  # fmt: skip
def test_what_is_not_odd(statement):
    assert notes(policy(statement)) == ()


def test_variables_of_an_old_policy_and_sids_twice():
    statement = allow("s3:*", "arn:aws:s3:::b/${aws:username}", Sid="A")
    (old,) = notes(policy(statement, version=None))
    assert "variables need Version 2012-10-17" in old
    (twice,) = notes(policy(statement, statement))
    assert twice == "statement 2 “A”: statement 1 “A” has the same Sid"
