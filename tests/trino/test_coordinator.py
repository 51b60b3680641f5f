"""What the policy server learns of statements under way, from a coordinator that is slow, silent or gone. No Trino."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mesh_defs.errors import UnreachableError
from mesh_defs.model.place import TrinoAccess
from mesh_defs.trino import coordinator
from mesh_defs.trino.coordinator import Coordinator


@contextmanager
def listing(answer: Callable[[int], tuple[int, object]]) -> Iterator[Coordinator]:
    """A coordinator that gives this to the first request (0), the second, …"""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(len(asked))
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *told: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Coordinator(TrinoAccess(url=f"http://127.0.0.1:{server.server_port}", user="bird"))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


ANA = {"user": "ana+reporting", "query": "SELECT 1"}
OTHER = {"user": "sam+reporting", "query": "EXPLAIN SELECT 1"}


def test_only_ones_own_count_and_all_of_them() -> None:
    with listing(lambda n: (200, [ANA, OTHER, {**ANA, "query": "SHOW STATS FOR t"}])) as made:
        assert made.under_way("ana+reporting") == ["SELECT 1", "SHOW STATS FOR t"]


@pytest.mark.parametrize("early", [(200, [OTHER]), (500, {}), (200, "no list"), (200, [])])
def test_what_is_not_listed_yet_is_waited_for(early: tuple[int, object]) -> None:
    with listing(lambda n: early if n < 3 else (200, [ANA])) as made:
        assert made.under_way("ana+reporting") == ["SELECT 1"]


@pytest.mark.parametrize("always", [(200, [OTHER]), (403, []), (200, [{"query": "SELECT 1"}]), (200, {"a": 1})])
def test_what_is_never_listed_is_refused(always: tuple[int, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator, "_LISTED_SECONDS_MAX", 0.1)
    with listing(lambda n: always) as made, pytest.raises(UnreachableError, match="does not tell which query"):
        made.under_way("ana+reporting")


def test_a_coordinator_that_is_gone_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator, "_LISTED_SECONDS_MAX", 0.1)
    with pytest.raises(UnreachableError):
        Coordinator(TrinoAccess(url="http://127.0.0.1:9", user="bird")).under_way("ana+reporting")
