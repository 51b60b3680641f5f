"""Trino's protocol, against a coordinator that answers as one does: in pages, starting, failing, slow, or not at all."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pytest

from mesh_defs.engine.trino_arrow import batch_of, schema_of
from mesh_defs.engine.trino_client import Client
from mesh_defs.errors import EngineError, MeshError, QueryRejectedError, UnreachableError
from mesh_defs.model.place import TrinoAccess

pytest.importorskip("trino", reason="the extra 'trino' is not installed")


class Coordinator:
    """Gives out its replies one by one; the last again and again. Counts what is deleted."""

    def __init__(self, *replies: dict[str, Any] | int) -> None:
        self.replies, self.deleted, self.sent = list(replies), 0, list[str]()

    def reply(self) -> dict[str, Any] | int:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def page(*rows: list[Any], last: bool = False, error: str = "") -> dict[str, Any]:
    failed = {"errorName": error, "errorCode": 1, "errorType": "USER_ERROR", "message": "the value 'secret' is bad"}
    return {
        "id": "q",
        "infoUri": "",
        "stats": {"state": "RUNNING", "completedSplits": 1, "totalSplits": 2},
        "columns": [{"name": "c0", "type": "bigint"}],
        **({"data": list(rows)} if rows else {}),
        **({} if last or error else {"nextUri": "NEXT"}),
        **({"error": failed} if error else {}),
    }


@contextmanager
def serving(coordinator: Coordinator, seconds_max: float = 5.0) -> Iterator[Client]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            coordinator.sent.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_DELETE(self) -> None:
            coordinator.deleted += 1
            self.send_response(204)
            self.end_headers()

        def answer(self) -> None:
            reply = coordinator.reply()
            told = reply if isinstance(reply, dict) else {}
            if "nextUri" in told:
                told = {**told, "nextUri": f"{url}/v1/statement/q/1"}
            body = json.dumps(told).encode()
            self.send_response(reply if isinstance(reply, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Client(TrinoAccess(url=url, user="mesh"), seconds_max)
        server.shutdown()


def test_pages_come_one_by_one_and_nothing_is_left_running() -> None:
    coordinator = Coordinator(page(), page([1], [2]), page(), page([3], last=True))
    with serving(coordinator) as client:
        statement = client.start("SELECT 1")
        assert list(statement.pages()) == [[[1], [2]], [[3]]]
        assert statement.progress["totalSplits"] == 2
    assert (coordinator.sent, coordinator.deleted) == (["SELECT 1"], 0)


def test_who_stops_early_ends_it_on_the_server_too() -> None:
    coordinator = Coordinator(page(), page([1]))
    with serving(coordinator) as client:
        pages = client.start("SELECT 1").pages()
        next(pages)
        pages.close()  # type: ignore[attr-defined]
        assert coordinator.deleted == 1


def test_it_is_cancelled_from_another_thread() -> None:
    coordinator = Coordinator(page(), page([1]))
    with serving(coordinator) as client:
        statement = client.start("SELECT 1")
        pages = statement.pages()
        next(pages)
        threading.Thread(target=statement.cancel).start()
        with pytest.raises(EngineError, match="cancelled"):
            list(pages)
        assert coordinator.deleted >= 1


def test_who_will_not_wait_ends_it_on_the_server_too() -> None:
    """A Ctrl-C comes wherever the program is: here, while it is told how far the query is."""
    coordinator, told = Coordinator(page()), list[object]()

    def tell(stats: Mapping[str, Any]) -> None:
        told.append(stats.get("totalSplits"))
        if len(told) == 3:
            raise KeyboardInterrupt

    with serving(coordinator) as client:
        with pytest.raises(KeyboardInterrupt):
            client.start("SELECT 1", tell).wait()
        assert (coordinator.deleted, told) == (1, [2, 2, 2, None])


def test_lists_and_structs_come_as_arrow_has_them() -> None:
    types = [("a", "VARCHAR[]"), ("b", 'STRUCT("of what" DOUBLE, day DATE)'), ("c", "STRUCT(x DECIMAL(4,1)[])[]")]
    rows = [[["x", None], ["NaN", "2026-01-31"], [[["1.5"]], None]], [None, None, None], [[], [None, None], []]]
    batch = batch_of(rows, schema_of(types))
    assert str(batch.to_pylist()) == str(
        [
            {
                "a": ["x", None],
                "b": {"of what": float("nan"), "day": date(2026, 1, 31)},
                "c": [{"x": [Decimal("1.5")]}, None],
            },
            {"a": None, "b": None, "c": None},
            {"a": [], "b": {"of what": None, "day": None}, "c": []},
        ]
    )


def test_the_deadline_is_the_clients_too() -> None:
    coordinator = Coordinator(page())
    with serving(coordinator, seconds_max=0.3) as client, pytest.raises(EngineError, match=r"stopped after 0.3 s"):
        list(client.start("SELECT 1").pages())
    assert coordinator.deleted == 1


def test_a_server_that_starts_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh_defs.engine.trino_client._STARTING_PAUSE_SECONDS", 0.01)
    coordinator = Coordinator(page(error="SERVER_STARTING_UP"), page([1], last=True))
    with serving(coordinator) as client:
        assert list(client.start("SELECT 1").pages()) == [[[1]]]
    assert len(coordinator.sent) == 2


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("DIVISION_BY_ZERO", EngineError, "the engine failed"),
        ("INVALID_CAST_ARGUMENT", EngineError, "the engine failed"),
        ("SOMETHING_NEW", EngineError, "the engine failed"),
        ("EXCEEDED_GLOBAL_MEMORY_LIMIT", EngineError, "out of memory"),
        ("EXCEEDED_TIME_LIMIT", EngineError, "time limit"),
        ("CATALOG_NOT_FOUND", EngineError, "does not know a catalog"),
        ("ICEBERG_BAD_DATA", EngineError, "storage failed"),
        ("NOT_SUPPORTED", QueryRejectedError, "cannot run this form"),
        ("REMOTE_HOST_GONE", UnreachableError, "a node of the Trino was lost"),
        ("QUERY_QUEUE_FULL", UnreachableError, "no room"),
        ("ADMINISTRATIVELY_KILLED", EngineError, "cancelled"),
    ],
)
def test_a_failure_is_told_by_its_name_and_never_by_its_message(name: str, kind: type[MeshError], told: str) -> None:
    coordinator = Coordinator(page(), page(error=name))
    with serving(coordinator) as client, pytest.raises(kind, match=told) as failed:
        list(client.start("SELECT 1").pages())
    assert "secret" not in str(failed.value)
    assert failed.value.fix


@pytest.mark.parametrize(("status", "told"), [(401, "does not know the door"), (500, r"HTTP 500"), (404, "HTTP 404")])
def test_what_is_no_trino_or_does_not_let_us_in_is_told(status: int, told: str) -> None:
    with serving(Coordinator(status)) as client, pytest.raises(UnreachableError, match=told) as failed:
        list(client.start("SELECT 1").pages())
    assert "127.0.0.1" not in str(failed.value)


def test_nobody_answers() -> None:
    with pytest.raises(UnreachableError, match="does not answer"):
        Client(TrinoAccess(url="http://127.0.0.1:9", user="mesh"), 5.0).start("SELECT 1")


@pytest.mark.parametrize(("url", "password"), [("nowhere", None), ("http://127.0.0.1", "a-password")])
def test_an_address_that_is_none_or_would_show_the_password_is_refused(url: str, password: str | None) -> None:
    with pytest.raises(UnreachableError, match="https") as refused:
        Client(TrinoAccess(url=url, user="mesh", password=password), 5.0)
    assert "a-password" not in str(refused.value)


def test_a_page_has_duckdbs_types() -> None:
    columns = {
        "a": ("BOOLEAN", True, True),
        "b": ("HUGEINT", "170141183460469231731687303715884105", 170141183460469231731687303715884105),
        "c": ("DOUBLE", "-Infinity", float("-inf")),
        "d": ("DECIMAL(4,2)", "-1.50", pa.scalar("-1.50").cast(pa.decimal128(4, 2)).as_py()),
        "e": ("DATE", "0001-01-01", pa.scalar("0001-01-01").cast(pa.date32()).as_py()),
        "f": ("BLOB", "AAE=", b"\x00\x01"),
        "g": ("VARCHAR", "ß", "ß"),
    }
    schema = schema_of([(name, type_) for name, (type_, _, _) in columns.items()])
    batch = batch_of([[given for _, given, _ in columns.values()], [None] * len(columns)], schema)
    assert batch.to_pylist() == [{name: value for name, (_, _, value) in columns.items()}, dict.fromkeys(columns)]


def test_a_day_that_cannot_be_carried_is_told_without_its_value() -> None:
    with pytest.raises(EngineError, match="beyond what can be carried") as refused:
        batch_of([["+10000-01-01"]], schema_of([("d", "DATE")]))
    assert "10000" not in str(refused.value)
