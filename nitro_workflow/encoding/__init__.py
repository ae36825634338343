"""What do these bytes say, and where: strict CBOR and COSE_Sign1; why DER cannot be read.

>>> from nitro_workflow.encoding import cbor
>>> cbor.loads_strict(bytes.fromhex("a1636b65790a"))
{'key': 10}
>>> cbor.scan(bytes.fromhex("a1636b65790a")).children[1].start
5
>>> cbor.loads_strict(bytes.fromhex("a1636b6579180a"))
Traceback (most recent call last):
    ...
nitro_workflow.errors.EncodingError: byte 5: number 10 written in 1 bytes; expected the shortest \
head (RFC 8949 §4.1)
"""

from __future__ import annotations

from nitro_workflow.encoding import cbor, cose
from nitro_workflow.encoding.library_reasons import der_reason

__all__ = ["cbor", "cose", "der_reason"]
