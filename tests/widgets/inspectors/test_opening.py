"""What `inspect` makes of policies, images and nitro-cli's JSON."""

from __future__ import annotations

import importlib
import json

import pytest

from nitro_workflow.nsm.messages import Attestation, encode_request
from nitro_workflow.widgets.inspecting import inspect
from nitro_workflow.widgets.inspectors import DROPPED
from nitro_workflow.widgets.openers import OPENERS
from tests.conftest import VECTORS
from tests.widgets.inspectors.image_cases import write_eif
from tests.widgets.inspectors.policy_cases import GOOD, OTHER, key_policy


def test_a_key_policy_opens_with_a_request_that_gets_through():
    view = inspect(json.dumps(key_policy()))
    assert view.model.kind == "policy"
    assert view.model.head.verdict == "No way to the plaintext without attestation"
    assert (
        view.answers["decide"]({"edits": {"aws:SourceIp": "192.0.2.7"}}).head.verdict == "Allowed"
    )
    assert view.answers["decide"]({"edits": {}}).head == view.model.head
    assert "ParentInstance" in next(f.value for f in view.model.fields if f.key == "principal")
    assert view.answers["decide"]({"edits": {"document": "none"}}).head.verdict == (
        "Denied: no attestation document"
    )
    assert view.who_can.model.head.verdict == "No way to the plaintext without attestation"


@pytest.mark.parametrize("name", sorted(OPENERS))
def test_a_drop_zone_can_draw_whatever_is_recognised(name):
    """The models that an opener's module makes; a drop zone carries no other kind's script."""
    opener = importlib.import_module(
        f"nitro_workflow.widgets.inspectors.{OPENERS[name].partition(':')[0]}"
    )
    fields = [getattr(one, "__dataclass_fields__", {}).get("kind") for one in vars(opener).values()]
    made = {one.default for one in fields if one is not None and isinstance(one.default, str)}
    assert made <= DROPPED


def test_get_key_policys_answer_is_one_too():
    assert (
        inspect({"Policy": json.dumps(key_policy()), "PolicyName": "default"}).model.kind
        == "policy"
    )


def test_a_policy_that_lets_nobody_decrypt_is_opened_too():
    document = {**key_policy(), "Statement": key_policy()["Statement"][:2]}
    assert inspect(document).model.head.tone == "bad"


def test_a_policy_that_is_none_is_said_to_be_none():
    view = inspect({"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]})
    assert view.model.head.verdict.startswith("Not readable as a policy")
    assert view.text
    assert view.html


@pytest.mark.parametrize(
    "changed",
    [
        {"Action": "\u212ams:Decrypt"},  # the sign for kelvin, no K
        {"Action": ["Decrypt", "kms:"]},
        {"Principal": "arn:aws:iam::111122223333:role/a"},
        {"Principal": None},
    ],
    ids=["kelvin", "no service", "bare", "nobody"],
)
def test_a_policy_that_aws_would_not_save_is_shown_all_the_same(changed):
    first, *others = key_policy()["Statement"]
    odd = {name: value for name, value in {**first, **changed}.items() if value is not None}
    view = inspect({**key_policy(), "Statement": [odd, *others]})
    assert view.model.kind == "policy"
    assert view.who_can.text
    assert view.answers["decide"]({"edits": {"document": "none"}}).head.tone == "bad"


def test_an_image_opens_by_its_path_and_by_its_bytes(tmp_path):
    path = write_eif(tmp_path / "a.eif")
    for thing in (path, str(path), path.read_bytes()):
        view = inspect(thing)
        assert view.model.kind == "image"
        assert view.answers["open"]({"ramdisk": 1, "key": b"cmd".hex()})["text"] == "/app/main\n"
        assert view.pcrs.model.cases[0].rows[0].name == "PCR0"


def test_what_has_no_inspector_says_what_it_is_and_what_to_do(tmp_path):
    request = inspect(encode_request(Attestation(nonce=b"n" * 20))).model.head
    assert request.what == "NSM message · 64 bytes · read as raw bytes"
    assert f"\"nonce\": h'{(b'n' * 20).hex()}'" in request.why
    for name in ("oci-layout", "index.json"):
        (tmp_path / name).write_text("{}")
    container = inspect(tmp_path).model.head
    assert (container.verdict, container.tone) == ("A folder with an OCI layout", "neutral")
    assert "image build --image" in container.next
    key = (VECTORS / "cms" / "edgebit_sdk_go" / "key.pkcs8.der").read_bytes()
    shown = inspect(key)
    assert "nothing of it is shown" in shown.model.head.verdict
    assert key[40:56].hex() not in shown.html.replace(" ", "")


def test_nitro_clis_json_opens_as_pcrs():
    view = inspect(json.dumps({"Measurements": {"HashAlgorithm": "Sha384 { ... }", **GOOD}}))
    assert (view.model.kind, view.model.columns) == ("pcrs", (("nitro-cli", "nitro-cli's word"),))


def test_enclaves_stand_side_by_side():
    listed = [{"EnclaveName": "a", "EnclaveID": "i-1-enc1", "Measurements": GOOD},
              {"EnclaveName": "b", "EnclaveID": "i-1-enc2", "Measurements": OTHER}]  # fmt: skip
    view = inspect(json.dumps(listed))
    assert view.model.head.verdict == "PCR0 and PCR2 differ"
    assert [name for name, _ in view.model.columns] == ["a", "b"]
