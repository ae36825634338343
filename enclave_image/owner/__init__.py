"""The data owner's side: the records, their encryption (P3), the receipt of the result (D9).

>>> import io, os
>>> from enclave_image.owner import CustomerRecords, encrypt_envelope
>>> records, sealed = io.BufferedReader(CustomerRecords(seed=1, size=2000)), io.BytesIO()
>>> about = encrypt_envelope(records, sealed, data_key=bytearray(os.urandom(32)),
...                          encryption_context={"dataset": "customers"})
>>> about.plaintext_bytes, about.ciphertext_bytes  # a nonce of 12 bytes before, a tag of 16 after
(2000, 2028)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from enclave_image.owner.data_encryption import SealedData, encrypt_envelope, encrypt_message
    from enclave_image.owner.dataset import (
        COLUMNS,
        DEFAULT_THRESHOLD,
        MIN_BYTES,
        QUERY,
        CustomerRecords,
        expected_aggregates,
        open_records,
    )
    from enclave_image.owner.receipt import (
        MAX_AGE,
        ExpectedReceipt,
        OpenedAnswer,
        OpenedResult,
        new_nonce,
        open_answer,
        open_result,
        verify_receipt,
    )
    from enclave_image.owner.records_check import CheckedRecords, check_records

_HOMES = {
    "COLUMNS": "dataset",
    "CheckedRecords": "records_check",
    "CustomerRecords": "dataset",
    "DEFAULT_THRESHOLD": "dataset",
    "ExpectedReceipt": "receipt",
    "MAX_AGE": "receipt",
    "MIN_BYTES": "dataset",
    "OpenedAnswer": "receipt",
    "OpenedResult": "receipt",
    "QUERY": "dataset",
    "SealedData": "data_encryption",
    "check_records": "records_check",
    "encrypt_envelope": "data_encryption",
    "encrypt_message": "data_encryption",
    "expected_aggregates": "dataset",
    "new_nonce": "receipt",
    "open_answer": "receipt",
    "open_records": "dataset",
    "open_result": "receipt",
    "verify_receipt": "receipt",
}

__all__ = [
    "COLUMNS",
    "DEFAULT_THRESHOLD",
    "MAX_AGE",
    "MIN_BYTES",
    "QUERY",
    "CheckedRecords",
    "CustomerRecords",
    "ExpectedReceipt",
    "OpenedAnswer",
    "OpenedResult",
    "SealedData",
    "check_records",
    "encrypt_envelope",
    "encrypt_message",
    "expected_aggregates",
    "new_nonce",
    "open_answer",
    "open_records",
    "open_result",
    "verify_receipt",
]

__getattr__ = lazy_names(__name__, _HOMES)
