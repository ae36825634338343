"""boto3 sessions that can reach one cloud and nothing else, whatever the environment says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud.accounts import REGION
from nitro_workflow.cloud.cloud_protocol import Observe

if TYPE_CHECKING:
    import boto3

    from nitro_workflow.cloud.endpoint import Endpoint

__all__ = ["isolated_core", "isolated_environment", "isolated_session", "observer"]

TIMEOUT_SECONDS: Final = 60

Keys = Mapping[str, str]
Refresh = Callable[[], dict[str, str]]


def isolated_environment() -> dict[str, str]:
    """Return an environment for a child in which nothing can find real AWS, a profile, a proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_")
        and not name.lower().endswith("_proxy")
        and name != "PYTHONPATH"
    }
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONUNBUFFERED": "1"}


def isolated_session(
    endpoint: Callable[[], Endpoint],
    keys: Keys | Refresh,
    *,
    party: str,
    observe: Observe | None = None,
) -> boto3.Session:
    """Return a boto3 session whose every client goes to ``endpoint()`` and nowhere else.

    ``keys``: ``access_key_id``, ``secret_access_key`` and, if temporary, ``session_token``; or a
    function that botocore calls for fresh ones (botocore's names, with ``expiry_time``).
    """
    import boto3

    settings = _settings()

    class LabSession(boto3.Session):  # type: ignore[misc] # boto3 is untyped
        def client(self, service_name: str, **given: Any) -> Any:
            at, wanted = endpoint(), given.pop("config", None)
            given |= {
                "endpoint_url": at.url,
                "verify": at.ca,
                "config": settings.merge(wanted) if wanted else settings,
            }
            given.setdefault("region_name", REGION)
            client = super().client(service_name, **given)
            if observe is not None:
                client.meta.events.register("before-send", observer(party, observe))
            return client

    return LabSession(botocore_session=isolated_core(keys), region_name=REGION)


def isolated_core(keys: Keys | Refresh) -> Any:
    """Return a botocore session without environment, files, profiles or metadata service."""
    import botocore.session

    # Every setting keeps its default and loses its environment variable and its place in a file.
    table = botocore.session.Session.SESSION_VARIABLES
    fixed = {
        name: (None, None, default, convert) for name, (_, _, default, convert) in table.items()
    }
    nothing = (None, None, os.devnull, None)
    files = {"config_file": nothing, "credentials_file": nothing}
    core = botocore.session.Session(session_vars={**fixed, **files})
    if isinstance(keys, Mapping):
        token = keys.get("session_token")
        core.set_credentials(keys["access_key_id"], keys["secret_access_key"], token)
    else:
        core.register_component("credential_provider", _provider(keys))
    return core


def _provider(refresh: Refresh) -> Any:
    """Return a chain with one link: credentials that are fetched again before they expire."""
    from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials

    class AssumedRole(CredentialProvider):  # type: ignore[misc] # botocore is untyped
        METHOD = "sts-assume-role"

        def load(self) -> Any:
            return RefreshableCredentials.create_from_metadata(refresh(), refresh, self.METHOD)

    return CredentialResolver([AssumedRole()])


def _settings() -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        proxies={},
        retries={"mode": "standard", "total_max_attempts": 3},
        s3={"addressing_style": "path", "us_east_1_regional_endpoint": "regional"},
        use_dualstack_endpoint=False,
        use_fips_endpoint=False,
        user_agent_appid="nitro-workflow",
    )


def observer(party: str, observe: Observe) -> Callable[..., None]:
    """Return botocore's handler that tells of each request as it is about to be sent."""

    def before_send(request: Any, event_name: str, **_: Any) -> None:
        observe(party, event_name, request)

    return before_send
