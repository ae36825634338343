"""The cloud that the workflow talks to: `Cloud` is the protocol, `LocalCloud`, `AwsCloud` members.

::

    from pathlib import Path
    from nitro_workflow.cloud import Connection

    connection = Connection.of(Path("lab"))          # a cloud that `cloud serve` runs
    with connection.client("kms", "111122223333") as kms:
        kms.list_keys()

A `Connection` holds what an SDK needs to reach a local cloud: endpoint, CA, credentials. `serve`
runs one until it is told to stop.

>>> from nitro_workflow.cloud import DATA_ACCOUNT, Endpoint
>>> Endpoint("https://127.0.0.1:4443", "ca.pem").port, DATA_ACCOUNT
(4443, '111122223333')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.cloud.accounts import COMPUTE_ACCOUNT, DATA_ACCOUNT, REGION
    from nitro_workflow.cloud.aws.amazon_reach import checked_region
    from nitro_workflow.cloud.aws.aws_cloud import AwsCloud
    from nitro_workflow.cloud.aws.aws_names import (
        LAB_TAG,
        aws_names,
        machine_image_parameter,
        security_group,
    )
    from nitro_workflow.cloud.aws.aws_permissions import ANSWERS, INPUTS, further_permissions
    from nitro_workflow.cloud.aws.aws_settings import GIVEN, AwsSettings
    from nitro_workflow.cloud.bucket_making import (
        make_bucket,
        no_plain_http,
        shut_bucket,
        tls_only_policy,
    )
    from nitro_workflow.cloud.client_errors import (
        DENIED,
        cloud_errors,
        error_code,
        recorded_error,
        refusal,
    )
    from nitro_workflow.cloud.cloud_protocol import (
        Accounts,
        Cloud,
        Names,
        Observe,
        Patience,
        Trust,
    )
    from nitro_workflow.cloud.connection import Connection
    from nitro_workflow.cloud.endpoint import Endpoint, serving_pid
    from nitro_workflow.cloud.isolated_sessions import isolated_environment, isolated_session
    from nitro_workflow.cloud.local.call import Settings
    from nitro_workflow.cloud.local.kms.ciphertext import parse_blob
    from nitro_workflow.cloud.local.seed import draw_keys, write_private
    from nitro_workflow.cloud.local.serve import ServeOptions, serve, tls_files
    from nitro_workflow.cloud.local_cloud import LocalCloud

__all__ = [
    "ANSWERS",
    "COMPUTE_ACCOUNT",
    "DATA_ACCOUNT",
    "DENIED",
    "GIVEN",
    "INPUTS",
    "LAB_TAG",
    "REGION",
    "Accounts",
    "AwsCloud",
    "AwsSettings",
    "Cloud",
    "Connection",
    "Endpoint",
    "LocalCloud",
    "Names",
    "Observe",
    "Patience",
    "ServeOptions",
    "Settings",
    "Trust",
    "aws_names",
    "checked_region",
    "cloud_errors",
    "draw_keys",
    "error_code",
    "further_permissions",
    "isolated_environment",
    "isolated_session",
    "machine_image_parameter",
    "make_bucket",
    "no_plain_http",
    "parse_blob",
    "recorded_error",
    "refusal",
    "security_group",
    "serve",
    "serving_pid",
    "shut_bucket",
    "tls_files",
    "tls_only_policy",
    "write_private",
]

_HOMES = {
    "ANSWERS": "aws.aws_permissions",
    "COMPUTE_ACCOUNT": "accounts",
    "DATA_ACCOUNT": "accounts",
    "DENIED": "client_errors",
    "GIVEN": "aws.aws_settings",
    "INPUTS": "aws.aws_permissions",
    "LAB_TAG": "aws.aws_names",
    "REGION": "accounts",
    "Accounts": "cloud_protocol",
    "AwsCloud": "aws.aws_cloud",
    "AwsSettings": "aws.aws_settings",
    "Cloud": "cloud_protocol",
    "Connection": "connection",
    "Endpoint": "endpoint",
    "LocalCloud": "local_cloud",
    "Names": "cloud_protocol",
    "Observe": "cloud_protocol",
    "Patience": "cloud_protocol",
    "ServeOptions": "local.serve",
    "Settings": "local.call",
    "Trust": "cloud_protocol",
    "aws_names": "aws.aws_names",
    "checked_region": "aws.amazon_reach",
    "cloud_errors": "client_errors",
    "draw_keys": "local.seed",
    "error_code": "client_errors",
    "further_permissions": "aws.aws_permissions",
    "isolated_environment": "isolated_sessions",
    "isolated_session": "isolated_sessions",
    "machine_image_parameter": "aws.aws_names",
    "make_bucket": "bucket_making",
    "no_plain_http": "bucket_making",
    "parse_blob": "local.kms.ciphertext",
    "recorded_error": "client_errors",
    "refusal": "client_errors",
    "security_group": "aws.aws_names",
    "serve": "local.serve",
    "serving_pid": "endpoint",
    "shut_bucket": "bucket_making",
    "tls_files": "local.serve",
    "tls_only_policy": "bucket_making",
    "write_private": "local.seed",
}

__getattr__ = lazy_names(__name__, _HOMES)  # the server's libraries take 0.3 s
