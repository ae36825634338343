"""KMS's TLS over vsock: it ends inside the enclave; proxy and parent see records only.

botocore's ``before-send`` event may answer a request itself. This handler does, over a vsock
connection to the parent's proxy, so that botocore keeps its signing, retries and parsing, and so
that clients which libraries make are carried as well. The name in the certificate is checked
against the measured host, whatever the proxy connects to.
"""

from __future__ import annotations

import http.client
import select
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from nitro_workflow.enclave.botocore_events import events_of
from nitro_workflow.errors import UntrustedAnswer, UsageError, VsockError
from nitro_workflow.vsock import PARENT_CID, PROXY_PORT

if TYPE_CHECKING:
    import socket

__all__ = ["over_vsock"]

HTTPS_PORT = 443
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
# KMS's largest answer holds two 6 KiB blobs and a key; a page of 1000 grants stays below this.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_IDLE = 8

_EMITTER_ID = "nitro-workflow-vsock"
_Target = TypeVar("_Target")


class _Vsock(Protocol):
    def connect(self, cid: int, port: int, timeout: float) -> socket.socket: ...


def over_vsock(
    client_or_session: _Target,
    *,
    ca_pem: bytes,
    host: str,
    cid: int = PARENT_CID,
    port: int = PROXY_PORT,
    transport: _Vsock | None = None,
) -> _Target:
    """Carry a boto3 KMS client's requests, or a botocore session's, over vsock; return it.

    `ca_pem`: the only certificate authorities that count, measured with the image. `host`: the name
    that the endpoint's URL and certificate must carry. `cid` and `port`: the proxy's.

    Raises, now: `UsageError` where `ca_pem` is no PEM certificate. Raises, from the client:
    `UntrustedAnswer` where the other side cannot prove that it is `host`; botocore's connection
    errors, after its retries, where the proxy or KMS does not answer.
    """
    carrier = _Carrier(transport or _machine_transport(), cid, port, host, _context(ca_pem))
    events = events_of(client_or_session)
    # botocore keeps the first handler of an id; the last carrier is the one that counts.
    events.unregister("before-send.kms", unique_id=_EMITTER_ID)
    events.register("before-send.kms", carrier.send, unique_id=_EMITTER_ID)
    return client_or_session


def _machine_transport() -> _Vsock:
    from nitro_workflow.vsock import open_transport

    return open_transport()


