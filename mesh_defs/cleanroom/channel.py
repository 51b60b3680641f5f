"""One message there, one back, over HTTP with TLS: with a limit to bytes, and a moment by which all of it must be done."""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mesh_defs.errors import AccessDeniedError, NotFoundError, UnreachableError

PATH = "/room"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom to believe on the network, and how to show who we are: PEM files. `ca` None: the machine's own certificates.

    `plain`: unencrypted beyond this machine, where something else encrypts.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    plain: bool = False

    def client(self) -> ssl.SSLContext:
        """TLS as who asks. NotFoundError when a file is missing or is none."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError):
            what = "a certificate, its key or the authorities to trust cannot be read"
            raise NotFoundError(what, where=self.ca or self.certificate or "", fix="name PEM files") from None
        return context

    def require_safe(self, host: str, *, encrypted: bool) -> None:
        """Raise AccessDeniedError for plain HTTP past this machine, unless it was asked for."""
        if not (encrypted or self.plain or is_loopback(host)):
            fix = "use https, with --certificate, --key and --ca; or --plain where something else encrypts"
            raise AccessDeniedError(f"plain HTTP to or from '{host}' would be read on the way", fix=fix)


Post = Callable[[str, bytes, float, int], bytes]


def poster(trust: Trust) -> Post:
    """Return `post(url, body, seconds, bytes_max)`, which returns the answer's body.

    UnreachableError when it does not come whole, in time and small enough; AccessDeniedError when the message is refused.
    """

    def post(url: str, body: bytes, seconds: float, bytes_max: int) -> bytes:
        told = urlsplit(url)
        host = told.hostname or ""
        trust.require_safe(host, encrypted=told.scheme == "https")
        if told.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, told.port, timeout=seconds, context=trust.client()
            )
        else:
            connection = http.client.HTTPConnection(host, told.port, timeout=seconds)
        late = threading.Timer(seconds, _cut, (connection,))
        late.daemon = True
        late.start()
        try:
            connection.request("POST", told.path.rstrip("/") + PATH, body)
            return _read(connection, bytes_max, url)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _unreachable(url, _why(error)) from None
        finally:
            late.cancel()
            connection.close()

    return post


def is_loopback(host: str) -> bool:
    """Tell whether only this machine is at that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_files(trust: Trust) -> None:
    """Raise NotFoundError for a file that is not there."""
    for name in (trust.ca, trust.certificate, trust.key):
        if name and not Path(name).is_file():
            raise NotFoundError("there is no such file", where=name, fix="name a PEM file")


def _cut(connection: http.client.HTTPConnection) -> None:
    """A server that sends a byte now and then holds nobody past the time that was set."""
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _read(connection: http.client.HTTPConnection, bytes_max: int, url: str) -> bytes:
    response = connection.getresponse()
    if response.status != 200:
        raise AccessDeniedError(f"the message was refused ({response.status})", where=url, fix="see what it logs")
    if (response.length or 0) > bytes_max:
        raise _unreachable(url, f"answers over {bytes_max:,} bytes")
    body = response.read(bytes_max + 1)
    if len(body) > bytes_max:
        raise _unreachable(url, f"answers over {bytes_max:,} bytes")
    if response.length:
        raise _unreachable(url, "stopped in the middle")
    return body


def _why(error: Exception) -> str:
    told: dict[type[Exception], str] = {
        ConnectionRefusedError: "nobody listens there",
        socket.gaierror: "there is no such host",
        ssl.SSLCertVerificationError: "its certificate is of no authority that is trusted here",
        ssl.SSLError: "the two do not agree on TLS",
        TimeoutError: "not in time",
    }
    return next((words for kind, words in told.items() if isinstance(error, kind)), type(error).__name__)


def _unreachable(url: str, why: str) -> UnreachableError:
    return UnreachableError(f"no answer: {why}", where=url, fix="see that its process runs, and is reached from here")
