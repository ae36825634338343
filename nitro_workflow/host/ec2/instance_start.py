"""Waiting for a parent instance: EC2 runs it, SSM reaches it, its start has come to its end."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import cloud_errors, error_code
from nitro_workflow.errors import HostError
from nitro_workflow.host.ec2.instance_places import LOG, MARKER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nitro_workflow.host.ec2.images_bucket import SentFile
    from nitro_workflow.host.ec2.ssm_commands import SsmCommands

__all__ = ["InstanceStart"]

RUNNING_SECONDS: Final = 300.0
ONLINE_SECONDS: Final = 420.0
"""From running to the first word of SSM's agent: a minute or two, as AWS's users tell."""
READY_SECONDS: Final = 900.0
"""For packages, allocator and program; not measured on AWS."""

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
LOOK_SECONDS: Final = 30.0
LOG_BYTES: Final = 6000
TAIL: Final = 1200  # characters of the log in an error

_LOOK: Final = f"cat {MARKER} 2>/dev/null; echo; tail -c {LOG_BYTES} {LOG} 2>/dev/null; true"

_NEXT: Final = {
    "packages": "name a --subnet with a way out (NAT, or a public address): AL2023's repositories "
    "are on S3",
    "module": "the machine image has another kernel than the pinned one: report it",
    "allocator": "take an --instance-type with 4 vCPUs and more memory",
    "pages": "take an --instance-type with more memory: the pages must lie in one piece",
    "program": "`nitro-workflow aws check --roles`: the instance's role must get `instance/*`",
}
_ANEW: Final = "`nitro-workflow step P8` launches another; this one is ended by that, or by itself"


class InstanceStart:
    """Waits, and says for what; ``ec2`` gives the administrator's client."""

    def __init__(
        self, ec2: Callable[[], Any], commands: SsmCommands, say: Callable[[str], None]
    ) -> None:
        self._ec2 = ec2
        self._commands = commands
        self._say = say

    def wait(self, instance_id: str) -> dict[str, Any]:
        """Return EC2's record once the parent's program runs; raises `HostError` with a cause."""
        self._until(instance_id, self._runs, RUNNING_SECONDS, "EC2 to run it", _ANEW)
        no_agent = (
            "its subnet needs a way out (NAT, or a public address) to SSM, and its role the "
            "statements of `nitro-workflow aws check --roles`"
        )
        self._until(
            instance_id, self._commands.online, ONLINE_SECONDS, "SSM's agent to report", no_agent
        )
        self._until(instance_id, self._is_ready, READY_SECONDS, "its start to end", _ANEW)
        return self.record(instance_id)

    def by_command(self, instance_id: str, script: SentFile, region: str) -> None:
        """Have SSM start the script, which must be the one that was sent; it runs on by itself."""
        path = shlex.quote(f"{MARKER}.sh")
        get = f"aws s3api get-object --region {region} --bucket {script.bucket} --key {script.key}"
        line = (
            f"set -e; mkdir -p {shlex.quote(str(Path(MARKER).parent))}; rm -f {MARKER}; "
            f"{get} {path}; echo '{script.sha256}  {MARKER}.sh' | sha256sum --check --quiet; "
            f"setsid bash {path} </dev/null >/dev/null 2>&1 &"
        )
        self._until(
            instance_id, self._commands.online, ONLINE_SECONDS, "SSM's agent to report", _ANEW
        )
        self._commands.run(instance_id, line, seconds=LOOK_SECONDS, what="start the parent")

    def record(self, instance_id: str) -> dict[str, Any]:
        """Return EC2's record of the instance; {} where EC2 does not know it (yet)."""
        from botocore.exceptions import ClientError

        with cloud_errors("EC2, DescribeInstances"):
            try:
                answer = self._ec2().describe_instances(InstanceIds=[instance_id])
            except ClientError as error:
                if error_code(error) != "InvalidInstanceID.NotFound":
                    raise
                return {}
        found = [one for group in answer["Reservations"] for one in group["Instances"]]
        return dict(found[0]) if found else {}

    def _until(
        self,
        instance_id: str,
        come: Callable[[str], bool],
        seconds: float,
        what: str,
        after: str,
    ) -> None:
        begun, pause, said = time.monotonic(), FIRST_PAUSE, False
        while not come(instance_id):
            waited = time.monotonic() - begun
            if waited > seconds:
                raise _late(instance_id, f"waited {seconds:.0f} s for {what}", after)
            if not said and pause >= LONGEST_PAUSE:
                self._say(f"{instance_id}: waiting for {what} …")
                said = True
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _runs(self, instance_id: str) -> bool:
        record = self.record(instance_id)
        state = str(record.get("State", {}).get("Name", "pending"))
        if state not in ("pending", "running"):
            why = record.get("StateReason", {}).get("Message") or state
            raise _late(instance_id, f"it has ended: {why}", _ANEW)
        return state == "running"

    def _is_ready(self, instance_id: str) -> bool:
        self._runs(instance_id)
        marker, log = self._looked(instance_id)
        if marker.get("state") == "failed":
            step = str(marker.get("step"))
            said = " ".join(log.split())[-TAIL:]
            raise HostError(
                f"its start has failed at {step}: {marker.get('reason')}; its log ends: {said}",
                expected="a parent instance that is ready",
                where=f"instance {instance_id}",
                next=_NEXT.get(step, _ANEW),
                code="StartFailed",
            )
        return marker.get("state") == "ready"

    def _looked(self, instance_id: str) -> tuple[Mapping[str, Any], str]:
        """Return the marker ({} before there is one) and the end of the log."""
        said = self._commands.run(
            instance_id, _LOOK, seconds=LOOK_SECONDS, what="look at the start"
        )
        first, _, log = said.output.partition("\n")
        try:
            marker = json.loads(first)
        except ValueError:
            return {}, log
        return (marker if isinstance(marker, dict) else {}), log


def _late(instance_id: str, found: str, after: str) -> HostError:
    return HostError(
        found,
        expected="a parent instance that is ready",
        where=f"instance {instance_id}",
        next=after,
        code="InstanceUnavailable",
    )
