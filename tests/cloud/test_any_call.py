"""No 500: whatever is sent, in whatever member, there is an answer of the model, and a record.

`NITRO_WORKFLOW_ANY_CALL=20 pytest tests/cloud/test_any_call.py` tries twenty odd values a member
and another seed; the default is what CI runs.
"""

from __future__ import annotations

import gc
import os
import time
from collections import Counter

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.parsers import create_parser

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.catalogue import SERVICES
from nitro_workflow.cloud.local.dispatch import Arrival, Dispatcher
from nitro_workflow.cloud.local.http.edge import _QUICK
from nitro_workflow.cloud.local.protocol import FileSlice, RawRequest, RawResponse, load_model
from tests.cloud.any_call import AnyCall, any_calls
from tests.cloud.test_sigv4 import URL, keys, signed

EACH = int(os.environ.get("NITRO_WORKFLOW_ANY_CALL", "2"))
SEED = 20_261_128 + (EACH if EACH != 2 else 0)
LOOP_S = 0.1  # processor seconds of one request on the event loop; the longest takes 3 ms here


def request_of(dispatcher: Dispatcher, call: AnyCall) -> RawRequest:
    signer = S3SigV4Auth if call.service == "s3" else SigV4Auth
    return signed(
        keys(dispatcher), method=call.method, url=URL.rstrip("/") + call.url, body=call.body,
        headers=dict(call.headers), signer=signer, service=call.service,
    )  # fmt: skip


def answered(dispatcher: Dispatcher, call: AnyCall) -> tuple[RawResponse, float]:
    """Return the answer, and the processor seconds that the event loop would have spent."""
    request = request_of(dispatcher, call)
    gc.disable()  # a collection of all that a process of tests holds would be counted too
    try:
        began = time.thread_time()
        arrival = dispatcher.arrive(request)
        if not isinstance(arrival, Arrival):
            return arrival, time.thread_time() - began
        on_the_loop = arrival.operation in _QUICK and len(call.body) <= budgets.SMALL_BYTES
        spent = time.thread_time() - began
        response = dispatcher.finish(arrival, request)
        return response, time.thread_time() - began if on_the_loop else spent
    finally:
        gc.enable()


def of_the_model(call: AnyCall, response: RawResponse) -> bool:
    """Whether botocore reads the answer as this operation's, or as an error with a code."""
    body = response.body
    content = body.file.read() if isinstance(body, FileSlice) else body
    if isinstance(body, FileSlice):
        body.file.close()
    protocol, model = SERVICES[call.service].protocol, load_model(call.service)
    headers = {name.lower(): text for name, text in response.headers.items()}
    whole = {"status_code": response.status, "headers": headers, "body": content}
    shape = model.operation_model(call.operation).output_shape
    parsed = create_parser(protocol).parse(whole, shape)
    return response.status < 300 or bool(parsed["Error"]["Code"]) or call.method == "HEAD"


def problem(call: AnyCall, response: RawResponse, spent: float) -> str:
    if response.status == 500 or response.status > 501:
        return f"{response.status} {bytes(response.body)[-160:]!r}"
    if spent > LOOP_S:
        return "too long on the loop"
    texts = [*response.headers, *response.headers.values()]
    if any(ord(letter) < 0x20 for text in texts for letter in text):
        return "a header that no server can send"
    try:
        return "" if of_the_model(call, response) else "an error without a code"
    except Exception as error:  # noqa: BLE001 - whatever the parser says is the finding
        return f"not of the model: {type(error).__name__} {error}"


@pytest.fixture
def furnished(dispatcher: Dispatcher) -> Dispatcher:
    """A cloud with a bucket and a key to be odd about."""
    bucket = AnyCall("s3", "CreateBucket", "", "PUT", "/any-bucket")
    put = AnyCall("s3", "PutObject", "", "PUT", "/any-bucket/key")
    target = {"X-Amz-Target": "TrentService.CreateKey"}
    for call in (bucket, put, AnyCall("kms", "CreateKey", "", headers=target, body=b"{}")):
        answered(dispatcher, call)
    return dispatcher


def test_every_call_has_an_answer_of_the_model_and_a_record(furnished: Dispatcher) -> None:
    found: list[str] = []
    ids: Counter[str] = Counter()
    before, seen = recorded(furnished), set()
    for number, call in enumerate(any_calls(SEED, EACH)):
        response, spent = answered(furnished, call)
        headers = response.headers
        ids[headers.get("x-amzn-requestid") or headers["x-amz-request-id"]] += 1
        if why := problem(call, response, spent):
            found.append(f"{call.service}:{call.operation} {call.what}: {why}")
        if number % 100 == 0:  # before the ring lets them go
            seen |= recorded(furnished)
    assert found == []
    assert (seen | recorded(furnished)) - before == ids.keys()
    assert len(ids) > 2_000


def recorded(dispatcher: Dispatcher) -> set[str]:
    """Return the request ids of the records that are kept now."""
    dispatcher.services.events.flush()
    query = "SELECT json_extract(document, '$.requestID') FROM events"
    return {row[0] for row in dispatcher.services.store.read().execute(query)}


def test_the_same_seed_makes_the_same_calls() -> None:
    assert list(any_calls(7, 1)) == list(any_calls(7, 1))
