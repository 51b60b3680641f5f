"""Trino's client protocol over the low-level client of PyPI's `trino`: pages as they come, cancelled and ended in time.

https://trino.io/docs/current/develop/client-protocol.html. Nothing is sent but reads, and what may be run twice, so whatever
happens before the first page may be tried again. Results come page by page (no spooling): one page is all that is in memory.
"""

import importlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import requests

from mesh_defs.engine.told import cancelled, late
from mesh_defs.engine.trino_told import SilentError, StartingError, failure, lost, unreachable
from mesh_defs.errors import UnreachableError
from mesh_defs.model.place import TrinoAccess

# One request; the server answers within a second, with a page or with the news that there is none yet.
_TIMEOUT_SECONDS = (5.0, 30.0)
_ATTEMPTS_MAX = 3
# A coordinator that has just started says so for some seconds.
_STARTING_SECONDS_MAX = 30.0
_STARTING_PAUSE_SECONDS = 1.0


Tell = Callable[[Mapping[str, Any]], None]
_NOTHING = SimpleNamespace(rows=[], next_uri=None, stats={})


class Client:
    """Safe for many threads. `seconds_max` is what one query may take, here and, a little longer, on the server."""

    def __init__(self, access: TrinoAccess, seconds_max: float) -> None:
        self._access, self._seconds = access, seconds_max
        require_private(access)
        self._place = urlsplit(access.url)

    def start(self, sql: str, tell: "Tell | None" = None) -> "Statement":
        """Send one statement. UnreachableError when nobody answers; what fails before its first page is told from there.

        `tell` is given the server's statistics while its first rows are waited for, and nothing when that is over.
        """
        return Statement(self._connected, sql, self._seconds, tell or _nobody)

    def text(self, sql: str) -> str:
        """Return the one value of a statement that has one: an EXPLAIN."""
        return str(next(row[0] for page in self.start(sql).pages() for row in page))

    def run(self, sql: str) -> None:
        """Run a statement that returns nothing to look at. It may be sent twice."""
        for _ in self.start(sql).pages():
            pass

    def _connected(self) -> Any:
        """Return a new connection of the library's; its own retries are of requests that may be repeated."""
        client = _library()
        properties = {"query_max_run_time": f"{self._seconds + 5:.0f}s"}
        session = client.ClientSession(
            user=self._access.user, source="mesh", timezone="UTC", properties=properties, encoding=[]
        )
        auth = None
        if self._access.password is not None:
            from trino.auth import BasicAuthentication

            auth = BasicAuthentication(self._access.user, self._access.password)
        return client.TrinoRequest(
            host=self._place.hostname,
            port=self._place.port or (443 if self._place.scheme == "https" else 8080),
            client_session=session,
            http_scheme=self._place.scheme,
            auth=auth,
            max_attempts=_ATTEMPTS_MAX,
            request_timeout=_TIMEOUT_SECONDS,
            http_session=http_session(self._access),
        )


def http_session(access: TrinoAccess) -> requests.Session:
    """Return what trusts the access's own authorities, if it names some, whatever the environment says.

    `requests` takes REQUESTS_CA_BUNDLE before what a session is given; then there is no proxy of the environment's either.
    """
    session = requests.Session()
    if access.ca:
        session.verify, session.trust_env = access.ca, False
    return session


def require_private(access: TrinoAccess) -> None:
    """Raise UnreachableError for what is no coordinator's address, or one to which a password would go in the clear."""
    place = urlsplit(access.url)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise UnreachableError(
            "this is no coordinator's address", where=access.url, fix="write it as https://host:port"
        )
    if access.password is not None and place.scheme != "https":
        raise UnreachableError("a password goes to a Trino over https only", fix="write its address with https")


class Statement:
    """One statement under way. `progress` is what the server last said of it; `cancel` may come from any thread."""

    def __init__(self, connect: Callable[[], Any], sql: str, seconds: float, tell: Tell) -> None:
        self._connect, self._connection, self._seconds, self._tell = connect, connect(), seconds, tell
        self._deadline = time.monotonic() + seconds
        self._lock, self._cancelled = threading.Lock(), False
        self._page = self._first(sql)
        self._next: str | None = self._page.next_uri
        self._stats: Mapping[str, Any] = self._page.stats

    @property
    def progress(self) -> Mapping[str, Any]:
        """The server's statistics: state, completedSplits of totalSplits, cpuTimeMillis, processedRows, …"""
        return self._stats

    def pages(self) -> Iterator[list[list[Any]]]:
        """Yield the rows, as JSON has them, a page at a time. MeshError when it fails, is late, or was cancelled."""
        try:
            self.wait()
            while self._page.rows or self._next is not None:
                if self._page.rows:
                    yield self._page.rows
                self._turn()
        finally:
            self.close()

    def wait(self) -> None:
        """Wait for the first rows, or for the news that there are none. MeshError as above.

        Whatever ends the waiting ends the query there too, a Ctrl-C as well.
        """
        try:
            while not self._page.rows and self._next is not None:
                self._tell(self._stats)
                self._turn()
        except BaseException:
            self.close()
            raise
        finally:
            self._tell({})

    def cancel(self) -> None:
        """Stop it; who reads it is told so."""
        self._cancelled = True
        self._stop(self._next)

    def close(self) -> None:
        """Let the server stop what it still does for this statement."""
        with self._lock:
            left, self._next = self._next, None
        self._stop(left)

    def _turn(self) -> None:
        """Ask for the next page; after the last one there is an empty one."""
        if self._cancelled:
            raise cancelled()
        if time.monotonic() > self._deadline:
            self.close()
            raise late(self._seconds)
        try:
            with _told():
                page = self._connection.process(self._connection.get(self._next)) if self._next else _NOTHING
        except SilentError:
            raise cancelled() if self._cancelled else lost() from None
        with self._lock:
            self._page, self._next = page, page.next_uri
            self._stats = page.stats or self._stats

    def _stop(self, uri: str | None) -> None:
        if uri is not None:
            with suppress(requests.RequestException):  # it ends by itself, at its time limit there
                self._connect().delete(uri)

    def _first(self, sql: str) -> Any:
        """Send it, again while the server starts: nothing was computed yet."""
        until = min(self._deadline, time.monotonic() + _STARTING_SECONDS_MAX)
        while True:
            try:
                with _told():
                    return self._connection.process(self._connection.post(sql))
            except StartingError:
                if time.monotonic() > until:
                    raise
            time.sleep(_STARTING_PAUSE_SECONDS)


def _nobody(stats: Mapping[str, Any]) -> None:
    """Nobody wants to know how far it is."""


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the library raises into what the asker is told."""
    from trino import exceptions

    try:
        yield
    except exceptions.TrinoQueryError as error:
        raise failure(error.error_name or "") from None
    except exceptions.HttpError as error:
        found = re.search(r"\b([45]\d\d)\b", str(error))
        raise unreachable(int(found[1]) if found else None) from None
    except (requests.RequestException, exceptions.Error, ValueError, KeyError):
        raise unreachable() from None


def _library() -> Any:
    try:
        return importlib.import_module("trino.client")
    except ModuleNotFoundError:
        raise UnreachableError("Trino's client is not installed", fix="install the extra: mesh-defs[trino]") from None
