"""What goes wrong is told with the system's reason and a mend, and never with a value."""

import errno
import os
import resource
import signal
import traceback

import duckdb
import pytest

from mesh_defs.errors import StorageError
from mesh_defs.storage import durable
from mesh_defs.storage.open import allowed_paths, attach
from tests.storage.places import NOWHERE, storage_in

SECRET = "ada@example.com"
FAILING = {
    "cast": f"SELECT CAST(email AS INTEGER) AS email FROM (SELECT '{SECRET}' AS email FROM range(9))",
    "error()": f"SELECT error('{SECRET}' || range) AS email FROM range(9)",
    "json": f"SELECT json('{SECRET}' || range) AS email FROM range(9)",
    "date": f"SELECT strptime('{SECRET}' || range, '%Y') AS email FROM range(9)",
    "no table": "FROM nowhere",
    "not SQL": f"SELECT '{SECRET}' FROM FROM",
}


@pytest.mark.parametrize("select", FAILING.values(), ids=FAILING.keys())
def test_no_value_is_told_and_nothing_left_when_staging_fails(storage, connection, stored, select) -> None:
    with pytest.raises(StorageError) as caught:
        storage.stage(connection, select)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert SECRET not in told.replace(select, "")
    assert "Exception" in str(caught.value)
    assert caught.value.fix
    assert stored() == set()
    assert storage.stage(connection, "SELECT 1 AS a").rows == 1


def test_the_column_of_a_failed_cast_is_named(storage, connection) -> None:
    with pytest.raises(
        StorageError, match="could not be written: ConversionException in column 'email' — run its SELECT"
    ):
        storage.stage(connection, FAILING["cast"])


def test_only_a_known_column_is_named(storage, connection) -> None:
    inner = f'SELECT 1 AS n, CAST("{SECRET}" AS INTEGER) AS m FROM (SELECT \'x\' AS "{SECRET}" FROM range(9))'
    with pytest.raises(StorageError) as caught:
        storage.stage(connection, inner)
    assert SECRET not in str(caught.value)


def test_every_refusal_says_where(storage, connection, published, place) -> None:
    published("SELECT 1 AS a")
    for refused in (
        lambda: storage.stage(connection, "SELECT 1 AS a, 2 AS a"),
        lambda: published("SELECT 1 AS a", partition="mon"),
        lambda: storage.stage(connection, "FROM nowhere"),
    ):
        with pytest.raises(StorageError) as caught:
            refused()
        assert caught.value.where == place.where
        assert caught.value.fix


def test_a_number_too_large_is_not_rounded(storage, connection) -> None:
    select = "SELECT 170141183460469231731687303715884105727::HUGEINT AS n FROM range(2)"
    if storage.kind == "duckdb":
        assert storage.stage(connection, select).rows == 2
        return
    with pytest.raises(StorageError, match="ConversionException") as caught:
        storage.stage(connection, select)
    assert "1701411" not in str(caught.value)


def test_a_full_disk_is_told_and_leaves_nothing(storage, connection, published, stored, folder) -> None:
    """A limit on the file size stands in for a full disk: the write fails in the middle, inside DuckDB."""
    before, names = published("SELECT 1 AS a"), stored()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(StorageError, match="File too large — raise the limit"):
            storage.stage(connection, "SELECT random() AS a, random() AS b FROM range(1_000_000)")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (storage.current(), stored()) == (before, names)
    assert published("SELECT 2 AS a") == storage.current()


