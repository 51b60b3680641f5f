"""Runs the policy server: sees the mesh as it is declared now, and sends the canary until it comes back, and then on."""

import logging
import threading
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import urlsplit

import uvicorn
from trino.auth import BasicAuthentication
from trino.dbapi import connect
from trino.exceptions import Error as TrinoError
from trino.exceptions import TrinoConnectionError

from mesh_defs.engine.trino_client import require_private
from mesh_defs.model.place import TrinoAccess
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.settings import Settings
from mesh_defs.trino.canary import SELECT, Canary
from mesh_defs.trino.config import Sizing, config_of
from mesh_defs.trino.names import names_of
from mesh_defs.trino.policy_server import PolicyServer, Sight
from mesh_defs.trino.rights import DOOR, Place

_LOG = logging.getLogger(__name__)
# A restart takes longer.
_TRIES_SECONDS, _CHECKS_SECONDS, _ANSWER_SECONDS_MAX = 1.0, 5.0, 30.0


def serve(settings: Settings, *, host: str, port: int, trino_url: str) -> None:
    """Answer until the process is told to end."""
    names = names_of(settings.trino_policy_secret, canary=settings.trino_canary)
    access = TrinoAccess(
        url=trino_url, user=names.canary, password=settings.trino_canary_password, ca=settings.trino_ca
    )
    require_private(access)
    canary, stop = Canary(names.canary), threading.Event()
    server = PolicyServer(sight_of(settings), canary, names, door=door_of(settings.trino))
    threading.Thread(target=watch, args=(canary, access, stop), daemon=True).start()
    try:
        uvicorn.run(server.app(), host=host, port=port, log_level="warning")
    finally:
        stop.set()


def door_of(access: TrinoAccess | None) -> str | None:
    """Return the door's name on the Trino, if nobody else can have it: it has a password, or is a secret itself."""
    if access is None or (access.password is None and not access.user.startswith(DOOR)):
        return None
    return access.user


def sight_of(settings: Settings) -> Sight:
    """Return what gives the mesh and its places in Trino, read again whenever its snapshot or a place has changed."""
    lock = threading.Lock()
    seen: tuple[object, tuple[Platform, Mapping[Place, str]]] | None = None

    def sight() -> tuple[Platform, Mapping[Place, str]]:
        nonlocal seen
        with lock:
            now = _state(settings)
            if seen is None or seen[0] != now:
                platform = open_platform(settings, build=False)
                reached = config_of(platform.mesh, settings, Sizing()).reached
                places = {
                    (each.catalog.name, each.schema.lower(), each.table.lower()): each.product for each in reached
                }
                seen = now, (platform, places)
            return seen[1]

    return sight


def watch(canary: Canary, access: TrinoAccess, stop: threading.Event) -> None:
    """Send the canary every second until Trino proved to apply filters and masks, then often enough to notice a restart.

    A Trino that is gone is not trusted any more: it may come back set up otherwise.
    """
    while True:
        try:
            canary.returned(_rows(access))
        except (OSError, TrinoConnectionError):
            canary.lost()
        except TrinoError as error:  # too busy, say: trusted on for a while, if it was before
            _LOG.warning("the canary did not come back: %s", type(error).__name__)
        if stop.wait(_CHECKS_SECONDS if canary.trusted else _TRIES_SECONDS):
            return


def _rows(access: TrinoAccess) -> list[list[object]]:
    told = urlsplit(access.url)
    auth = BasicAuthentication(access.user, access.password) if access.password is not None else None
    with closing(
        connect(
            host=told.hostname or "",
            port=told.port,
            http_scheme=told.scheme or "http",
            user=access.user,
            auth=auth,
            verify=access.ca or True,
            request_timeout=_ANSWER_SECONDS_MAX,
        )
    ) as connection:
        return [list(row) for row in connection.cursor().execute(SELECT).fetchall()]


def _state(settings: Settings) -> object:
    places = sorted(settings.places_folder.glob("*.json"))
    stats = [each.stat() for each in (settings.snapshot_file, *places) if each.exists()]
    return [(stat.st_ino, stat.st_mtime_ns) for stat in stats]
