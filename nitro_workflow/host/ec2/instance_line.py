"""One request to our program on the instance, and its answer: by SSM, or by S3 where it is long.

The program prints one line of JSON. Where that would be longer than what SSM keeps, it puts the
answer into the images' bucket and prints its digest: what is got there is held against that.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import ANSWERS, cloud_errors
from nitro_workflow.errors import HostError, NitroWorkflowError
from nitro_workflow.host.ec2.instance_places import ANSWER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nitro_workflow.host.ec2.ssm_commands import SsmCommands

__all__ = ["LONGEST_ANSWER", "InstanceLine"]

LONGEST_LINE: Final = 48 * 1024
"""Characters of a request. SSM takes 64 KiB of parameters in all; not tried on AWS."""
LONGEST_ANSWER: Final = 64 << 20
"""Bytes of an answer: the boot parts have 20 MiB."""

LOOKING: Final = frozenset(
    {"describe", "describe_enclaves", "trace", "logs", "console", "blobs", "run_enclave"}
)
"""What can be asked again where its answer was lost; a launch has its token."""


class InstanceLine:
    """Asks the program on an instance; ``s3`` gives the administrator's client of ``bucket``."""

    def __init__(self, commands: SsmCommands, s3: Callable[[], Any], bucket: str) -> None:
        self._commands = commands
        self._s3 = s3
        self._bucket = bucket

    def ask(self, instance_id: str, op: str, *, seconds: float, **fields: Any) -> Any:
        """Return what the instance answers to ``op``; ``seconds`` for all of it.

        Raises the error that the instance raised, `HostError` where there is no answer.
        """
        answer = self._answered(instance_id, op, seconds, fields)
        if "error" in answer:
            raise NitroWorkflowError.from_json(answer["error"])
        return answer.get("ok")

    def _answered(
        self, instance_id: str, op: str, seconds: float, fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        try:
            answer = self._once(instance_id, op, seconds, fields)
        except HostError as error:
            if error.code != LOST or op not in LOOKING:
                raise
            answer = self._once(instance_id, op, seconds, fields)
        if "stored" in answer:
            return _object(self._get(instance_id, answer["stored"]), instance_id, op)
        return answer

    def _once(
        self, instance_id: str, op: str, seconds: float, fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        request = {"op": op, "answer": f"{ANSWERS}{uuid.uuid4()}.json", **fields}
        request["bucket"] = self._bucket
        text = base64.b64encode(json.dumps(request).encode()).decode()
        if len(text) > LONGEST_LINE:
            raise HostError(
                f"{op}: a request of {len(text)} characters",
                expected=f"at most {LONGEST_LINE}",
                where=f"instance {instance_id}",
                next="send a file through the bucket instead",
            )
        said = self._commands.run(instance_id, f"{ANSWER} {text}", seconds=seconds, what=op)
        return _object(said.output.encode(), instance_id, op)

    def _get(self, instance_id: str, stored: Mapping[str, Any]) -> bytes:
        """Return an answer's bytes; raises `HostError` for others than the instance has put."""
        key, size = str(stored.get("key")), stored.get("bytes")
        if (
            not isinstance(size, int)
            or not 0 < size <= LONGEST_ANSWER
            or not key.startswith(ANSWERS)
        ):
            raise _lost(instance_id, f"{size!r:.40} bytes at {key:.80}")
        with cloud_errors("S3, GetObject of the instance's answer"):
            body = self._s3().get_object(Bucket=self._bucket, Key=key)["Body"]
            data: bytes = body.read(size + 1)
        if hashlib.sha256(data).hexdigest() != stored.get("sha256"):
            raise _lost(instance_id, f"{len(data)} bytes with another digest")
        return data


LOST: Final = "AnswerLost"


def _object(data: bytes, instance_id: str, op: str) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _lost(instance_id, f"{op}: {len(data)} bytes that are not a JSON object") from error
    if not isinstance(answer, dict) or not {"ok", "error", "stored"} & answer.keys():
        raise _lost(instance_id, f"{op}: another JSON than an answer")
    if not all(isinstance(answer.get(name, {}), dict) for name in ("error", "stored")):
        raise _lost(instance_id, f"{op}: an error, or what tells of an answer, that is no object")
    return answer


def _lost(instance_id: str, found: str) -> HostError:
    return HostError(
        found,
        expected="one JSON object on a line, whole",
        where=f"instance {instance_id}",
        next="ask again; `nitro-workflow step P8` starts the parent's program anew",
        code=LOST,
    )
