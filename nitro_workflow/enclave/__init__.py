"""What runs inside an enclave: the NSM's client, attested KMS clients, the job's protocol.

>>> import botocore.session
>>> session = botocore.session.Session()
>>> class Nsm:  # in an enclave: nsm = open_nsm()
...     def attest(self, *, public_key=None, user_data=None, nonce=None):
...         return b"an attestation document"
>>> attested_session(session, NsmAttester.one_key_pair_per_run(Nsm())) is session
True

What is small is imported now; the others when they are used, since an enclave's start counts.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nitro_workflow.enclave.attested import Attester, NsmAttester, attested, attested_session
from nitro_workflow.enclave.refusals import explain_refusal, note_refusals, unpack_refusals

if TYPE_CHECKING:
    from nitro_workflow.enclave.measured import MeasuredConfig, parse_config
    from nitro_workflow.enclave.nsm_device import NsmClient, open_nsm
    from nitro_workflow.enclave.transport import over_vsock

_HOMES = {
    "MeasuredConfig": "measured",
    "NsmClient": "nsm_device",
    "open_nsm": "nsm_device",
    "over_vsock": "transport",
    "parse_config": "measured",
}

__all__ = [
    "Attester",
    "MeasuredConfig",
    "NsmAttester",
    "NsmClient",
    "attested",
    "attested_session",
    "explain_refusal",
    "note_refusals",
    "open_nsm",
    "over_vsock",
    "parse_config",
    "unpack_refusals",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
