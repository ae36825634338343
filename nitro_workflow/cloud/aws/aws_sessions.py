"""Sessions of AWS: the operator's from a profile or the SDK's chain, the parties' by AssumeRole.

The environment and the files of a profile are asked for the operator's credentials and for nothing
else: where a request goes, and whom it believes there, is `Reach`'s.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud.cloud_protocol import Observe
from nitro_workflow.cloud.isolated_sessions import isolated_core, observer
from nitro_workflow.errors import UsageError

if TYPE_CHECKING:
    import boto3

    from nitro_workflow.cloud.aws.amazon_reach import Reach

__all__ = ["assumed_session", "operator_session", "session_of_keys"]

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
ATTEMPTS: Final = 5

_OF_CREDENTIALS: Final = frozenset(
    {
        *("profile", "config_file", "credentials_file", "region"),
        *("metadata_service_timeout", "metadata_service_num_attempts"),
    }
)
"""Settings of botocore that say whose credentials these are. All others keep their defaults."""


def operator_session(reach: Reach, region: str, profile: str = "") -> boto3.Session:
    """Return the session of the person at the keyboard.

    ``profile`` "": environment, AWS_PROFILE, SSO, a container's or an instance's role, in the SDK's
    order. Raises `UsageError` for a profile that is not there.
    """
    import botocore.session
    from botocore.exceptions import ProfileNotFound

    table = botocore.session.Session.SESSION_VARIABLES
    fixed = {
        name: (None, None, default, convert)
        for name, (_, _, default, convert) in table.items()
        if name not in _OF_CREDENTIALS
    }
    # What the chain itself asks (STS, SSO) goes by the same rules.
    ca_file = reach.arguments("sts", region)["verify"]
    fixed["ca_bundle"] = (None, None, ca_file, None)
    fixed["ignore_configured_endpoint_urls"] = (None, None, True, None)
    core = botocore.session.Session(session_vars=fixed, profile=profile or None)
    try:
        core.get_scoped_config()
    except ProfileNotFound as error:
        raise UsageError(
            str(error),
            expected="a profile of ~/.aws/config",
            where="--data-profile, --compute-profile",
            next="`aws configure list-profiles` names those there are",
        ) from error
    return _session(reach, region, core, "operator", None)


def assumed_session(
    reach: Reach,
    region: str,
    refresh: Callable[[], dict[str, str]],
    *,
    party: str,
    observe: Observe | None = None,
    key_tags: Mapping[str, str] | None = None,
) -> boto3.Session:
    """Return a session whose credentials ``refresh`` fetches, and again before they end.

    ``key_tags``: name → value; every KMS key that is made with the session has them.
    """
    core = isolated_core(refresh)
    if key_tags:
        core.register("provide-client-params.kms.CreateKey", _tagging(key_tags))
    return _session(reach, region, core, party, observe)


def session_of_keys(
    reach: Reach, region: str, keys: Mapping[str, str], *, party: str
) -> boto3.Session:
    """Return a session with keys from elsewhere; `isolated_session` says their names."""
    return _session(reach, region, isolated_core(keys), party, None)


def _session(
    reach: Reach, region: str, core: Any, party: str, observe: Observe | None
) -> boto3.Session:
    import boto3

    # botocore's own rules of endpoints: not those of AWS_DATA_PATH or ~/.aws/models.
    core.register_component("data_loader", _own_loader())
    settings = _settings()

    class AwsSession(boto3.Session):  # type: ignore[misc] # boto3 is untyped
        def client(self, service_name: str, **given: Any) -> Any:
            wanted = given.pop("config", None)
            fixed = reach.arguments(service_name, region)
            fixed["config"] = settings.merge(wanted) if wanted else settings
            client = super().client(service_name, **{**given, **fixed})
            reach.check(client.meta.endpoint_url)
            client.meta.events.register_first("before-send", _guard(reach))
            if observe is not None:
                client.meta.events.register("before-send", observer(party, observe))
            return client

    return AwsSession(botocore_session=core, region_name=region)


@functools.cache
def _own_loader() -> Any:
    """Return one for all sessions: it keeps the models that it has read."""
    import botocore.loaders

    paths = [botocore.loaders.Loader.BUILTIN_DATA_PATH]
    return botocore.loaders.Loader(extra_search_paths=paths, include_default_search_paths=False)


def _tagging(tags: Mapping[str, str]) -> Callable[..., dict[str, Any]]:
    own = [{"TagKey": name, "TagValue": value} for name, value in tags.items()]

    def provide_client_params(params: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        others = [tag for tag in params.get("Tags", ()) if tag["TagKey"] not in tags]
        return {**params, "Tags": [*others, *own]}

    return provide_client_params


def _guard(reach: Reach) -> Callable[..., None]:
    def before_send(request: Any, **_: Any) -> None:
        reach.check(str(request.url))

    return before_send


def _settings() -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
        use_dualstack_endpoint=False,
        use_fips_endpoint=False,
        ignore_configured_endpoint_urls=True,
        user_agent_appid="nitro-workflow",
    )
