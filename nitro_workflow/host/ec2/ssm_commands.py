"""Commands on the instance by SSM's RunCommand: no port is opened, and none is needed.

SendCommand hands the line to the agent, GetCommandInvocation is asked until it has ended. SSM keeps
24,000 characters of the output: see `instance_line` for what is longer.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import cloud_errors, error_code
from nitro_workflow.errors import HostError, NitroWorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Said", "SsmCommands"]

DOCUMENT: Final = "AWS-RunShellScript"
DELIVERY_SECONDS: Final = 60
"""For the agent to take the command; SSM takes 30 at least."""
SLACK_SECONDS: Final = 15.0
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 1.5
TAIL: Final = 400  # characters of what a command said, in an error

_WAITING: Final = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})
_UNREACHABLE: Final = frozenset({"InvalidInstanceId", "InvalidInstanceInformationFilterValue"})


@dataclass(frozen=True, slots=True)
class Said:
    """What an ended command has said; SSM may have cut it."""

    output: str
    errors: str


class SsmCommands:
    """Runs lines of shell as root on an instance; ``ssm`` gives the administrator's client."""

    def __init__(self, ssm: Callable[[], Any]) -> None:
        self._ssm = ssm

    def run(self, instance_id: str, line: str, *, seconds: float, what: str) -> Said:
        """Run ``line`` for at most ``seconds``; ``what`` is for SSM's list and for an error.

        Raises `HostError` where it ends badly, is not delivered or not answered; `AccessRefused`
        and others for what AWS refuses.
        """
        ssm = self._ssm()
        command = self._send(ssm, instance_id, line, seconds, what)
        deadline = time.monotonic() + DELIVERY_SECONDS + seconds + SLACK_SECONDS
        pause = FIRST_PAUSE
        while True:
            found = _asked(ssm, instance_id, command, what)
            if found.get("Status") not in _WAITING:
                return _ended(found, instance_id, what)
            if time.monotonic() > deadline:
                _cancel(ssm, instance_id, command)
                raise _unanswered(instance_id, what, f"no end within {seconds:.0f} s")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def online(self, instance_id: str) -> bool:
        """Tell whether the instance's agent is connected."""
        with cloud_errors("SSM, DescribeInstanceInformation"):
            answer = self._ssm().describe_instance_information(
                Filters=[{"Key": "InstanceIds", "Values": [instance_id]}]
            )
        found = answer["InstanceInformationList"]
        return any(one["PingStatus"] == "Online" for one in found)

    def _send(self, ssm: Any, instance_id: str, line: str, seconds: float, what: str) -> str:
        from botocore.exceptions import ClientError

        with cloud_errors(f"SSM, SendCommand: {what}"):
            try:
                answer = ssm.send_command(
                    InstanceIds=[instance_id],
                    DocumentName=DOCUMENT,
                    Parameters={"commands": [line], "executionTimeout": [str(int(seconds) + 1)]},
                    TimeoutSeconds=DELIVERY_SECONDS,
                    Comment=f"nitro-workflow {what}"[:100],
                )
            except ClientError as error:
                if error_code(error) not in _UNREACHABLE:
                    raise
                raise _unanswered(instance_id, what, "SSM does not reach the instance") from error
        return str(answer["Command"]["CommandId"])


def _asked(ssm: Any, instance_id: str, command: str, what: str) -> Mapping[str, Any]:
    from botocore.exceptions import ClientError

    with cloud_errors(f"SSM, GetCommandInvocation: {what}"):
        try:
            answer: Mapping[str, Any] = ssm.get_command_invocation(
                CommandId=command, InstanceId=instance_id
            )
        except ClientError as error:
            if error_code(error) != "InvocationDoesNotExist":  # not known everywhere yet
                raise
            return {"Status": "Pending"}
    return answer


def _ended(found: Mapping[str, Any], instance_id: str, what: str) -> Said:
    output = str(found.get("StandardOutputContent", ""))
    errors = str(found.get("StandardErrorContent", ""))
    if found.get("Status") == "Success":
        return Said(output, errors)
    state = found.get("StatusDetails") or found.get("Status")
    said = " ".join((errors or output).split())[-TAIL:] or "nothing"
    raise _unanswered(instance_id, what, f"{state}, status {found.get('ResponseCode')}: {said}")


def _cancel(ssm: Any, instance_id: str, command: str) -> None:
    """End it, so that it does not go on unseen; what AWS says to that changes nothing here."""
    with contextlib.suppress(NitroWorkflowError), cloud_errors("SSM, CancelCommand"):
        ssm.cancel_command(CommandId=command, InstanceIds=[instance_id])


def _unanswered(instance_id: str, what: str, found: str) -> HostError:
    return HostError(
        f"{what}: {found}",
        expected="an answer of the instance, through SSM",
        where=f"instance {instance_id}",
        next="look at it in EC2's console: where it has ended, run step P8 again",
        code="InstanceUnavailable",
    )
