"""How to reach a local cloud: what `cloud serve` wrote into its folder, read by its users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nitro_workflow.cloud.accounts import REGION
from nitro_workflow.cloud.endpoint import Endpoint, read_cloud_file
from nitro_workflow.cloud.isolated_sessions import isolated_session
from nitro_workflow.errors import UsageError

__all__ = ["Connection"]


@dataclass(frozen=True, slots=True)
class Connection:
    """The endpoint of a running local cloud, and the keys of its operators.

    `keys` maps an account's id (or ``ec2.amazonaws.com``) to ``{"access_key_id",
    "secret_access_key"}``. Nothing here can reach AWS: the endpoint is always stated.
    """

    endpoint: Endpoint
    keys: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, lab: Path) -> Connection:
        """Read the lab folder's ``cloud/endpoint.json`` and ``cloud/credentials.json``.

        Raises `CloudUnavailable`: no cloud runs there, or the files are not whole.
        """
        path = lab / "cloud" / "credentials.json"
        return cls(Endpoint.of(lab), read_cloud_file(path) if path.exists() else {})

    def session(self, account: str) -> Any:
        """Return a ``boto3.Session`` of the account's operator: see `isolated_session`.

        Raises `UsageError`: no key of that account is kept here.
        """
        return isolated_session(lambda: self.endpoint, self.key(account), party="operator")

    def key(self, account: str) -> Mapping[str, str]:
        """Return the operator's key of the account; errors as `session`."""
        if account not in self.keys:
            raise UsageError(
                f"no credentials of {account}",
                expected=", ".join(sorted(self.keys)) or "credentials.json in the cloud's folder",
                where="--account",
                next="name one of these, or use the credentials you gave to `cloud serve`",
            )
        return self.keys[account]

    @contextmanager
    def client(self, service: str, account: str, region: str = REGION) -> Iterator[Any]:
        """Yield a client of the account's operator, closed at the end; errors as `session`."""
        client = self.session(account).client(service, region_name=region)
        try:
            yield client
        finally:
            client.close()
