"""What takes long is no work for the event loop: others wait for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import LongAnswer
from nitro_workflow.cloud.local.dispatch import Arrival, Dispatcher
from nitro_workflow.cloud.local.protocol import RawRequest
from tests.cloud.conftest import DATA, RunningCloud, policy
from tests.cloud.test_sigv4 import keys, signed

ROOT = f"arn:aws:iam::{DATA}:root"
OWNER = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
LONG = {"a": "123 456 789 " * 600}
Ask = Callable[..., RawRequest]


def patterns(count: int) -> dict[str, Any]:
    """A statement that compares an encryption context with so many patterns, letter by letter."""
    wanted = [f"*{number}*q*z?" for number in range(count)]
    condition = {"StringLike": {"kms:EncryptionContext:a": wanted}}
    return {**OWNER, "Effect": "Deny", "Principal": "*", "Condition": condition}


@pytest.fixture
def ask(dispatcher: Dispatcher) -> Ask:
    def request(operation: str, **params: Any) -> RawRequest:
        kind = "application/x-amz-json-1.1"
        headers = {"X-Amz-Target": f"TrentService.{operation}", "Content-Type": kind}
        return signed(keys(dispatcher), headers=headers, body=json.dumps(params).encode())

    return request


def made(dispatcher: Dispatcher, request: RawRequest) -> Any:
    answer = dispatcher.handle(request)
    assert answer.status == 200
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


def on_loop(dispatcher: Dispatcher, request: RawRequest) -> int:
    arrival = dispatcher.arrive(request)
    assert isinstance(arrival, Arrival)
    return dispatcher.finish(arrival, request, on_loop=True).status


def records(dispatcher: Dispatcher) -> int:
    dispatcher.services.events.flush()
    query = "SELECT count(*) FROM events WHERE name = 'Encrypt'"
    return int(dispatcher.services.store.read().execute(query).fetchone()[0])


def test_a_key_policy_that_is_slowly_compared(dispatcher: Dispatcher, ask: Ask) -> None:
    """A policy of 21 KB and a context of 8 KB kept all others waiting for a second."""
    document = policy(OWNER, patterns(1_000))
    key = made(dispatcher, ask("CreateKey", Policy=document))["KeyMetadata"]["KeyId"]
    asked = ask("Encrypt", KeyId=key, Plaintext="aGk=", EncryptionContext=LONG)
    with pytest.raises(LongAnswer):
        on_loop(dispatcher, asked)
    assert records(dispatcher) == 0
    assert made(dispatcher, asked)["CiphertextBlob"]
    assert records(dispatcher) == 1
    short = ask("Encrypt", KeyId=key, Plaintext="aGk=", EncryptionContext={"a": "short"})
    assert on_loop(dispatcher, short) == 200


def test_names_of_a_context_that_are_slowly_compared(dispatcher: Dispatcher, ask: Ask) -> None:
    """They are the values of kms:EncryptionContextKeys: one of 7 KB held the loop for 0.6 s."""
    wanted = [f"*{number}*q*z?" for number in range(1_000)]
    condition = {"ForAnyValue:StringLike": {"kms:EncryptionContextKeys": wanted}}
    deny = {**OWNER, "Effect": "Deny", "Principal": "*", "Condition": condition}
    key = made(dispatcher, ask("CreateKey", Policy=policy(OWNER, deny)))["KeyMetadata"]["KeyId"]
    whole = LONG["a"]
    parts = {f"{number}{whole[:700]}": "" for number in range(10)}
    for context in ({whole: "a"}, parts):
        asked = ask("Encrypt", KeyId=key, Plaintext="aGk=", EncryptionContext=context)
        with pytest.raises(LongAnswer):
            on_loop(dispatcher, asked)
    short = ask("Encrypt", KeyId=key, Plaintext="aGk=", EncryptionContext={"a": "short"})
    assert on_loop(dispatcher, short) == 200


def test_who_calls_is_slowly_compared_too(dispatcher: Dispatcher, ask: Ask) -> None:
    wanted = [f"*{number}*q*z?" for number in range(1_500)]
    agent = {"StringLike": {"aws:UserAgent": wanted}}
    deny = {**OWNER, "Effect": "Deny", "Principal": "*", "Condition": agent}
    key = made(dispatcher, ask("CreateKey", Policy=policy(OWNER, deny)))["KeyMetadata"]["KeyId"]
    asked = ask("Encrypt", KeyId=key, Plaintext="aGk=")
    assert on_loop(dispatcher, asked) == 200
    called = replace(asked, headers={**asked.headers, "user-agent": "1234 " * 60})
    with pytest.raises(LongAnswer):
        on_loop(dispatcher, called)


def test_a_key_with_thousands_of_grants(dispatcher: Dispatcher, ask: Ask) -> None:
    key = made(dispatcher, ask("CreateKey"))["KeyMetadata"]["KeyId"]
    granted = {"GranteePrincipal": ROOT, "Operations": ["Encrypt"]}
    assert made(dispatcher, ask("CreateGrant", KeyId=key, **granted))["GrantId"]
    asked = ask("Encrypt", KeyId=key, Plaintext="aGk=")
    assert on_loop(dispatcher, asked) == 200
    with dispatcher.services.store.transaction() as db:
        (row,) = db.execute("SELECT * FROM kms_grants").fetchall()
        db.executemany(
            f"INSERT INTO kms_grants VALUES ({','.join('?' * len(row))})",
            [(f"grant{n}", row["key_id"], f"token{n}", *tuple(row)[3:])
             for n in range(budgets.LOOP_GRANTS)],
        )  # fmt: skip
    with pytest.raises(LongAnswer):
        on_loop(dispatcher, asked)
    assert made(dispatcher, asked)["CiphertextBlob"]


def test_both_are_answered(cloud: RunningCloud) -> None:
    kms = cloud.client("kms")
    key = kms.create_key(Policy=policy(OWNER, patterns(300)))["KeyMetadata"]["KeyId"]
    for context in (LONG, {"a": "short"}):
        blob = kms.encrypt(KeyId=key, Plaintext=b"hi", EncryptionContext=context)["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"hi"


def test_more_headers_than_anybody_signs(cloud: RunningCloud, refused: Any) -> None:
    """To sign 5,000 took 80 ms, twice; and who only knows a key's id could ask for it."""
    s3 = cloud.client("s3")
    more = {f"x{number}": "" for number in range(budgets.FIELDS)}
    s3.meta.events.register("before-send", lambda request, **_: request.headers.update(more))
    refused("RequestHeaderSectionTooLarge", s3.list_buckets)
