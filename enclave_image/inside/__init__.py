r"""What the enclave executes: ``python3 -I -S -B /app`` starts the job server.

Read it in the order of a job: `job_server` takes it, `run_key` asks KMS for the data key (D3 to
D7), `message_opening` decrypts and verifies (D8), `query` adds up, `sealed_result` encrypts the
answer for the owner and has it attested (D9).

>>> from enclave_image import Query
>>> from enclave_image.inside import Aggregator
>>> sums = Aggregator(Query(("region", "orders"), "region", {"orders": "integer"}), threshold=2)
>>> sums.feed(b"region,orders\nasia,3\nasia,4\neurope,9\n")
>>> answer = sums.finish()
>>> answer.groups, answer.suppressed
(({'region': 'asia', 'count': 2, 'orders': {'sum': '7', 'mean': '3.50'}},), 1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from enclave_image.inside.job_server import JobLimits, JobServer
    from enclave_image.inside.message_opening import DeclaredInput, OpenedInput, open_stream
    from enclave_image.inside.query import Aggregator, Summary
    from enclave_image.inside.run_key import JobKms, KmsAccess, RunKey
    from enclave_image.inside.sealed_result import SealedResult, seal_result

# The server listens before the heavy libraries are there: nothing is imported until it is used.
_HOMES = {
    "Aggregator": "query",
    "DeclaredInput": "message_opening",
    "JobKms": "run_key",
    "JobLimits": "job_server",
    "JobServer": "job_server",
    "KmsAccess": "run_key",
    "OpenedInput": "message_opening",
    "RunKey": "run_key",
    "SealedResult": "sealed_result",
    "Summary": "query",
    "open_stream": "message_opening",
    "seal_result": "sealed_result",
}

__all__ = [
    "Aggregator",
    "DeclaredInput",
    "JobKms",
    "JobLimits",
    "JobServer",
    "KmsAccess",
    "OpenedInput",
    "RunKey",
    "SealedResult",
    "Summary",
    "open_stream",
    "seal_result",
]

__getattr__ = lazy_names(__name__, _HOMES)
