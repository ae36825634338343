"""Any request that botocore's model allows, in any order: an answer of the model, never a failure.

`shapes.check_answer` holds every answer, so what is asked here only has to be various.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitro_workflow.cloud.local.kms import OPERATIONS
from nitro_workflow.cloud.local.protocol import load_model
from tests.cloud.kms.conftest import DATA, ENDPOINT, allow, document_policy, role_arn

MISSING = "00000000-0000-0000-0000-000000000000"
POLICIES = [
    "{}",
    document_policy(allow(role_arn(DATA, "DataOwner"), "*")),
    document_policy(allow(f"arn:aws:iam::{DATA}:root", "*")),
    document_policy(allow("*", "Decrypt", Bool={"aws:SecureTransport": "true"})),
]
ODD = ["", " ", "a", "é", "\u0000", "alias/aws/x", "arn:aws:kms", "x" * 40]


@pytest.fixture(scope="module")
def things(world: Any, owner: Any) -> dict[str, list[Any]]:
    """What requests may name: real things, so that they get past the first check."""
    keys = [owner.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    for usage in ("SIGN_VERIFY", "KEY_AGREEMENT"):
        made = owner.create_key(KeySpec="ECC_NIST_P256", KeyUsage=usage)
        keys.append(made["KeyMetadata"]["Arn"])
    owner.create_alias(AliasName="alias/any", TargetKeyId=keys[0])
    grant = owner.create_grant(
        KeyId=keys[0], GranteePrincipal=role_arn(DATA, "DataOwner"), Operations=["Decrypt"]
    )
    blob = owner.encrypt(KeyId=keys[0], Plaintext=b"x")["CiphertextBlob"]
    public = owner.get_public_key(KeyId=keys[3])["PublicKey"]
    names = [*keys, keys[0].rpartition("/")[2], MISSING, *ODD]
    return {
        "KeyIdType": [*names, "alias/any"],
        "AliasNameType": ["alias/any", "alias/new", "alias/none", *ODD],
        "CiphertextType": [blob, blob[:-1], b"x", b"NWK1" + bytes(90)],
        "PublicKeyType": [public, b"x"],
        "GrantIdType": [grant["GrantId"], "0" * 64],
        "GrantTokenType": [grant["GrantToken"], "no"],
        "PrincipalIdType": [role_arn(DATA, "DataOwner"), role_arn(DATA, "Ghost"), "*", *ODD],
        "PolicyType": POLICIES,
        "AttestationDocumentType": [world.attester().document()[0], b"x"],
        "MarkerType": ["", "x"],
        "PolicyNameType": ["default", "other"],
    }


@pytest.fixture(scope="module")
def unchecked(world: Any, owner: Any) -> Any:
    """The owner's client without the checks of its own that would stop much of this."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    session = world.role_session(DATA, "DataOwner")
    return session.create_client("kms", "us-east-1", endpoint_url=ENDPOINT, config=config)


def values(shape: Any, things: dict[str, list[Any]]) -> st.SearchStrategy[Any]:
    """A strategy for one shape's values."""
    if shape.name in things:
        return st.sampled_from(things[shape.name])
    kind = shape.type_name
    if kind == "structure":
        return structure(shape, things)
    if kind == "list":
        return st.lists(values(shape.member, things), min_size=0, max_size=3)
    if kind == "map":
        return st.dictionaries(values(shape.key, things), values(shape.value, things), max_size=3)
    if kind == "string":
        return st.sampled_from(shape.enum) if shape.enum else st.sampled_from(ODD)
    if kind == "integer":
        return st.integers(-1, 3000)
    simple = {"boolean": st.booleans(), "blob": st.binary(max_size=40)}
    return simple[kind]


def structure(shape: Any, things: dict[str, list[Any]]) -> st.SearchStrategy[Any]:
    members = {name: values(member, things) for name, member in shape.members.items()}
    required = {name: members[name] for name in shape.required_members}
    optional = {name: found for name, found in members.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_request_has_an_answer_of_the_model(unchecked, things, data):
    operation = data.draw(st.sampled_from(sorted(OPERATIONS)), label="operation")
    shape = load_model("kms").operation_model(operation).input_shape
    parameters = data.draw(structure(shape, things), label="parameters")
    if parameters.get("KeyPairSpec", "").startswith("RSA"):
        parameters["KeyPairSpec"] = "ECC_NIST_P256"  # a large pair takes seconds
    with suppress(ClientError):
        unchecked._make_api_call(operation, parameters)