def _context(ca_pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.11.2, for one, sets it: an answer that was cut off would be taken for a whole one.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    try:
        context.load_verify_locations(cadata=ca_pem.decode("ascii"))
    except (ValueError, ssl.SSLError) as error:
        raise UsageError(
            "ca_pem that holds no certificate",
            expected="PEM certificates of the authorities to trust",
            where="over_vsock",
            next="give the CA file that is measured with the image",
        ) from error
    return context


class _Carrier:
    """Sends requests over pooled connections. One connection serves one request at a time."""

    def __init__(
        self, transport: _Vsock, cid: int, port: int, host: str, context: ssl.SSLContext
    ) -> None:
        self._transport = transport
        self._address = (cid, port)
        self._host = host
        self._context = context
        self._idle: deque[http.client.HTTPConnection] = deque(maxlen=MAX_IDLE)
        self._lock = threading.Lock()

    def send(self, request: Any, **_: Any) -> Any:
        """Answer botocore's ``before-send`` event with an ``AWSResponse``."""
        from botocore.awsrequest import AWSResponse

        url = urlsplit(request.url)
        self._require_host(url.scheme, url.hostname, url.port)
        target = url.path or "/"
        if url.query:
            target = f"{target}?{url.query}"
        status, headers, body = self._exchange(request, target)
        return AWSResponse(request.url, status, headers, _Body(body))

    def _require_host(self, scheme: str, name: str | None, port: int | None) -> None:
        if (scheme, name, port or HTTPS_PORT) != ("https", self._host, HTTPS_PORT):
            raise UsageError(
                f"a request for {scheme}://{name}:{port or HTTPS_PORT}",
                expected=f"https://{self._host}",
                where="before-send.kms",
                next="give the client endpoint_url with the measured host",
            )

    def _exchange(self, request: Any, target: str) -> tuple[int, dict[str, str], bytes]:
        """Send once: trying again is botocore's, so that a retry has a document of its own."""
        from botocore import exceptions as botocore_errors

        connection = self._take() or self._connect(request.url)
        reusable = False
        try:
            answer, reusable = self._talk(connection, request, target)
        except TimeoutError as error:
            raise botocore_errors.ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (OSError, http.client.HTTPException) as error:
            raise botocore_errors.ConnectionClosedError(
                endpoint_url=request.url, request=request, error=error
            ) from error
        finally:
            self._give_back(connection, reusable=reusable)
        return answer

    def _connect(self, url: str) -> http.client.HTTPConnection:
        from botocore import exceptions as botocore_errors

        try:
            raw = self._transport.connect(*self._address, CONNECT_TIMEOUT_S)
        except (OSError, VsockError) as error:
            raise botocore_errors.EndpointConnectionError(endpoint_url=url, error=error) from error
        try:
            raw.settimeout(CONNECT_TIMEOUT_S)
            # An end without TLS's own is a cut, not the end of an answer.
            secure = self._context.wrap_socket(
                raw, server_hostname=self._host, suppress_ragged_eofs=False
            )
        except ssl.SSLCertVerificationError as error:
            raw.close()
            raise self._stranger(error) from error
        except OSError as error:
            raw.close()
            raise botocore_errors.EndpointConnectionError(endpoint_url=url, error=error) from error
        secure.settimeout(READ_TIMEOUT_S)
        connection = http.client.HTTPConnection(self._host, HTTPS_PORT)
        connection.sock = secure
        return connection

    def _stranger(self, error: ssl.SSLCertVerificationError) -> UntrustedAnswer:
        return UntrustedAnswer(
            f"a certificate that does not hold: {error.verify_message}",
            expected=f"one for {self._host}, from the measured authorities",
            where=f"TLS over vsock {self._address[0]}:{self._address[1]}",
            next="whatever answers is not KMS: see where the proxy connects to; nothing was sent",
        )

    def _talk(
        self, connection: http.client.HTTPConnection, request: Any, target: str
    ) -> tuple[tuple[int, dict[str, str], bytes], bool]:
        """Return the answer, and whether the connection can serve another request."""
        headers = {name: _text(value) for name, value in request.headers.items()}
        # What was signed: http.client would add the port, since it takes 80 for the usual one.
        headers.setdefault("Host", self._host)
        connection.request(request.method, target, body=request.body, headers=headers)
        with connection.getresponse() as response:
            body = response.read(MAX_ANSWER_BYTES + 1)
            if len(body) <= MAX_ANSWER_BYTES and response.length:
                # http.client does not mind a body that ends early when it is read by amount.
                raise http.client.IncompleteRead(body, response.length)
            if len(body) > MAX_ANSWER_BYTES:
                raise UntrustedAnswer(
                    f"an answer of more than {MAX_ANSWER_BYTES} bytes",
                    expected="KMS's answers, which are smaller",
                    where=f"https://{self._host}",
                    next="check what the proxy connects to",
                )
        answer = response.status, dict(response.headers.items()), body
        return answer, not response.will_close

    def _take(self) -> http.client.HTTPConnection | None:
        """Return an idle connection that the other side has not closed meanwhile."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            # A TLS connection at rest has nothing to read but its end.
            waiting = select.poll()
            waiting.register(connection.sock, select.POLLIN)
            if not waiting.poll(0):
                return connection
            connection.close()

    def _give_back(self, connection: http.client.HTTPConnection, *, reusable: bool) -> None:
        with self._lock:
            if reusable and len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def __del__(self) -> None:
        # botocore has no event for a client's end; idle connections end with the last client.
        for connection in self._idle:
            connection.close()


class _Body:
    """What botocore reads an answer's bytes from: urllib3's ``stream``, already in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
