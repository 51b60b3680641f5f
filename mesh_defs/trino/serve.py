"""Runs the policy server: sees the mesh as it is declared now, and sends the canary until it comes back, and then on."""

import logging
import re
import threading
from collections.abc import Mapping

import uvicorn
from requests.exceptions import SSLError
from trino.exceptions import Error as TrinoError
from trino.exceptions import HttpError, TrinoConnectionError

from mesh_defs.engine.trino_client import require_private
from mesh_defs.model.place import TrinoAccess
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.settings import Settings
from mesh_defs.trino.canary import SELECT, Canary
from mesh_defs.trino.config import Sizing, config_of
from mesh_defs.trino.coordinator import Coordinator
from mesh_defs.trino.names import names_of
from mesh_defs.trino.policy_server import PolicyServer, Sight
from mesh_defs.trino.rights import DOOR, Place

_LOG = logging.getLogger(__name__)
# A restart takes longer.
_TRIES_SECONDS, _CHECKS_SECONDS = 1.0, 5.0
_UNAPPLIED = "the Trino does not apply filters and masks: give it etc/access-control.properties of `mesh trino config`"


def serve(settings: Settings, *, host: str, port: int, trino_url: str) -> None:
    """Answer until the process is told to end."""
    names = names_of(settings.trino_policy_secret, canary=settings.trino_canary)
    access = TrinoAccess(
        url=trino_url, user=names.canary, password=settings.trino_canary_password, ca=settings.trino_ca
    )
    require_private(access)
    canary, stop = Canary(names.canary), threading.Event()
    coordinator = Coordinator(access)
    server = PolicyServer(sight_of(settings), canary, names, coordinator.under_way, door=door_of(settings.trino))
    threading.Thread(target=watch, args=(canary, coordinator, stop), daemon=True).start()
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


def watch(canary: Canary, coordinator: Coordinator, stop: threading.Event) -> None:
    """Send the canary every second until Trino proved to apply filters and masks, then often enough to notice a restart.

    A Trino that is gone is not trusted any more: it may come back set up otherwise. Why it did not come back is logged once.
    """
    said = ""
    while True:
        why = _sent(canary, coordinator)
        if why not in ("", said):
            _LOG.warning("the canary did not come back, all is denied: %s", why)
        said = why
        if stop.wait(_CHECKS_SECONDS if canary.trusted else _TRIES_SECONDS):
            return


def _sent(canary: Canary, coordinator: Coordinator) -> str:
    """Why it did not come back; nothing when it did."""
    try:
        canary.returned(coordinator.rows(SELECT))
    except (OSError, HttpError, TrinoConnectionError, ValueError, KeyError) as error:
        canary.lost()
        return _why(error)
    except TrinoError as error:  # too busy, say: trusted on for a while, if it was before
        return "" if canary.trusted else f"its reading failed: {getattr(error, 'error_name', type(error).__name__)}"
    return "" if canary.trusted else _UNAPPLIED


def _why(error: Exception) -> str:
    """A message without what the server says, which may hold anything."""
    if isinstance(error.__context__, SSLError):
        return (
            "the Trino's certificate is not trusted: name its authority in MESH_TRINO_CA, and the host as it is there"
        )
    if isinstance(error, HttpError) and re.match(r"error 40[13]\b", str(error)):
        return "the Trino does not let it in: see MESH_TRINO_CANARY and MESH_TRINO_CANARY_PASSWORD"
    return "the Trino does not answer: see --trino, and its log"


def _state(settings: Settings) -> object:
    places = sorted(settings.places_folder.glob("*.json"))
    stats = [each.stat() for each in (settings.snapshot_file, *places) if each.exists()]
    return [(stat.st_ino, stat.st_mtime_ns) for stat in stats]
