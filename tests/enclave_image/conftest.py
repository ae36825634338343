"""The running application as a fixture."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from application_world import HOST, ModuleChannel, QuickLimits, World, make_config
from cryptography.hazmat.primitives.asymmetric import rsa

from enclave_image.app import Server
from nitro_workflow.enclave.nsm_device import NsmClient
from nitro_workflow.lab.rehearsal import PracticeKms


@pytest.fixture(scope="session")
def owner_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 3072)


@pytest.fixture
def issue() -> Callable[..., bytes]:
    """What the hypervisor signs with; the tests of the receipt put the lab's PKI here."""
    return lambda **_: b"document-" + os.urandom(16)


@pytest.fixture
def world(
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
    server = Server(listener, QuickLimits)
    made = World(kms, channel, config, owner_key, server, listener, path)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.load(config.to_json(), NsmClient(channel), made)
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
