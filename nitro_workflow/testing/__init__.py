"""What the pytest plugin gives: documents, a cloud, attested clients, running enclaves.

The fixtures of `nitro_workflow.pytest_plugin` are made of these; other test runners use them as
they are.

>>> from datetime import UTC, datetime
>>> from nitro_workflow.testing import DocumentMaker
>>> document = DocumentMaker.new(datetime.now(UTC))
>>> raw = document(debug=True)
>>> document.verifier.explain(raw, at=datetime.now(UTC)).failed
('debug',)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.testing.attested_kms import AttestedKms
    from nitro_workflow.testing.cloud_process import served_cloud
    from nitro_workflow.testing.document_maker import DocumentMaker
    from nitro_workflow.testing.enclave_runner import EnclaveRunner, RunningEnclave

_HOMES = {
    "AttestedKms": "attested_kms",
    "DocumentMaker": "document_maker",
    "EnclaveRunner": "enclave_runner",
    "RunningEnclave": "enclave_runner",
    "served_cloud": "cloud_process",
}

__all__ = ["AttestedKms", "DocumentMaker", "EnclaveRunner", "RunningEnclave", "served_cloud"]

__getattr__ = lazy_names(__name__, _HOMES)
