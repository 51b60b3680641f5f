"""What lies in quarantine is looked at by its owner alone, and comes out only as its contract promises."""

import io
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import duckdb
import pytest

from mesh_defs.cli.render import as_json, print_table
from mesh_defs.errors import AccessDeniedError, DeclarationError, MeshError, NotFoundError, StorageError
from mesh_defs.ledger import Ledger
from mesh_defs.model.place import S3Access
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.refresh.instance import open_instance
from mesh_defs.refresh.released import record_release
from mesh_defs.settings import Settings, load_settings
from mesh_defs.upkeep.erased import add_erased
from mesh_defs.upkeep.quarantined import Custody, Shown, show
from mesh_defs.upkeep.release import release
from mesh_defs.upkeep.sweep import sweep
from tests.factories import NOW, a_column
from tests.held import (  # noqa: F401
    KNOWN,
    NAME,
    ONE_BAD,
    OWNER,
    batch,
    batch_template,
    connection,
    custody,
    either,
    left_out,
    let_go,
    mended,
    noted,
    persons,
    refused,
    rows_template,
    seen,
    storage_of,
)
from tests.meshes import DAY, HITS, PEOPLE, SERVERS, contract, refresh, rows, settings_of, sql

Connection = duckdb.DuckDBPyConnection
NEWER = "SELECT n AS person_id, 'north' AS region FROM range(21, 41) AS numbers(n)"


def look(held: Custody, **how: object) -> Shown:
    given = {"principal": OWNER, "limit": None, **how}
    return show(held, held.storage.refused()[0].id, **given)  # type: ignore[arg-type]


def publish(settings: Settings, connection: Connection, select: str) -> None:  # noqa: F811
    storage = storage_of(settings)
    current = storage.current()
    storage.publish(storage.stage(connection, select), stamp=current.stamp if current else {})


def refuse(settings: Settings, connection: Connection, select: str) -> str:  # noqa: F811
    storage = storage_of(settings)
    candidate = storage.stage(connection, select)
    storage.refuse(candidate, [{"check": "known"}], {"code_version": "1", "read": {}})
    return candidate.id


def test_a_batch_is_released_once_its_contract_was_mended(batch: Settings, connection: Connection) -> None:  # noqa: F811
    held, [before] = mended(batch, connection), refused(batch)
    done = let_go(held)
    assert done.version
    assert seen(batch) == (11, 1)
    assert (refused(batch), noted(batch)) == ((), ["quarantine_released"])
    assert done.version.stamp["contract_version"] == "2.0.0"
    assert done.version.stamp["code_version"] == before.about["code_version"] != ""
    assert done.version.stamp["released"]["id"] == before.id
    assert all(check["passed"] for check in done.version.stamp["checks"])
    with pytest.raises(NotFoundError, match=f"{before.id} was released before, as version {done.version.id}"):
        release(held, before.id)
    assert noted(batch) == ["quarantine_released"]


def test_a_first_batch_is_released_where_nothing_was_published(batch: Settings, connection: Connection) -> None:  # noqa: F811
    place = batch.home / "storage/people/persons"
    for path in (place / "manifest.json", *(place / "history").iterdir()):
        path.unlink()
    assert let_go(mended(batch, connection)).version
    assert seen(batch) == (11, 1)


def test_what_still_fails_stays_and_is_told(batch: Settings, connection: Connection) -> None:  # noqa: F811
    before = storage_of(batch).versions()
    done = let_go(custody(batch, connection))
    told = "it does not pass the contract as it is today: known (1 rows are not as promised)"
    assert (done.version, done.told) == (None, told)
    assert (seen(batch), storage_of(batch).versions(), len(refused(batch))) == ((10, 0), before, 1)
    assert noted(batch) == ["quarantine_kept"]
    assert len(list((batch.home / "storage/people/persons/parts").iterdir())) == 1


