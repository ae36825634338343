"""A cloud in this process: real signatures, real policies, real documents, no network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nitro_workflow.attestation import HypervisorPki
from nitro_workflow.cloud.local import kms as kms_service
from nitro_workflow.cloud.local.auth.identities import SCHEMA as IAM_SCHEMA
from nitro_workflow.cloud.local.auth.session_tokens import make_session
from nitro_workflow.cloud.local.call import Settings
from nitro_workflow.cloud.local.dispatch import Dispatcher
from nitro_workflow.cloud.local.gate import SCHEMA as EVENT_SCHEMA
from nitro_workflow.cloud.local.gate import EventLog
from nitro_workflow.cloud.local.gate.decision_gate import Gate
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.iam.access_keys import insert_key
from nitro_workflow.cloud.local.protocol import RawRequest, RawResponse
from nitro_workflow.cloud.local.store.database import Store
from nitro_workflow.cloud.local.store.vault import Vault
from tests.cloud.kms import shapes

DATA, COMPUTE = "111122223333", "444455556666"
INSTANCE = "i-0123456789abcdef0"
EVERYTHING = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
IMAGE = bytes(range(48))
ENDPOINT = "https://kms.us-east-1.nitro-lab.internal"


_LOADER = botocore.session.Session().get_component("data_loader")


class _Raw:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content


def document_policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def role_arn(account: str, name: str) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def allow(principal: str, *actions: str, **condition: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": [f"kms:{action}" for action in actions],
        "Resource": "*",
    }
    return statement | ({"Condition": condition} if condition else {})


@dataclass
class World:
    """Two accounts, their roles, one hypervisor; `now` is the cloud's clock and can be moved."""

    folder: Path
    services: Services
    pki: HypervisorPki
    offset: timedelta = timedelta(0)
    _counter: list[int] = field(default_factory=lambda: [0])

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def role(self, account: str, name: str, *statements: Mapping[str, Any]) -> Any:
        """Return a KMS client with a session of a role that has these identity statements."""
        arn = role_arn(account, name)
        with self.services.store.transaction() as db:
            db.execute("INSERT OR IGNORE INTO accounts VALUES (?)", (account,))
            db.execute(
                "INSERT INTO entities VALUES (?, 'role', ?, ?, '/', ?, ?, '{}', NULL, '', 3600, '[]')"
                " ON CONFLICT DO NOTHING",
                (arn, account, name, f"AROA{name.upper()}", self.now().isoformat()),
            )
            if statements:
                db.execute(
                    "INSERT OR REPLACE INTO inline_policies VALUES (?, 'inline', ?)",
                    (arn, document_policy(*statements)),
                )
        return self._client_of(self.role_session(account, name))

    def role_session(self, account: str, name: str) -> botocore.session.Session:
        """Return a botocore session with credentials of a role that is there."""
        query = "SELECT * FROM entities WHERE arn = ?"
        row = self.services.store.read().execute(query, (role_arn(account, name),)).fetchone()
        session = make_session(
            self.services.vault,
            row,
            name="session",
            expires=self.now() + timedelta(days=4000),
            policy="",
            tags={},
        )
        return self._session(session.access_key_id, session.secret_access_key, session.token)

    def user(self, account: str, name: str, *statements: Mapping[str, Any]) -> Any:
        """Return a KMS client of an IAM user with these identity statements."""
        arn = f"arn:aws:iam::{account}:user/{name}"
        with self.services.store.transaction() as db:
            db.execute("INSERT OR IGNORE INTO accounts VALUES (?)", (account,))
            db.execute(
                "INSERT INTO entities VALUES (?, 'user', ?, ?, '/', ?, ?, NULL, NULL, '', 0, '[]')",
                (arn, account, name, f"AIDA{name.upper()}", self.now().isoformat()),
            )
            db.execute(
                "INSERT INTO inline_policies VALUES (?, 'inline', ?)",
                (arn, document_policy(*statements)),
            )
            key = insert_key(
                db, self.services.vault, principal=arn, account=account, now=self.now()
            )
        return self.client(*key)

    def client(self, key_id: str, secret: str, token: str | None = None) -> Any:
        return self._client_of(self._session(key_id, secret, token))

    def _session(self, key_id: str, secret: str, token: str | None) -> botocore.session.Session:
        session = botocore.session.Session()
        session.register_component("data_loader", _LOADER)  # reads KMS's model once
        session.set_credentials(key_id, secret, token)
        session.register("before-send.kms", self.send)
        return session

    @staticmethod
    def _client_of(session: botocore.session.Session) -> Any:
        config = Config(retries={"total_max_attempts": 2})
        return session.create_client(
            "kms", region_name="us-east-1", endpoint_url=ENDPOINT, config=config
        )

    def send(self, request: Any, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        headers.setdefault("host", url.netloc)
        raw = RawRequest(request.method, url.path or "/", url.query, headers, request.body or b"")
        # The client signs by its own clock; the handlers go by the cloud's, which tests move.
        arrival = Dispatcher(self.services).arrive(raw)
        if isinstance(arrival, RawResponse):
            answer = arrival
        else:
            answer = Dispatcher(self.services, self.now).finish(arrival, raw)
        shapes.check_answer(headers["x-amz-target"].rpartition(".")[2], answer.status, answer.body)
        return AWSResponse(request.url, answer.status, answer.headers, _Raw(answer.body))

    def attester(self, **changes: Any) -> Attester:
        return Attester(self, **changes)

    def events(self) -> list[dict[str, Any]]:
        """Return the decision records, oldest first."""
        self.services.events.flush()
        rows = self.services.store.read().execute("SELECT document FROM events ORDER BY seq")
        return [json.loads(row["document"]) for row in rows]


class Attester:
    """An enclave: one key pair, and documents with the PCRs it was given."""

    def __init__(
        self, world: World, *, pcr0: bytes = IMAGE, pki: HypervisorPki | None = None, age: float = 0
    ) -> None:
        self.world = world
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.documents: list[bytes] = []
        self.pcr0, self.age = pcr0, timedelta(seconds=age)
        self.pki = pki or world.pki

    def document(self) -> tuple[bytes, rsa.RSAPrivateKey]:
        at = self.world.now() - self.age
        spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        document = self.pki.instance(INSTANCE, at).issue(
            module_id=f"{INSTANCE}-enc0123456789abcdef",
            pcrs={0: self.pcr0, **{index: bytes(48) for index in range(1, 16)}},
            public_key=spki,
            nonce=os.urandom(16),
            now=at,
        )
        self.documents.append(document)
        return document, self.key

    def recipient(self) -> dict[str, Any]:
        return {
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
            "AttestationDocument": self.document()[0],
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    lab = tmp_path_factory.mktemp("lab")
    settings = Settings(lab)
    store = Store(settings.folder / "state.sqlite3")
    store.create(EVENT_SCHEMA + IAM_SCHEMA + kms_service.SCHEMA)
    events = EventLog(store)
    services = Services(
        settings, store, Vault.at(settings.folder / "wrapping.key"), Gate(store), events, ()
    )
    pki = HypervisorPki.create(datetime.now(UTC) - timedelta(hours=1))
    settings.nitro_root.parent.mkdir(parents=True)
    root = x509.load_der_x509_certificate(pki.root_der)
    settings.nitro_root.write_bytes(root.public_bytes(Encoding.PEM))
    yield World(lab, services, pki)
    events.close()
    store.close()


@pytest.fixture
def clock(world: World) -> Iterator[Callable[..., None]]:
    """Move the cloud's clock; it goes back after the test."""

    def move(**delta: float) -> None:
        world.offset += timedelta(**delta)

    yield move
    world.offset = timedelta(0)


@pytest.fixture(scope="module")
def owner(world: World) -> Any:
    """The data account's role that may do everything its identity policy can give."""
    return world.role(DATA, "DataOwner", EVERYTHING)


@pytest.fixture
def key(owner: Any) -> str:
    """A fresh symmetric key with AWS's default policy; its ARN."""
    return owner.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture
def refused() -> Callable[..., ClientError]:
    """``refused(code, client.method, **parameters)``: call, require that code, return the error."""

    def call(code: str, method: Callable[..., Any], /, **parameters: Any) -> ClientError:
        with pytest.raises(ClientError) as caught:
            method(**parameters)
        assert caught.value.response["Error"]["Code"] == code, caught.value
        return caught.value

    return call
