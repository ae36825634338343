"""How to reach a local cloud: what `cloud serve` wrote into its folder, read by its users."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nitro_workflow.cloud.endpoint import REGION
from nitro_workflow.cloud.isolated_sessions import isolated_core
from nitro_workflow.errors import CloudUnavailable, UsageError

__all__ = ["Connection"]


@dataclass(frozen=True, slots=True)
class Connection:
    """Endpoint and CA file of a running local cloud, and the keys of its operators.

    `keys` maps an account's id (or ``ec2.amazonaws.com``) to ``{"access_key_id",
    "secret_access_key"}``. Nothing here can reach AWS: the endpoint is always stated.
    """

    endpoint: str
    ca: Path
    keys: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, lab: Path) -> Connection:
        """Read the lab folder's ``cloud/endpoint.json`` and ``cloud/credentials.json``.

        Raises:
            CloudUnavailable: no cloud runs there, or the files are not whole.
        """
        folder = lab / "cloud"
        where = _read(folder / "endpoint.json", ("endpoint", "ca"))
        path = folder / "credentials.json"
        keys = _read(path, ()) if path.exists() else {}
        return cls(where["endpoint"], Path(where["ca"]), keys)

    def session(self, account: str) -> Any:
        """Return a ``boto3.Session`` of the account's operator.

        It reads no environment variable, profile or file of the user: what is set up for real AWS
        can neither break it nor be used by it. Its clients still need the endpoint: see `client`.

        Raises:
            UsageError: no key of that account is kept here.
        """
        import boto3

        core = isolated_core(self.key(account))
        return boto3.Session(region_name=REGION, botocore_session=core)

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
    def client(self, service: str, account: str) -> Iterator[Any]:
        """Yield a client of the account's operator, closed at the end; errors as `session`."""
        session = self.session(account)
        from botocore.config import Config

        # Stated, because the environment may name proxies and other endpoints.
        config = Config(ignore_configured_endpoint_urls=True, proxies={}, signature_version="v4")
        where = {"endpoint_url": self.endpoint, "verify": str(self.ca)}
        client = session.client(service, config=config, **where)
        try:
            yield client
        finally:
            client.close()


def _read(path: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        found = f"no {path.name}"
    except ValueError:
        found = f"a {path.name} that is not JSON"
    else:
        if isinstance(document, dict) and set(needed) <= document.keys():
            return document
        found = f"a {path.name} without {' and '.join(needed)}"
    raise CloudUnavailable(
        found,
        expected="the file that a running cloud writes",
        where=str(path.parent.name),
        next="start the cloud: `nitro-workflow cloud serve`, or run any step of the workflow",
    )
