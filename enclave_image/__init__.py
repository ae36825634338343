"""The application that is measured, its other side on the instance, and what its owner needs.

What both applications agree on stands here: the job's protocol and the measured configuration.
The rooms: `inside` is what the enclave executes, `parent` what its instance runs (in no
measurement, trusted with nothing), `owner` the data set, its encryption and the receipt, `packing`
the root filesystem that `inside` becomes, `applications` which application walks. Another takes
this one's place by speaking the same protocol.

>>> from enclave_image import Credentials, JobRequest, parse_request
>>> role = Credentials("ASIAIOSFODNN7EXAMPLE", "secret", "token")
>>> job = JobRequest("0b0e6a12-4f4f-4a8e-9d3c-0c9f3a1d2b10", "encryption-sdk", role,
...                  nonce=bytes(32), encrypted_key=None, size=1000)
>>> parse_request(job.to_json()) == job
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from enclave_image.configuration import (
        CONFIG_PATH,
        MIN_THRESHOLD,
        MeasuredConfig,
        Program,
        Query,
        parse_config,
    )
    from enclave_image.job_protocol import (
        APPLICATION_PORT,
        ENVELOPE_MAX_BYTES,
        ENVELOPE_OVERHEAD,
        Credentials,
        JobRequest,
        canonical_json,
        exchange_of,
        parse_request,
    )

_HOMES = {
    "APPLICATION_PORT": "job_protocol",
    "CONFIG_PATH": "configuration",
    "Credentials": "job_protocol",
    "ENVELOPE_MAX_BYTES": "job_protocol",
    "ENVELOPE_OVERHEAD": "job_protocol",
    "JobRequest": "job_protocol",
    "MIN_THRESHOLD": "configuration",
    "MeasuredConfig": "configuration",
    "Program": "configuration",
    "Query": "configuration",
    "canonical_json": "job_protocol",
    "exchange_of": "job_protocol",
    "parse_config": "configuration",
    "parse_request": "job_protocol",
}

__all__ = [
    "APPLICATION_PORT",
    "CONFIG_PATH",
    "ENVELOPE_MAX_BYTES",
    "ENVELOPE_OVERHEAD",
    "MIN_THRESHOLD",
    "Credentials",
    "JobRequest",
    "MeasuredConfig",
    "Program",
    "Query",
    "canonical_json",
    "exchange_of",
    "parse_config",
    "parse_request",
]

__getattr__ = lazy_names(__name__, _HOMES)
