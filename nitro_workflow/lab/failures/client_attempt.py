"""One call as the client makes it, and what it got: the symptom, and what evidence is read from."""

from __future__ import annotations

import base64
import contextlib
import socket
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from nitro_workflow.lab.attacks import taken_credentials
from nitro_workflow.lab.evidence import decision_lookup
from nitro_workflow.lab.failures import practice_program
from nitro_workflow.vsock import PROXY_PORT, accept_next, relay_sockets, run_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nitro_workflow.cloud import Cloud
    from nitro_workflow.lab.failures.practice_enclaves import PracticeEnclaves
    from nitro_workflow.lab.failures.set_up import SetUp
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["Attempt", "CallMaker"]

SECOND_PROXY_PORT: Final = 8010


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the client got. ``sent``: the signed request, long bytes as lengths.

    ``opened_bytes``: of the data key, opened in the enclave; ``clear_bytes``: answered in clear.
    ``record``: the cloud's, where it could only be read at once.
    """

    status: int
    request_id: str
    code: str
    message: str
    sent: Mapping[str, Any] = field(repr=False)
    clear_bytes: int = 0
    opened_bytes: int = 0
    opener: str = ""
    document: bytes = field(default=b"", repr=False)
    envelope: bytes = field(default=b"", repr=False)
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def has_key(self) -> bool:
        """Tell whether the client has the data key."""
        return not self.code and bool(self.opened_bytes or self.clear_bytes)

    @classmethod
    def of(cls, told: Mapping[str, Any], record: Mapping[str, Any]) -> Attempt:
        """Return what the practice application told."""
        data = {name: base64.b64decode(told.get(name) or "") for name in ("document", "envelope")}
        return cls(**{**told, **data, "record": record})


class CallMaker:
    """Makes calls for set-ups: from an enclave, or from the owner's laptop."""

    def __init__(self, bench: Workbench, enclaves: PracticeEnclaves) -> None:
        self._bench = bench
        self._enclaves = enclaves
        self._taken: dict[str, str] = {}

    def credentials(self, whose: str) -> dict[str, str]:
        """Return the credentials of a party: the instance's as its programs read them."""
        if whose == "instance":
            self._taken = self._taken or taken_credentials(self._bench)
            return self._taken
        frozen = self._bench.parties.session(whose).get_credentials().get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "session_token": frozen.token,
        }

    def call(self, set_up: SetUp, key: str, blob: bytes) -> Attempt:
        """Ask KMS as the set-up's client does; whatever is answered is returned."""
        request = {"KeyId": key, "EncryptionContext": dict(set_up.context)}
        if set_up.client.runs_in == "laptop":
            return self._from_laptop({**request, "CiphertextBlob": blob})
        request["CiphertextBlob"] = base64.b64encode(blob).decode()
        if not set_up.max_age:
            return Attempt.of(self._ask(set_up, request, PROXY_PORT), {})
        return self._with_age_limit(set_up, request)

    def clock(self, set_up: SetUp) -> str:
        """Return the time as the client's program has it, ISO 8601."""
        job = {"op": "clock", "settings": asdict(set_up.client)}
        return str(self._enclaves.ask(set_up.launch, job)["clock"])

    def _ask(self, set_up: SetUp, request: Mapping[str, Any], port: int) -> dict[str, Any]:
        job = {
            "op": "decrypt",
            "settings": asdict(set_up.client),
            "credentials": self.credentials(set_up.client.credentials),
            "request": request,
            "port": port,
        }
        return self._enclaves.ask(set_up.launch, job)

    def _from_laptop(self, request: Mapping[str, Any]) -> Attempt:
        told = practice_program.call_kms(
            self._bench.parties.session("owner").client("kms"), request
        )
        told.pop("envelope")
        return Attempt.of(told, {})

    def _with_age_limit(self, set_up: SetUp, request: Mapping[str, Any]) -> Attempt:
        """Ask a second cloud that takes younger documents only, over a proxy of its own."""
        self._enclaves.running(set_up.launch)
        with self._bench.cloud.with_document_age(set_up.max_age) as copy:
            if set_up.client.document == "kept":
                age = self._enclaves.age(set_up.launch)
                time.sleep(max(set_up.max_age + 1 - age, 0))
            with self._second_proxy(copy):
                told = self._ask(set_up, request, SECOND_PROXY_PORT)
            trail = copy.operator(copy.accounts.compute).client("cloudtrail")
            record = decision_lookup.find_in(
                trail, "Decrypt", lambda it: it.get("requestID") == told["request_id"], copy.trail
            )
        return Attempt.of(told, record)

    @contextlib.contextmanager
    def _second_proxy(self, cloud: Cloud) -> Iterator[None]:
        vsock = self._bench.host.vsock(self._bench.produced("P8", "instance_id"))
        address = ("127.0.0.1", urlsplit(cloud.url).port or 443)
        listener = vsock.listen(SECOND_PROXY_PORT)
        run_in_thread(_carry, listener, address)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def _carry(listener: socket.socket, address: tuple[str, int]) -> None:
    while (client := accept_next(listener)) is not None:
        run_in_thread(relay_sockets, client, socket.create_connection(address))
