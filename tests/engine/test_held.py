"""Where rows are hidden, a question comes to what it would come to if they were not there at all."""

from pathlib import Path

import duckdb
import pytest

from mesh_defs.engine import held as holding
from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.errors import EngineError, MeshError
from mesh_defs.model.access import RowRule, View
from mesh_defs.model.contract import Server
from mesh_defs.model.place import Access
from mesh_defs.model.version import Pin
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.rewrite import govern
from mesh_defs.storage.open import storage_at

EU = View(grant="g", rules=(RowRule(source="grant 'g'", text="region = 'EU'", bound="region = 'EU'"),))
# What the optimiser may evaluate before the rule: of a Parquet dictionary, inside the scan, or while it plans.
FAILING = [
    "SELECT count(*) FROM x.notes WHERE list_transform([note], lambda n: n::INTEGER)[1] = 5",
    "SELECT count(*) FROM x.notes WHERE note::INTEGER = 5",
    "SELECT sum(note::INTEGER) FROM x.notes",
    "SELECT count(*) FROM x.notes WHERE substring('a', amount) = 'b'",
    "SELECT count(*) FROM x.notes WHERE amount::TINYINT < 0",
    "SELECT count(*) FROM x.notes WHERE regexp_matches('a', note)",
    "SELECT max(epoch_ns(day)) FROM x.notes",
    "SELECT count(*) FROM x.notes a JOIN x.notes b ON a.note::INTEGER = b.id WHERE b.id < 9",
    "SELECT count(*) FROM (SELECT * FROM x.notes LIMIT 1000000) WHERE chr((amount + 70)::INTEGER) = 'A'",
]


def rows(hidden: str) -> str:
    """Visible rows are the same whatever is hidden."""
    return f"""SELECT i AS id, 'EU' AS region, '5' AS note, -5::BIGINT AS amount, DATE '2026-01-01' AS day FROM range(20_000) t(i)
        UNION ALL {hidden}"""


HARMLESS = "SELECT i, 'US', '5', -5, DATE '2026-01-01' FROM range(20_000) t(i)"
POISON = "SELECT i, 'US', '(HIDDEN' || i, 9999999999, DATE '5000-01-01' FROM range(20_000) t(i)"


@pytest.fixture(params=["parquet", "duckdb"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def outcome(kind: str, folder: Path, hidden: str, sql: str) -> object:
    access = Access(root=folder, variable="MESH_X")
    storage = storage_at(Server(environment="local", kind=kind, place="notes"), access)  # type: ignore[arg-type]
    with duckdb.connect() as connection:
        pin = storage.pin("x.notes", storage.publish(storage.stage(connection, rows(hidden)), stamp={}))
    return asked(pin, access, folder, sql)


def asked(pin: Pin, access: Access, folder: Path, sql: str) -> object:
    engine = DuckDBEngine(spill=folder / "spill", seconds_max=60, memory_bytes_max=2**30, access_of=lambda pin: access)
    try:
        batches = list(engine.run(govern(parse_select(sql), {"x.notes": pin}, {"x.notes": EU}), {}).batches())
        return [row for batch in batches for row in batch.to_pylist()]
    except MeshError as error:
        return type(error), str(error)
    finally:
        engine.close()


@pytest.mark.parametrize("sql", FAILING)
def test_no_failure_tells_of_a_hidden_row(kind: str, tmp_path: Path, sql: str) -> None:
    harmless = outcome(kind, tmp_path / "a", HARMLESS, sql)
    assert outcome(kind, tmp_path / "b", POISON, sql) == harmless
    assert isinstance(harmless, list)


DEAR = [
    "list_transform([region], lambda r: CASE WHEN r = 'US' THEN levenshtein(repeat(r, 2000), repeat('y', 2000000)) END) <> [7]",
    "len(range(CASE WHEN region = 'US' THEN 200000000 ELSE 1 END)) > 3",
]


@pytest.mark.parametrize("condition", DEAR)
def test_no_limit_tells_of_a_hidden_row(kind: str, tmp_path: Path, condition: str) -> None:
    """Each of these would take minutes, or gigabytes, on one hidden row."""
    sql = f"SELECT count(*) AS n FROM x.notes WHERE {condition}"
    assert isinstance(outcome(kind, tmp_path, HARMLESS, sql), list)


def test_a_failure_on_a_visible_row_is_told(kind: str, tmp_path: Path) -> None:
    sql = "SELECT sum(('x' || note)::INTEGER) FROM x.notes"
    told = outcome(kind, tmp_path / "a", HARMLESS, sql)
    assert isinstance(told, tuple)
    assert told[0] is EngineError
    assert outcome(kind, tmp_path / "b", POISON, sql) == told


def test_nothing_leaves_before_the_whole_is_known(kind: str, tmp_path: Path) -> None:
    """Rows first, a hidden failure afterwards: whoever counts the rows that came learns nothing."""
    sql = "SELECT id FROM range(300_000) r(id) UNION ALL SELECT list_transform([note], lambda n: n::INTEGER)[1] FROM x.notes"
    harmless = outcome(kind, tmp_path / "a", HARMLESS, sql)
    assert isinstance(harmless, list)
    assert len(harmless) == 320_000
    assert outcome(kind, tmp_path / "b", POISON, sql) == harmless


def test_a_large_answer_is_held_on_disk_and_comes_in_its_order(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "MEMORY_BYTES_MAX", 0)
    found = outcome(kind, tmp_path, HARMLESS, "SELECT id, repeat('x', 100) AS wide FROM x.notes ORDER BY id")
    assert isinstance(found, list)
    assert [row["id"] for row in found] == list(range(20_000))


def test_what_was_set_aside_is_gone_afterwards(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        guard = "SELECT 1 AS a"
        with holding.apart(connection, f"SELECT a FROM ({guard}) AS x", {guard: guard}) as seen:
            assert guard not in seen
            assert connection.execute(seen).fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)