def test_rows_that_were_left_out_are_added_to_their_version(left_out: Settings, connection: Connection) -> None:  # noqa: F811
    assert not let_go(custody(left_out, connection)).version
    done = let_go(mended(left_out, connection))
    assert done.version
    assert (seen(left_out), refused(left_out)) == ((11, 1), ())
    assert list(done.version.columns) == ["person_id", "region"]


def test_together_with_what_is_there_they_must_pass(left_out: Settings, connection: Connection) -> None:  # noqa: F811
    """By itself the row is as promised now; among the others it repeats a key."""
    storage, [held] = storage_of(left_out), refused(left_out)
    twin = storage.stage(connection, "SELECT 1::BIGINT AS person_id, 'west' AS region, 'known' AS quarantine_reasons")
    storage.refuse(twin, [{"check": "known"}], held.about)
    done = release(mended(left_out, connection), twin.id)
    assert (done.version, "unique__person_id (2 rows" in done.told) == (None, True)
    assert seen(left_out) == (10, 0)


def test_newer_data_is_not_replaced_unless_told_so(batch: Settings, connection: Connection) -> None:  # noqa: F811
    publish(batch, connection, NEWER)
    done = let_go(mended(batch, connection))
    assert (done.version, done.told) == (None, "readers have newer data than this batch — replace it with --over-newer")
    assert seen(batch) == (20, 0)
    assert let_go(mended(batch, connection), over_newer=True).version
    assert seen(batch) == (11, 1)


def test_rows_are_not_added_to_another_version_unless_told_so(left_out: Settings, connection: Connection) -> None:  # noqa: F811
    publish(left_out, connection, NEWER)
    done = let_go(mended(left_out, connection))
    assert (done.version, "readers have another — add them with --over-newer" in done.told) == (None, True)
    assert let_go(mended(left_out, connection), over_newer=True).version
    assert seen(left_out) == (21, 1)


def test_rows_are_added_to_nothing_where_nothing_is_published(left_out: Settings, connection: Connection) -> None:  # noqa: F811
    place = left_out.home / "storage/people/persons"
    for path in (place / "manifest.json", *(place / "history").iterdir()):
        path.unlink()
    done = let_go(mended(left_out, connection), over_newer=True)
    assert (done.version, "nothing is published" in done.told) == (None, True)


def test_batches_are_released_in_the_order_of_their_data(batch: Settings, connection: Connection) -> None:  # noqa: F811
    first = refused(batch)[0].id
    second = refuse(batch, connection, f"{ONE_BAD} UNION ALL SELECT 12, 'west'")
    third = refuse(batch, connection, f"{ONE_BAD} UNION ALL SELECT 12, 'west' UNION ALL SELECT 13, 'west'")
    held = mended(batch, connection)
    assert release(held, first).version
    assert release(held, third).version
    assert "newer data" in release(held, second).told
    assert seen(batch) == (13, 3)


