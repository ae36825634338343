"""The wire formats of AWS's services, driven by botocore's own models: one mechanism for all.

`read_request` turns bytes into an operation and parameters, `write_result` and `write_fault` turn
a handler's answer into bytes: JSON 1.1 (KMS, CloudTrail), query (IAM, STS), EC2 and REST-XML (S3).

>>> headers = {"x-amz-target": "TrentService.GenerateRandom"}
>>> request = RawRequest("POST", "/", "", headers, body=b'{"NumberOfBytes": 32}')
>>> model = load_model("kms")
>>> operation = find_operation(model, request)
>>> operation, read_request(model, operation, request)
('GenerateRandom', {'NumberOfBytes': 32})
"""

from __future__ import annotations

from nitro_workflow.cloud.local.protocol.checksums import (
    CHECKSUM_ALGORITHMS,
    checksum_header,
    checksum_member,
    combine_checksums,
    encode_checksum,
    new_checksum,
)
from nitro_workflow.cloud.local.protocol.http_messages import FileSlice, RawRequest, RawResponse
from nitro_workflow.cloud.local.protocol.models import load_model, regions
from nitro_workflow.cloud.local.protocol.page_token import PageTokens, read_decimal
from nitro_workflow.cloud.local.protocol.reader import find_operation, read_request
from nitro_workflow.cloud.local.protocol.scalars import write_time
from nitro_workflow.cloud.local.protocol.writer import write_fault, write_result

__all__ = [
    "CHECKSUM_ALGORITHMS",
    "FileSlice",
    "PageTokens",
    "RawRequest",
    "RawResponse",
    "checksum_header",
    "checksum_member",
    "combine_checksums",
    "encode_checksum",
    "find_operation",
    "load_model",
    "new_checksum",
    "read_decimal",
    "read_request",
    "regions",
    "write_fault",
    "write_result",
    "write_time",
]
