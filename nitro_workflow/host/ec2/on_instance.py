"""The administrator's requests, carried out on the instance: what SSM runs there.

``python3 -m nitro_workflow.host.ec2.on_instance BASE64`` with a JSON object ``{"op", "bucket",
"answer", …}``. Prints one JSON line: ``{"ok": …}``, ``{"error": …}``, or ``{"stored": …}`` for what
was put into the bucket because it is long. It has root's power, as whoever sends it has.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import cloud_errors
from nitro_workflow.errors import HostError, NitroWorkflowError
from nitro_workflow.host.ec2.instance_launches import InstanceLaunches
from nitro_workflow.host.ec2.instance_places import FOLDER, IMAGES, LAUNCHES
from nitro_workflow.host.nitro_cli import NitroCliHost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Requests", "main"]

LONGEST: Final = 20_000
"""Characters of the line: SSM keeps 24,000."""


class Requests:
    """Carries out one request after the other."""

    def __init__(self, host: NitroCliHost, folder: Path, launches: InstanceLaunches) -> None:
        self._host = host
        self._folder = folder
        self._launches = launches

    @classmethod
    def of_this_machine(cls) -> Requests:
        """Return what carries them out with this machine's nitro-cli, in its own folders."""
        host = NitroCliHost(Path(FOLDER))
        return cls(host, Path(FOLDER), InstanceLaunches(host, Path(LAUNCHES), Path(IMAGES), _fetch))

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``{"ok": …}``, or ``{"error": …}`` for an error of the package's tree."""
        operations: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "run": self._run,
            "ask": self._ask,
            "run_enclave": self._launches.run,
            "describe_enclaves": self._describe_enclaves,
            "terminate_enclave": self._terminate,
            "console": self._launches.console,
            "describe": lambda _: self._describe(),
            "trace": lambda _: self._host.trace(),
            "logs": lambda _: self._host.logs(""),
            "stop": lambda _: self._stop(),
            "blobs": lambda _: base64.b64encode(self._blobs()).decode(),
        }
        try:
            operation = operations.get(str(request.get("op")))
            if operation is None:
                raise HostError(f"op {request.get('op')!r:.40}", expected=", ".join(operations))
            return {"ok": operation(request)}
        except NitroWorkflowError as error:
            return {"error": error.to_json()}

    def _describe(self) -> dict[str, Any]:
        # Takes half of a request's time to import, and only this needs it.
        from nitro_workflow.host.instance.instance_folder import programs

        return {"programs": programs(self._folder), "role": _role()}

    def _run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._host.run_here(request["argv"], timeout=float(request["timeout"]))

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._host.channel("").ask(request["request"], timeout=float(request["timeout"]))

    def _describe_enclaves(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._host.describe_enclaves(metadata=bool(request.get("metadata")))

    def _terminate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._host.terminate_enclave(
            request.get("enclave_id"), enclave_name=request.get("enclave_name")
        )

    def _stop(self) -> None:
        for enclave in self._host.describe_enclaves():
            self._host.terminate_enclave(str(enclave["EnclaveID"]))

    def _blobs(self) -> bytes:
        """Return AWS's boot parts as a tar of plain files."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for path in sorted(self._host.blobs.iterdir()):
                if path.is_file():
                    tar.add(path, path.name)
        return out.getvalue()


def main(arguments: list[str]) -> int:
    """Carry out the request; return 0 where a line was printed."""
    request = json.loads(base64.b64decode(arguments[0]))
    line = json.dumps(Requests.of_this_machine().answer(request))
    print(line if len(line) <= LONGEST else json.dumps(_stored(request, line.encode())))
    return 0


def _stored(request: Mapping[str, Any], data: bytes) -> dict[str, Any]:
    """Put the answer into the bucket; return what tells of it."""
    key = str(request["answer"])
    try:
        with cloud_errors("S3, PutObject of the answer"):
            _s3().put_object(Bucket=str(request["bucket"]), Key=key, Body=data)
    except NitroWorkflowError as error:
        return {"error": error.to_json()}
    digest = hashlib.sha256(data).hexdigest()
    return {"stored": {"key": key, "bytes": len(data), "sha256": digest}}


def _fetch(place: Mapping[str, Any], path: Path) -> None:
    """Get an object into a file; the caller checks what it holds."""
    with cloud_errors("S3, GetObject of the image"):
        body = _s3().get_object(Bucket=place["bucket"], Key=place["key"])["Body"]
        with path.open("wb") as target:
            for chunk in body.iter_chunks(1 << 20):
                target.write(chunk)


def _role() -> str:
    """Return whom STS takes the instance for: its role's session."""
    import boto3

    with cloud_errors("STS, GetCallerIdentity of the instance"):
        return str(boto3.Session().client("sts").get_caller_identity()["Arn"])


def _s3() -> Any:
    import boto3

    return boto3.Session().client("s3")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