def test_a_crash_after_the_flip_is_no_second_release(
    batch: Settings,  # noqa: F811
    connection: Connection,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> bool:
        raise StorageError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr("mesh_defs.storage.local.LocalStorage.drop_refused", fails)
        assert let_go(mended(batch, connection)).version
    assert len(refused(batch)) == 1
    with pytest.raises(NotFoundError, match="was released before"):
        let_go(mended(batch, connection))
    assert seen(batch) == (11, 1)


def test_a_publication_that_fails_is_on_record_and_leaves_nothing(
    batch: Settings,  # noqa: F811
    connection: Connection,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("mesh_defs.storage.local.LocalStorage.publish", fails)
        with pytest.raises(StorageError, match="the disk is full"):
            let_go(mended(batch, connection))
    assert [entry.kind for entry in Ledger(batch.ledger_url).entries(limit=2)] == ["failed", "quarantine_released"]
    assert (len(refused(batch)), seen(batch)) == (1, (10, 0))
    assert len(list((batch.home / "storage/people/persons/parts").iterdir())) == 1
    assert let_go(mended(batch, connection)).version


def test_releases_at_once_publish_once(batch: Settings) -> None:  # noqa: F811
    id, told = refused(batch)[0].id, list[str]()

    def one() -> None:
        with duckdb.connect() as own:
            try:
                told.append(str(release(mended(batch, own), id).version is not None))
            except MeshError as error:
                told.append(error.code)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(told) == ["True", "not-found", "not-found", "not-found"]
    assert len(storage_of(batch).versions()) == 2


def test_a_contract_that_breaks_readers_releases_nothing_without_a_major_version(
    either: Settings,  # noqa: F811
    connection: Connection,  # noqa: F811
) -> None:
    held = mended(either, connection)
    held = replace(held, product=replace(held.product, contract=replace(held.product.contract, version="1.0.1")))
    with pytest.raises(DeclarationError, match=r"version: 2\.0\.0"):
        let_go(held)
    assert seen(either) == (10, 0)


def test_what_lacks_a_column_of_today_is_told(either: Settings, connection: Connection) -> None:  # noqa: F811
    held = mended(either, connection)
    wider = replace(held.product.contract, columns=(*held.product.contract.columns, a_column("age")))
    with pytest.raises(StorageError, match="lack age, which the contract promises today — re-materialize"):
        let_go(replace(held, product=replace(held.product, contract=wider)))
    assert seen(either) == (10, 0)


def test_an_erased_person_comes_back_by_no_release(either: Settings, connection: Connection) -> None:  # noqa: F811
    add_erased(either.home, "11", now=NOW)
    assert not [row for row in look(mended(either, connection)).rows if row[0] == 11]
    assert let_go(mended(either, connection)).version
    assert seen(either) == (10, 0)


def test_dagster_is_told_of_a_release(batch: Settings, connection: Connection) -> None:  # noqa: F811
    done = let_go(mended(batch, connection))
    assert done.version
    record_release(batch, done)
    key = dg.AssetKey(["people", "persons"])
    with open_instance(batch) as instance:
        event = instance.get_latest_materialization_event(key)
        assert event
        assert event.asset_materialization
        metadata = event.asset_materialization.metadata
        assert (metadata["mesh/version"].value, metadata["mesh/released"].value) == (done.version.id, done.refused.id)
        history = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(key, "known"), limit=1)
        assert history[0].event
        assert history[0].event.asset_check_evaluation
        assert history[0].event.asset_check_evaluation.passed


# A partition

DAYS = "SELECT $window_start AS day, {hits} AS hits"
FEW = KNOWN.replace("known", "few").replace("expect_column_values_to_be_in_set", "expect_column_values_to_be_between")
FEW = FEW.replace("column: region, value_set: [north, south]", "column: hits, max_value: 9")


def hits(select: str, quality: str = FEW, version: str = "1.0.0") -> dict[str, str]:
    cut = ("{property: partitions, value: {start: '2026-11-01', end: '2026-11-03'}}", "{property: grain, value: [day]}")
    told = {"columns": (DAY, HITS), "granularity": "aggregate", "custom": cut, "version": version}
    return {**contract("people.hits", quality=(quality,), **told), **sql("hits", select)}  # type: ignore[arg-type]


def test_a_partition_is_released_beside_the_others(tmp_path: Path, connection: Connection) -> None:  # noqa: F811
    settings = settings_of(tmp_path / "mesh", {"people": hits(DAYS.format(hits=1))})
    assert refresh(settings)["people.hits"].state == "published"
    (settings.root / "domains/people/products/hits.sql").write_text(DAYS.format(hits=10))
    refresh(settings)
    held = custody(settings, connection, "people.hits")
    assert [each.partition for each in held.storage.refused()] == ["2026-11-02"]
    rules = held.product.contract.expectations
    wider = [replace(each, kwargs={**each.kwargs, "max_value": 10}) if each.name == "few" else each for each in rules]
    mended_contract = replace(held.product.contract, expectations=tuple(wider), version="2.0.0")
    whole = replace(mended_contract, partitioning=None)
    assert "cut otherwise" in let_go(replace(held, product=replace(held.product, contract=whole))).told
    # Another day is published meanwhile: newer data, but not of the day that is released.
    other = "SELECT DATE '2026-11-01' AS day, 3::BIGINT AS hits"
    storage = held.storage
    storage.publish(storage.stage(connection, other, partition="2026-11-01"), stamp={})
    done = let_go(replace(held, product=replace(held.product, contract=mended_contract)))
    assert done.version, done.told
    assert rows(settings, "SELECT hits FROM people.hits ORDER BY day", who=OWNER) == [(3,), (10,)]
    record_release(settings, done)
    with open_instance(settings) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["people", "hits"]))
        assert event
        assert event.asset_materialization
        assert event.asset_materialization.partition == "2026-11-02"


