"""The proxy's configuration: which remotes may be reached. [src: nitro-cli vsock_proxy/src]."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nitro_workflow.errors import InputError, Refused, VsockError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Remote", "check_allowed", "parse_allowlist", "resolve"]


@dataclass(frozen=True, slots=True)
class Remote:
    """One remote: host name or IP address as written, TCP port."""

    address: str
    port: int


def parse_allowlist(text: str) -> tuple[Remote, ...]:
    """Return the entries of ``allowlist:``; raises `InputError`."""
    import yaml

    try:
        body = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _bad(f"not YAML ({type(error).__name__})") from error
    if not isinstance(body, dict) or "allowlist" not in body:
        raise _bad("No allowlist field")
    entries = body["allowlist"]
    if not isinstance(entries, list):
        raise _bad("allowlist is not a list")
    return tuple(_entry(index, entry) for index, entry in enumerate(entries))


def resolve(address: str, family: int = socket.AF_UNSPEC) -> str:
    """Return the first IP address of ``address``; raises `VsockError`.

    Asked again for each connection: the resolver's cache keeps the TTL that vsock-proxy keeps
    itself.
    """
    return _addresses(address, family)[0]


def _addresses(address: str, family: int) -> list[str]:
    try:
        found = socket.getaddrinfo(address, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise VsockError(
            f"no address for {address}", expected="a name that resolves", where="vsock proxy"
        ) from error
    return [str(one[4][0]) for one in found]


def check_allowed(
    remote: Remote, allowed: Sequence[Remote], family: int = socket.AF_UNSPEC
) -> None:
    """Raise `Refused` unless port and name, or port and resolved address, are on the list."""
    same_port = [entry for entry in allowed if entry.port == remote.port]
    if any(entry.address.lower() == remote.address.lower() for entry in same_port):
        return
    target = _known(remote.address, family)[:1]  # the first is the one that is connected to
    if target and any(target[0] in _known(entry.address, family) for entry in same_port):
        return
    listed = ", ".join(f"{entry.address}:{entry.port}" for entry in allowed) or "nothing"
    raise Refused(
        "The given address and port are not allowed",
        expected=f"one of: {listed}",
        where=f"vsock proxy, {remote.address}:{remote.port}",
        next="add it to the allowlist file, as administrator of the parent",
        code="NotAllowed",
    )


def _entry(index: int, entry: Any) -> Remote:
    where = f"allowlist[{index}]"
    if not isinstance(entry, dict):
        raise _bad("not a map of address and port", where)
    address, port = entry.get("address"), entry.get("port")
    if not isinstance(address, str) or not address:
        raise _bad(f"address is {address!r:.60}", where)
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise _bad(f"port is {port!r:.20}", where)
    return Remote(address, port)


def _known(address: str, family: int) -> list[str]:
    try:
        return _addresses(address, family)
    except VsockError:
        return []


def _bad(found: str, where: str = "allowlist file") -> InputError:
    return InputError(
        found,
        expected="allowlist: [{address: host, port: n}, …]",
        where=where,
        next="see vsock-proxy's configuration file",
        code="AllowlistError",
    )
