"""The catalog on disk: whole or refused, and never of an earlier generation."""

import json
import multiprocessing
import os
import threading
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.documents.snapshot import (
    FORMAT,
    dump_product,
    dump_section,
    load_snapshot,
    parse_product,
    parse_section,
    store_snapshot,
    writing,
)
from mesh_defs.errors import StorageError
from mesh_defs.model.access import AccessRules, Grant, Mask, PolicyTest, Principal, Requestable
from mesh_defs.model.contract import Asks, Server, ServiceLevel
from mesh_defs.model.expected import Expected
from mesh_defs.model.mesh import Section
from mesh_defs.model.partition import Partitioning
from quality_checks import Expectation
from tests.factories import a_column, a_contract, a_domain, a_grant, a_product, a_section

FULL = a_section(
    a_domain(file="domains/audiences/domain.yaml"),
    a_product(
        a_contract(
            grain=("person_id", "day"),
            columns=(
                a_column(
                    "person_id",
                    description="“Wer?” — ∑ 🙂",
                    required=True,
                    unique=True,
                    primary_key=True,
                    classification="restricted",
                    identifies="person",
                    sources=("a.b.c",),
                    physical_name="Person ID",
                    samples=True,
                    token="email",
                ),
            ),
            servers=(Server(environment="local", kind="duckdb", place="a/b"),),
            expectations=(
                Expectation(
                    type="expect_x",
                    kwargs={"column": "a", "n": 1, "f": 0.1, "set": ["x", None, True], "deep": {"k": [1]}},
                    severity="warning",
                    meta={"name": "n", "description": "d"},
                ),
            ),
            service_level=ServiceLevel(freshness_hours_max=1.5, schedule="0 5 * * *", retention_seconds=86_400),
            partitioning=Partitioning(
                column="day", start=date(2026, 11, 1), end=date(2026, 12, 1), lookback_days={"a.b": 6}
            ),
            external=True,
            purpose="measurement",
            republishes="because",
            quarantine_fraction_max=0.01,
            asks=Asks(room="spring", products=("retailer.orders",)),
            tags={"origin": "real"},
        ),
        inputs=("a.b", "c.d"),
        made_with="python",
    ),
    access=(
        AccessRules(
            product="audiences.persons",
            grants=(
                a_grant(
                    to="service:events",
                    roles=("analyst",),
                    expires=date(2027, 12, 31),
                    until=datetime(2027, 1, 1, tzinfo=UTC),
                    rows="region = 'EU'",
                    masks={"person_id": Mask(kind="truncate", value=3, unless=("planning",))},
                    columns=("region",),
                ),
            ),
            requestable=(
                Requestable(
                    id="r",
                    product="audiences.persons",
                    principals=("ada",),
                    roles=("analyst",),
                    purposes=("planning",),
                    days_max=30,
                    instant=True,
                    rows="region = 'EU'",
                    masks={"region": Mask(kind="constant", value="?")},
                    columns=("region",),
                ),
            ),
            tests=(
                PolicyTest(
                    product="audiences.persons",
                    name="t",
                    principal=Principal(name="ada", roles=("analyst",), title="t", attributes={"regions": ("EU",)}),
                    purpose="planning",
                    given=({"region": "EU"},),
                    expected=({"region": "?"},),
                    where="x",
                ),
            ),
        ),
    ),
    error="does not import",
    expects=(
        Expected(
            consumer="audiences",
            product="events.impressions",
            purpose="measurement",
            expectations=(Expectation(type="expect_x", kwargs={"other_table_name": "a.b"}, severity="warning"),),
            file="domains/audiences/expects/x.expects.yaml",
        ),
    ),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog" / "snapshot.json"


def store(file: Path, *sections: Section, previous: int = 0) -> int:
    with writing(file):
        return store_snapshot(file, sections, previous=previous).generation


def test_there_is_none_before_the_first(file: Path) -> None:
    assert load_snapshot(file) is None


def test_what_was_stored_is_loaded(file: Path) -> None:
    with writing(file):
        stored = store_snapshot(file, (FULL, a_section()), previous=0)
    assert load_snapshot(file) == stored
    assert stored.generation == 1
    assert stored.sections == (FULL, a_section())


def test_the_example_says_everything_that_can_be_said() -> None:
    """A new field of the model must be in the round trip too: no field of FULL may have its default."""
    bare = a_contract(columns=(a_column(),))
    for whole, default in (
        (FULL.products[0].contract, replace(bare, file="")),
        (FULL.products[0].contract.columns[0], a_column()),
        (FULL.products[0].contract.expectations[0], Expectation(type="x", kwargs={})),
        (FULL.products[0].contract.service_level, ServiceLevel()),
        (FULL.access[0].grants[0], Grant(id="other", product="x", purposes=())),
        (FULL.access[0].requestable[0], Requestable(id="other", product="x", purposes=(), days_max=1)),
        (FULL, replace(a_section(), location="", domain=None, fingerprint="", hash="", loaded_at=datetime.min)),
    ):
        assert is_dataclass(whole)
        same = {each.name for each in fields(whole) if getattr(whole, each.name) == getattr(default, each.name)}
        assert same <= {"product", "id", "version", "status", "description", "owner", "granularity", "name", "type"} | {
            "logical_type"
        }


def test_a_product_crosses_as_metadata_and_a_section_as_bytes() -> None:
    dumped = dump_product(FULL.products[0])
    assert parse_product(json.loads(json.dumps(dumped))) == FULL.products[0]
    assert parse_section(dump_section(FULL)) == FULL


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(
    kwargs=st.dictionaries(TEXT, JSON, max_size=3),
    words=TEXT,
    tags=st.dictionaries(TEXT, TEXT, max_size=2),
    expires=st.none() | st.dates(),
    loaded_at=st.datetimes(timezones=st.just(UTC)),
)
def test_any_section_survives_the_round_trip(kwargs, words, tags, expires, loaded_at) -> None:
    contract = a_contract(
        description=words, tags=tags, expectations=(Expectation(type="t", kwargs=kwargs, meta={"description": words}),)
    )
    access = (AccessRules(product="a.b", grants=(a_grant(expires=expires),)),)
    section = a_section(a_domain(title=words), a_product(contract), loaded_at=loaded_at, access=access, error=words)
    assert parse_section(dump_section(section)) == section


def test_an_asset_of_another_platform_is_told() -> None:
    with pytest.raises(StorageError, match="mesh/product"):
        parse_product({"contract": {}})


def test_the_generation_grows_by_one(file: Path) -> None:
    assert [store(file, previous=number) for number in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("damage", ["deleted", "torn", "empty", "other format", "count lost"])
def test_the_generation_grows_whatever_became_of_the_last(file: Path, damage: str) -> None:
    for number in range(4):
        store(file, FULL, previous=number)
    if damage == "deleted":
        file.unlink()
    elif damage == "count lost":
        file.with_suffix(".generation").write_text("?")
    else:
        file.write_bytes({"torn": file.read_bytes()[:200], "empty": b"", "other format": b'{"format": 99}'}[damage])
    assert store(file, FULL, previous=4 if damage == "count lost" else 0) == 5


def test_a_caller_that_knows_of_a_later_generation_is_believed(file: Path) -> None:
    assert store(file, previous=41) == 42
    assert store(file, previous=0) == 43


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\x00" * 64,
        b"\xff\xfe",
        b'{"format": 2}',
        b"[" * 100_000,
        b'{"format": 2, "generation": 1}',
    ],
    ids=str,
)
def test_a_damaged_file_is_refused_with_the_mend(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged — run `mesh refresh --catalog`") as caught:
        load_snapshot(file)
    assert caught.value.where == str(file)


def test_a_file_cut_anywhere_is_refused(file: Path) -> None:
    store(file, FULL)
    whole = file.read_bytes()
    for length in range(0, len(whole), 97):
        file.write_bytes(whole[:length])
        with pytest.raises(StorageError):
            load_snapshot(file)


@pytest.mark.parametrize("format", ["1", "0", '"two"', "[1]"])
def test_another_format_is_told_as_such(file: Path, format: str) -> None:
    store(file, FULL)
    file.write_text(file.read_text().replace(f'"format": {FORMAT}', f'"format": {format}'))
    with pytest.raises(StorageError, match=r"has format .*, this platform reads 2 — run `mesh refresh --catalog`"):
        load_snapshot(file)


def test_a_format_of_the_future_is_told_though_its_fields_are_strange(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"format": 7, "sektionen": []}')
    with pytest.raises(StorageError, match="has format 7"):
        load_snapshot(file)


def test_what_is_no_file_is_told(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(StorageError, match="unreadable"):
        load_snapshot(file)
    with pytest.raises(StorageError, match="could not be written"):
        store(file, FULL)
    assert [each.name for each in file.parent.iterdir() if each.suffix == ".tmp"] == []


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="MESH_HOME"), writing(tmp_path / "taken" / "snapshot.json"):
        pass


def test_a_failure_while_writing_leaves_the_last_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(file, FULL)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        store(file, a_section(), previous=1)
    snapshot = load_snapshot(file)
    assert snapshot is not None
    assert snapshot.sections == (FULL,)


def test_only_one_thread_writes_at_a_time(file: Path) -> None:
    seen: list[int] = []

    def build() -> None:
        with writing(file):
            before = load_snapshot(file)
            seen.append(store_snapshot(file, (FULL,), previous=before.generation if before else 0).generation)

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == list(range(1, 9))


def _build_often(file: Path) -> None:
    for _ in range(10):
        with writing(file):
            before = load_snapshot(file)
            store_snapshot(file, (FULL,), previous=before.generation if before else 0)


def test_several_processes_write_one_after_the_other_and_readers_never_see_half(file: Path) -> None:
    processes = [multiprocessing.get_context("fork").Process(target=_build_often, args=(file,)) for _ in range(3)]
    for process in processes:
        process.start()
    generations = []
    while any(process.is_alive() for process in processes):
        snapshot = load_snapshot(file)
        generations.append(snapshot.generation if snapshot else 0)
    for process in processes:
        process.join()
    assert generations == sorted(generations)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    snapshot = load_snapshot(file)
    assert snapshot is not None
    assert snapshot.generation == 30


def _die_holding(file: Path) -> None:
    with writing(file):
        os._exit(1)


def test_a_writer_that_dies_leaves_no_lock(file: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_die_holding, args=(file,))
    process.start()
    process.join()
    assert store(file, FULL) == 1
