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

from typing import TYPE_CHECKING

from nitro_workflow.enclave.attested_clients import (
    Attester,
    NsmAttester,
    attested,
    attested_session,
)
from nitro_workflow.enclave.kms_refusals import explain_refusal, note_refusals, unpack_refusals
from nitro_workflow.enclave.left_streams import end_left_streams
from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.enclave.kms_over_vsock import over_vsock
    from nitro_workflow.enclave.nsm_device import NsmClient, open_nsm

_HOMES = {
    "NsmClient": "nsm_device",
    "open_nsm": "nsm_device",
    "over_vsock": "kms_over_vsock",
}

__all__ = [
    "Attester",
    "NsmAttester",
    "NsmClient",
    "attested",
    "attested_session",
    "end_left_streams",
    "explain_refusal",
    "note_refusals",
    "open_nsm",
    "over_vsock",
    "unpack_refusals",
]


__getattr__ = lazy_names(__name__, _HOMES)
