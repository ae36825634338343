"""The running application as a fixture."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from application_world import CONTEXT, HOST, ModuleChannel, QuickLimits, World, make_config
from cryptography.hazmat.primitives.asymmetric import rsa

from enclave_image.inside.job_server import JobServer
from enclave_image.packing.rehearsal import PracticeKms
from nitro_workflow.attestation import HypervisorPki, Verifier
from nitro_workflow.enclave.nsm_device import NsmClient


@pytest.fixture(scope="session")
def owner_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 3072)


@pytest.fixture(scope="session")
def pki() -> HypervisorPki:
    return HypervisorPki.create(datetime.now(UTC))


@pytest.fixture(scope="session")
def issue(pki: HypervisorPki) -> Callable[..., bytes]:
    """What the hypervisor signs with."""
    return pki.instance("i-0123456789abcdef0", datetime.now(UTC)).issue


@pytest.fixture
def verifier(pki: HypervisorPki) -> Verifier:
    return Verifier.local(pki.root_der)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    owner_key: rsa.RSAPrivateKey,
    issue: Callable[..., bytes],
) -> Iterator[World]:
    channel = ModuleChannel(issue)
    kms = PracticeKms(HOST, lambda document: channel.documents[document])
    config = make_config(kms, owner_key)
    path = str(tmp_path_factory.mktemp("v") / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    server = JobServer(listener, QuickLimits)
    made = World(kms, channel, config, owner_key, server, listener, path)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.load(config.to_json(), NsmClient(channel), made)
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    """The running application, as it was before the last test bent its surroundings."""
    kms = running.kms
    yield running
    kms.bend = None
    running.kms, running.kms_reachable, running.context = kms, True, dict(CONTEXT)