@pytest.mark.parametrize(("number", "fix"), [(errno.ENOSPC, "free some disk"), (errno.EROFS, "mount it writable")])
@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_a_disk_that_fails_while_publishing_changes_nothing(
    storage, connection, published, stored, folder, monkeypatch, number, fix, operation
) -> None:
    """Every write in turn fails; root ignores permissions, so a read-only place is played by its error."""
    before, attempts = published("SELECT 1 AS a"), 0
    real = getattr(os, operation)
    while True:
        candidate = storage.stage(connection, "SELECT 2 AS a")
        names, left = stored(), attempts

        def failing(*arguments):
            nonlocal left
            if left == 0:
                left = -1
                raise OSError(number, os.strerror(number))
            left -= 1
            return real(*arguments)

        monkeypatch.setattr(os, operation, failing)
        try:
            version = storage.publish(candidate, stamp={})
        except StorageError as error:
            assert os.strerror(number) in str(error)
            assert fix in str(error)
        else:
            break
        finally:
            monkeypatch.undo()
        flipped = storage.current().id == candidate.id  # it failed after the flip, waiting for the disk
        assert flipped or (storage.current() == before and stored() == names)
        storage.discard(candidate)
        assert storage.current() == (storage.versions()[0] if flipped else before)
        before, attempts = storage.current(), attempts + 1
    assert attempts >= 2
    assert storage.current() == version


def test_a_place_below_a_file_is_told(file_kind, tmp_path, connection) -> None:
    (tmp_path / "file").write_text("")
    storage = storage_in(file_kind, tmp_path / "file" / "place")
    with pytest.raises(StorageError, match=r"(File exists|Not a directory) — give the product a place that is a"):
        storage.stage(connection, "SELECT 1 AS a")
    with pytest.raises(StorageError, match="the pointer cannot be read: Not a directory"):
        storage.current()


def test_a_pointer_that_may_not_be_read_is_not_taken_for_damage(storage, published, folder, monkeypatch) -> None:
    published("SELECT 1 AS a")

    def denied(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(type(folder), "read_bytes", denied)
    with pytest.raises(StorageError, match="Permission denied — let the user that runs this"):
        storage.current()


def test_an_open_transaction_is_refused_before_its_rows_are_lost(storage, connection, stored) -> None:
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE source AS SELECT 1 AS a")
    if storage.kind in ("parquet", "s3", "iceberg"):
        assert storage.stage(connection, "FROM source").rows == 1
        return
    with pytest.raises(StorageError, match="TransactionException — commit or roll back"):
        storage.stage(connection, "FROM source")
    connection.execute("ROLLBACK")
    assert stored() == set()
    assert connection.execute("SELECT count(*) FROM duckdb_databases() WHERE path LIKE '%parts%'").fetchall() == [(0,)]


def test_an_interrupted_step_leaves_nothing(storage, connection, stored, folder, monkeypatch) -> None:
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(durable, "sync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        storage.stage(connection, "SELECT 1 AS a")
    assert stored() == set()


def test_a_lock_that_is_never_freed_is_told(storage, connection, folder, monkeypatch) -> None:
    candidate = storage.stage(connection, "SELECT 1 AS a")
    monkeypatch.setattr(durable, "LOCK_SECONDS_MAX", 0.0)
    with durable.locked(folder / "lock"), pytest.raises(StorageError, match="has held this lock for over 0 s"):
        storage.publish(candidate, stamp={})
    assert storage.publish(candidate, stamp={}) == storage.current()


def test_a_forked_child_does_not_keep_the_lock(tmp_path) -> None:
    with durable.locked(tmp_path / "lock"):
        child = os.fork()
        if child == 0:
            signal.pause()
    try:
        with durable.locked(tmp_path / "lock"):
            pass
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_locked_duckdb_reads_a_pin_and_nothing_else(file_kind, tmp_path, connection) -> None:
    storage = storage_in(file_kind, tmp_path / "a*[b]" / "p")
    version = storage.publish(storage.stage(connection, "SELECT 1 AS a"), stamp={})
    other = storage.stage(connection, "SELECT 2 AS a")
    pin = storage.pin("a.b", version)
    with duckdb.connect() as engine:
        engine.execute(f"CREATE VIEW {pin.relation} AS SELECT * FROM {attach(engine, pin, NOWHERE)}")
        engine.execute("SET allowed_paths = $paths", {"paths": list(allowed_paths(pin))})
        engine.execute("SET enable_external_access = false")
        engine.execute("SET lock_configuration = true")
        assert engine.execute(f"FROM {pin.relation}").fetchall() == [(1,)]
        with pytest.raises((duckdb.PermissionException, StorageError)):
            engine.execute(f"FROM {storage.relation(engine, other.parts)}")