# Looking


def test_the_owner_sees_rows_and_reasons_and_is_on_record(left_out: Settings, connection: Connection) -> None:  # noqa: F811
    shown = look(custody(left_out, connection))
    assert shown.columns == ("person_id", "region", "quarantine_reasons")
    assert (shown.rows, shown.hidden) == ([(11, "‹confidential›", "known")], ("region",))
    [entry] = Ledger(left_out.ledger_url).entries(kind="quarantine_shown")
    assert entry.body == {
        "principal": OWNER,
        "product": NAME,
        "id": shown.refused.id,
        "columns": ["person_id"],
        "rows_max": None,
        "unmasked": False,
    }


def test_unmasked_values_are_shown_on_record(left_out: Settings, connection: Connection) -> None:  # noqa: F811
    assert look(custody(left_out, connection), unmasked=True).rows == [(11, "west", "known")]
    [entry] = Ledger(left_out.ledger_url).entries(kind="quarantine_shown")
    assert (entry.body["unmasked"], entry.body["columns"]) == (True, ["person_id", "region"])
    assert "west" not in str(entry)


def test_a_column_that_the_contract_no_longer_knows_is_masked(left_out: Settings, connection: Connection) -> None:  # noqa: F811
    held = custody(left_out, connection)
    forgetful = replace(held.product.contract, columns=held.product.contract.columns[:1])
    shown = look(replace(held, product=replace(held.product, contract=forgetful)))
    assert shown.rows == [(11, "‹unclassified›", "known")]


def test_without_samples_in_the_contract_only_the_reasons_are_shown(left_out: Settings, connection: Connection) -> None:  # noqa: F811
    held = custody(left_out, connection)
    columns = tuple(replace(each, samples=False) for each in held.product.contract.columns)
    shown = look(replace(held, product=replace(held.product, contract=replace(held.product.contract, columns=columns))))
    assert shown.rows == [("‹no samples›", "‹confidential›", "known")]


def test_a_batch_is_shown_up_to_the_limit(batch: Settings, connection: Connection) -> None:  # noqa: F811
    assert len(look(custody(batch, connection), limit=3).rows) == 3
    assert len(look(custody(batch, connection)).rows) == 11


ODD = (
    "'infinity'::TIMESTAMP, '-infinity'::DATE, 'nan'::DOUBLE, uuid(), {'a': ['\\x1b[31m']}, 'x'::BLOB,"
    " 12345678901234567890::DECIMAL(38,0), 0.1::DECIMAL(9,2), [DATE 'infinity'], TIME '10:00', true, NULL"
)


def test_whatever_a_bad_row_holds_can_be_shown(batch: Settings, connection: Connection) -> None:  # noqa: F811
    """Python has no such dates, JSON no such numbers."""
    storage = storage_of(batch)
    odd = storage.stage(connection, f"SELECT * FROM (VALUES ({ODD}))")
    storage.refuse(odd, [])
    shown = show(custody(batch, connection), odd.id, principal=OWNER, limit=None, unmasked=True)
    assert json.loads(json.dumps(shown.rows, default=as_json, allow_nan=False))[0][:3] == [
        "infinity",
        "-infinity",
        "nan",
    ]
    print_table(shown.columns, shown.rows, file=io.StringIO())


