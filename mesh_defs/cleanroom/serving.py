"""An ASGI app that takes one message and gives one back. What is not genuine gets nothing but a status."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from mesh_defs.cleanroom.channel import PATH, Trust, require_files
from mesh_defs.errors import AccessDeniedError, MeshError, UnreachableError

_LOG = logging.getLogger(__name__)
# What comes in is JSON: questions, keys, names of groups. Partials only go out.
BODY_BYTES_MAX = 8_000_000
BODY_SECONDS_MAX = 30.0
HEAD_SECONDS_MAX = 10.0
HEAD_BYTES_MAX = 16_384
# Messages that are worked at, at once; further ones wait.
AT_ONCE_MAX = 16
# Connections that wait to be taken.
_BACKLOG = 256

Handle = Callable[[bytes], bytes]


class _Prompt(H11Protocol):
    """HTTP/1.1 that lets go of who connects and does not say what it wants."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(HEAD_SECONDS_MAX, self._require_head)

    def _require_head(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def app(handle: Handle) -> Starlette:
    """The ASGI app. `handle` raises AccessDeniedError for what is not genuine, and otherwise answers, whatever happens."""
    places = asyncio.Semaphore(AT_ONCE_MAX)

    async def respond(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return Response(status_code=413)
        async with places:
            try:
                return Response(await run_in_threadpool(handle, body), media_type="application/octet-stream")
            except AccessDeniedError as error:
                _LOG.warning("a message was refused: %s", error.what)
                return Response(status_code=403)
            except Exception as error:  # noqa: BLE001  a surface: nothing of what failed goes out, or into a log
                _LOG.error("a message failed: %s", error.code if isinstance(error, MeshError) else type(error).__name__)
                return Response(status_code=500)

    return Starlette(routes=[Route(PATH, respond, methods=["POST"])])


def serve(handle: Handle, *, host: str, port: int, trust: Trust) -> None:
    """Answer until the process is told to end. AccessDeniedError for plain HTTP beyond this machine, UnreachableError for a
    place where it cannot listen."""
    trust.require_safe(host, encrypted=trust.certificate is not None)
    require_files(trust)
    with _listener(host, port) as listener:
        scheme = "https" if trust.certificate else "http"
        sys.stderr.write(f"answers at {scheme}://{host}:{port}, until Ctrl-C\n")
        server(handle, host=host, port=port, trust=trust).run(sockets=[listener])


def server(handle: Handle, *, host: str, port: int, trust: Trust) -> uvicorn.Server:
    """The server, not started. With a certificate and `ca`, whoever connects must show one of `ca`'s too."""
    encrypted = trust.certificate is not None
    return uvicorn.Server(
        uvicorn.Config(
            app(handle),
            host=host,
            port=port,
            http=_Prompt,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=5,
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
            ssl_certfile=trust.certificate,
            ssl_keyfile=trust.key,
            ssl_ca_certs=trust.ca if encrypted else None,
            ssl_cert_reqs=2 if encrypted and trust.ca else 0,
        )
    )


def _listener(host: str, port: int) -> socket.socket:
    try:
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=kind, backlog=_BACKLOG)
    except OSError as error:
        told = os.strerror(error.errno) if error.errno and error.errno > 0 else "there is no such host"
        what = f"it cannot listen there: {told}"
        raise UnreachableError(what, where=f"{host}, port {port}", fix="say another --host or --port") from None


async def _body(request: Request) -> bytes | None:
    pieces, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for piece in request.stream():
                size += len(piece)
                if size > BODY_BYTES_MAX:
                    return None
                pieces.append(piece)
    except (TimeoutError, ClientDisconnect):
        return None
    return b"".join(pieces)
