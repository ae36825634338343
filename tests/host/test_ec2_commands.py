"""Commands by SSM: however they end, one error with a cause; long answers come through the bucket."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import AccessRefused, HostError, NitroWorkflowError
from nitro_workflow.host import Ec2Host
from nitro_workflow.host.ec2 import ssm_commands
from nitro_workflow.host.ec2.instance_line import InstanceLine
from nitro_workflow.host.ec2.ssm_commands import Said
from tests.host.played_aws import PlayedAws, Refusal, ec2_host

INSTANCE = "i-0123456789abcdef0"
DONE = {"Status": "Success", "StandardOutputContent": json.dumps({"ok": {"exit": 0}})}


class Program:
    """What answers on the instance."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        return self.answers.pop(0) if self.answers else {"ok": {"exit": 0}}


@pytest.fixture
def aws() -> PlayedAws:
    return PlayedAws(INSTANCE, lambda _: Program())


@pytest.fixture
def host(aws: PlayedAws, tmp_path: Path) -> Ec2Host:
    return ec2_host(aws, tmp_path / "records")


def test_a_command_is_waited_for(aws: PlayedAws, host: Ec2Host) -> None:
    waiting = [{"Status": name} for name in ("Pending", "InProgress", "Delayed")]
    aws.fails["GetCommandInvocation"] = [Refusal("InvocationDoesNotExist"), *waiting]
    assert host.run_command(INSTANCE, ["true"]) == {"exit": 0}
    (sent,) = aws.named("SendCommand")
    assert sent["DocumentName"] == "AWS-RunShellScript"
    assert sent["InstanceIds"] == [INSTANCE]
    assert int(sent["Parameters"]["executionTimeout"][0]) >= 20


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"Status": "Failed", "ResponseCode": 127, "StandardErrorContent": "not found"}, "127"),
        ({"Status": "TimedOut", "StatusDetails": "DeliveryTimedOut"}, "DeliveryTimedOut"),
        ({"Status": "Cancelled"}, "Cancelled"),
    ],
)
def test_a_command_that_ends_badly(
    aws: PlayedAws, host: Ec2Host, state: dict[str, Any], said: str
) -> None:
    aws.fails["GetCommandInvocation"] = [state]
    with pytest.raises(HostError, match=said) as refused:
        host.run_command(INSTANCE, ["true"])
    assert refused.value.code == "InstanceUnavailable"
    assert refused.value.next


def test_a_command_that_does_not_end_is_cancelled(
    aws: PlayedAws, host: Ec2Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssm_commands, "DELIVERY_SECONDS", 30)
    monkeypatch.setattr(ssm_commands, "SLACK_SECONDS", -60.0)
    aws.fails["GetCommandInvocation"] = [{"Status": "InProgress"}] * 99
    with pytest.raises(HostError, match="no end within"):
        host.run_command(INSTANCE, ["true"], timeout=-5)
    assert len(aws.named("CancelCommand")) == 1


def test_an_instance_that_ssm_does_not_reach(aws: PlayedAws, host: Ec2Host) -> None:
    with pytest.raises(HostError, match="does not reach"):
        host.run_command("i-00000000000000009", ["true"])


def test_who_may_not_command_hears_it_from_aws(aws: PlayedAws, host: Ec2Host) -> None:
    aws.fails["SendCommand"] = [Refusal("AccessDeniedException", "no ssm:SendCommand")]
    with pytest.raises(AccessRefused, match="no ssm:SendCommand"):
        host.run_command(INSTANCE, ["true"])


@pytest.mark.parametrize("output", ["", "{", "[1]", '{"other": 1}', '{"ok": 1', "a" * 24_000])
def test_an_answer_that_was_cut_is_asked_for_again_where_that_is_harmless(
    aws: PlayedAws, host: Ec2Host, output: str
) -> None:
    cut = {"Status": "Success", "StandardOutputContent": output}
    aws.fails["GetCommandInvocation"] = [cut]
    assert host.logs(INSTANCE) == {"exit": 0}
    aws.fails["GetCommandInvocation"] = [cut, cut]
    with pytest.raises(HostError) as refused:
        host.logs(INSTANCE)
    assert refused.value.code == "AnswerLost"
    sent = len(aws.named("SendCommand"))
    aws.fails["GetCommandInvocation"] = [cut]
    with pytest.raises(HostError):
        host.channel(INSTANCE).ask({"op": "send"})
    assert len(aws.named("SendCommand")) == sent + 1, "a job is handed over once"


def test_a_long_answer_comes_through_the_bucket(aws: PlayedAws, host: Ec2Host) -> None:
    long = {"text": "x" * 100_000}
    aws.requests.answers = [{"ok": long}]
    assert host.channel(INSTANCE).ask({"op": "job"}) == long
    (got,) = aws.named("GetObject")
    assert got["Key"].startswith("answers/")


@pytest.mark.parametrize("what", ["bytes", "key", "size", "zero"])
def test_another_answer_in_the_bucket_is_refused(aws: PlayedAws, host: Ec2Host, what: str) -> None:
    data = b'{"ok": 1}'
    stored = {"key": "answers/a.json", "bytes": len(data), "sha256": "00" * 32}
    stored |= {"key": "instance/a"} if what == "key" else {}
    stored |= {"bytes": 1 << 40} if what == "size" else {"bytes": 0} if what == "zero" else {}
    aws.objects["answers/a.json"] = aws.objects["instance/a"] = data
    said = {"Status": "Success", "StandardOutputContent": json.dumps({"stored": stored})}
    aws.fails["GetCommandInvocation"] = [said]
    with pytest.raises(HostError) as refused:
        host.channel(INSTANCE).ask({"op": "job"})
    assert refused.value.code == "ParentUnavailable"


def test_an_error_of_the_instance_is_raised_here_as_it_was_there(
    aws: PlayedAws, host: Ec2Host
) -> None:
    there = HostError("Insufficient memory requested.", code="E26", next="more").to_json()
    aws.requests.answers = [{"error": there}]
    with pytest.raises(NitroWorkflowError) as refused:
        host.logs(INSTANCE)
    assert refused.value.to_json() == there


def test_what_is_too_long_to_send_is_said(aws: PlayedAws, host: Ec2Host) -> None:
    with pytest.raises(HostError, match="a request of"):
        host.run_command(INSTANCE, ["x" * 60_000])
    assert not aws.named("SendCommand")


def test_nothing_is_asked_of_an_instance_before_one_was_ready(
    aws: PlayedAws, host: Ec2Host
) -> None:
    assert host.describe_enclaves() == []
    assert host.trace() == []
    host.stop_instance(INSTANCE)
    assert aws.calls == []
    with pytest.raises(HostError) as refused:
        host.terminate_enclave("i-0-enc0")
    assert refused.value.code == "E39"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["ok", "error", "stored", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_the_instance_says_is_an_answer_or_an_error(data: bytes) -> None:
    """It is the administrator's, who may have it say anything."""

    class Commands:
        def run(self, *_: object, **__: object) -> Said:
            return Said(data.decode("utf-8", "replace"), "")

    class Bucket:
        def get_object(self, **_: object) -> dict[str, Any]:
            return {"Body": io.BytesIO(b"{}")}

    line = InstanceLine(Commands(), Bucket, "bucket")  # type: ignore[arg-type]
    with contextlib.suppress(NitroWorkflowError):
        line.ask(INSTANCE, "logs", seconds=1)
        assert "ok" in json.loads(data)