@pytest.mark.parametrize("who", [None, "ada", "grace", "service:shop", "service:", "SERVICE:people", " service:people"])
def test_nobody_else_sees_or_releases_anything(left_out: Settings, connection: Connection, who: str | None) -> None:  # noqa: F811
    with pytest.raises(AccessDeniedError, match=r"not see or release .* --as service:people"):
        look(custody(left_out, connection), principal=who)
    if who:
        with pytest.raises(AccessDeniedError):
            let_go(mended(left_out, connection), principal=who)
    assert set(noted(left_out)) == {"quarantine_denied"}


def test_nothing_is_shown_or_released_when_it_cannot_be_recorded(
    batch: Settings,  # noqa: F811
    connection: Connection,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("the ledger could not be written")

    held = mended(batch, connection)
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append", full)
        acts: tuple[Callable[[Custody], object], ...] = (look, let_go)
        for act in acts:
            with pytest.raises(StorageError, match="the ledger"):
                act(held)
    assert seen(batch) == (10, 0)


def test_what_was_swept_cannot_be_released(batch: Settings, connection: Connection) -> None:  # noqa: F811
    held, id = mended(batch, connection), refused(batch)[0].id
    sweep(held.product, held.mesh.standards, batch, now=datetime.now(UTC) + timedelta(days=30))
    with pytest.raises(NotFoundError, match="nothing called"):
        release(held, id)


@pytest.mark.parametrize("id", ["", "x", "../parts", "20260101T000000000000Z-00000000"])
def test_an_id_that_is_none_is_not_found(left_out: Settings, connection: Connection, id: str) -> None:  # noqa: F811
    held = custody(left_out, connection)
    for act in (lambda: show(held, id, principal=OWNER, limit=1), lambda: release(held, id)):
        with pytest.raises(NotFoundError, match="in quarantine"):
            act()


def test_a_partners_quarantine_is_the_partners(left_out: Settings, connection: Connection) -> None:  # noqa: F811
    held = custody(left_out, connection)
    standards = replace(held.mesh.standards, organisation="Others")
    with pytest.raises(AccessDeniedError, match="'s — ask"):
        look(replace(held, mesh=replace(held.mesh, standards=standards)))


@pytest.mark.parametrize("kind", ["postgres", "s3"])
def test_works_in_servers_too(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    connection: Connection,  # noqa: F811
    postgres: str,
    s3_server: S3Access,
    bucket: str,
    kind: str,
) -> None:
    scheme, _, host = str(s3_server.endpoint).partition("://")
    monkeypatch.setenv("MESH_PEOPLE_POSTGRES", postgres)
    monkeypatch.setenv("MESH_PEOPLE_S3", f"{scheme}://{s3_server.key}:{quote(str(s3_server.secret))}@{host}")
    server = {
        "postgres": "{server: local, environment: local, type: postgres, schema: persons}",
        "s3": f"{{server: local, environment: local, type: s3, location: 's3://{bucket}/persons', format: parquet}}",
    }[kind]
    files = persons(ONE_BAD, cap=0.1)
    files = {path: text.replace(SERVERS["parquet"].format(name="persons"), server) for path, text in files.items()}
    monkeypatch.setenv("MESH_ROOT", str(settings_of(tmp_path / "mesh", {"people": files}).root))
    settings = load_settings()
    assert refresh(settings)[NAME].state == "published"
    assert look(custody(settings, connection)).rows == [(11, "‹confidential›", "known")]
    assert not let_go(custody(settings, connection)).version
    assert let_go(mended(settings, connection)).version
    assert (seen(settings), refused(settings)) == ((11, 1), ())
    refuse(settings, connection, f"{PEOPLE} UNION ALL SELECT 11, 'west' UNION ALL SELECT 12, 'west'")
    assert let_go(mended(settings, connection)).version
    assert (seen(settings), refused(settings)) == ((12, 2), ())
    assert open_storage(open_mesh(settings).products[NAME], settings).sweep(datetime.now(UTC), 3600) == ()
