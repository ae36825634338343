"""Launches on the instance, each by its token: one that is asked for twice happens once.

Each request comes in a process of its own, so tokens stand in files. A lock is held while nitro-cli
starts an enclave: whoever asks again for a launch that is under way waits for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import ImageRefused
from nitro_workflow.host.ec2.kept_records import keep_record, read_record
from nitro_workflow.host.nitro_cli.console_follower import NOTICE
from nitro_workflow.host.nitro_cli.nitro_cli_call import ENVIRONMENT
from nitro_workflow.host.protocol import LaunchRequest
from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.regular_file import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from nitro_workflow.host.nitro_cli import NitroCliHost

__all__ = ["InstanceLaunches"]

RECORD_LIMIT: Final = 64 * 1024  # bytes
CONSOLE_LIMIT: Final = 1 << 20  # bytes that are kept to be read


class InstanceLaunches:
    """Runs images that come through the bucket; ``fetch`` gets an object into a file."""

    def __init__(
        self,
        host: NitroCliHost,
        records: Path,
        images: Path,
        fetch: Callable[[Mapping[str, Any], Path], None],
    ) -> None:
        self._host = host
        self._records = records
        self._images = images
        self._fetch = fetch

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return nitro-cli's object for run-enclave; the same token gives the same enclave.

        Raises `ImageRefused` for an image with another digest, `HostError` as nitro-cli does.
        """
        image = self._image(request["eif"])
        asked = {**request["request"], "eif_path": str(image), "instance_id": None}
        with self._locked():
            record = self._record(str(asked["client_token"]))
            enclave = self._known(record, asked) or self._launch(record, asked)
        if asked["debug_mode"]:
            self._follow(str(enclave["EnclaveID"]))
        return enclave

    def console(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``{"text", "offset", "ended"}``, also of a debug enclave that has ended."""
        named, offset = request.get("enclave_name"), int(request.get("offset") or 0)
        running = self._running()
        known = str(request.get("enclave_id") or "") or next(
            (id_ for id_, one in running.items() if one.get("EnclaveName") == named), ""
        )
        path = self._console(known)
        if not path.exists():  # nitro-cli says why there is none
            return self._host.console(request.get("enclave_id"), enclave_name=named, offset=offset)
        said = read_regular(path, CONSOLE_LIMIT).partition(NOTICE)[2]
        text = said[offset:].decode("utf-8", "replace")
        return {"text": text, "offset": len(said), "ended": known not in running}

    # -- the image ---------------------------------------------------------------------------------

    def _image(self, sent: Mapping[str, Any]) -> Path:
        """Return where the image is on this disk, got once, with the digest that was told."""
        digest = str(sent["sha256"])
        path = self._images / digest / str(sent["key"]).rpartition("/")[2]
        if path.exists() and _sha256(path) == digest:
            return path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fetch(sent, path)
        if (found := _sha256(path)) != digest:
            path.unlink()
            raise ImageRefused(
                f"an image with SHA-256 {found}",
                expected=f"{digest}, which the owner measured",
                where="parent instance, images bucket",
                next="somebody has changed it on the way: see who may write to the bucket",
            )
        return path

    # -- launches ----------------------------------------------------------------------------------

    def _launch(self, record: Path | None, asked: dict[str, Any]) -> dict[str, Any]:
        before = sorted(self._running())
        self._note(record, {"asked": asked, "before": before})
        enclave = self._host.run_enclave(LaunchRequest.from_json({**asked, "client_token": ""}))
        self._note(record, {"asked": asked, "before": before, "enclave": enclave})
        return enclave

    def _known(self, record: Path | None, asked: dict[str, Any]) -> dict[str, Any] | None:
        """Return the enclave of a launch that has begun before; None where it does not run."""
        known = {} if record is None else read_record(record, RECORD_LIMIT)
        if not known:
            return None
        if known["asked"] != asked:
            raise failure(
                "E03",
                "Invalid argument provided: client token of another launch",
                expected="the same launch, or a new token",
                next="ask with a token of its own",
            )
        running = self._running()
        if "enclave" in known:
            enclave: dict[str, Any] = known["enclave"]
            return enclave if enclave["EnclaveID"] in running else None
        # Cut off before its answer was kept: the one that runs since, and is no other launch's.
        others = {
            read_record(path, RECORD_LIMIT).get("enclave", {}).get("EnclaveID")
            for path in self._all()
        }
        return next(
            (one for id_, one in running.items() if id_ not in others | set(known["before"])), None
        )

    def _running(self) -> dict[str, dict[str, Any]]:
        return {str(one["EnclaveID"]): one for one in self._host.describe_enclaves()}

    def _record(self, token: str) -> Path | None:
        """Return the file of a launch with that token; None without one."""
        name = hashlib.sha256(token.encode()).hexdigest()
        return self._records / f"{name}.json" if token else None

    def _all(self) -> list[Path]:
        return sorted(self._records.glob("*.json"))

    def _note(self, record: Path | None, values: Mapping[str, Any]) -> None:
        if record is not None:
            keep_record(record, values)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._records.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._records / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # -- consoles ----------------------------------------------------------------------------------

    def _console(self, enclave_id: str) -> Path:
        return self._records / f"{hashlib.sha256(enclave_id.encode()).hexdigest()}.console"

    def _follow(self, enclave_id: str) -> None:
        """Have a nitro-cli of its own write the console down: what it says goes by once."""
        path = self._console(enclave_id)
        if path.exists():
            return
        command = self._host.console_command(enclave_id)
        new, null = os.O_WRONLY | os.O_CREAT, os.devnull
        os.posix_spawn(
            command[0],
            command,
            ENVIRONMENT,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, null, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(path), new, 0o600),
                (os.POSIX_SPAWN_OPEN, 2, null, os.O_WRONLY, 0),
            ],
            setsid=True,  # it outlives this request
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
