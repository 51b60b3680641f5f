"""Tokens beside the columns of a part, in every storage: kept, copied, and shown to no reader who does not ask for them."""

from typing import Any

import psycopg
import pytest

from mesh_defs.authoring.quarantine import split
from mesh_defs.model.version import Version, token_column
from mesh_defs.storage.manifest import document_of, part_of
from mesh_defs.storage.open import attach
from mesh_defs.upkeep.audit import audit
from mesh_defs.upkeep.carry import carry
from quality_checks import Expectation
from tests.factories import a_column, a_contract, not_null
from tests.storage.places import KINDS, a_place, postgres_place

KEY = {"email": "email:1a2b3c4d"}
SELECT = "SELECT i AS id, 'm' || i AS email, 't' || i AS __token_email FROM range(3) r(i)"
PLAIN = "SELECT i AS id, 'm' || i AS email FROM range(10, 12) r(i)"


@pytest.fixture
def tokenised(storage, connection) -> Any:
    def publish(select: str = SELECT, *, partition: str | None = None, tokens: Any = KEY) -> Version:
        candidate = storage.stage(connection, select, partition=partition, tokens=tokens)
        return storage.publish(candidate, stamp={"contract_version": "1.0.0"})

    return publish


def whole(storage, connection, parts, select: str = "*") -> list[tuple[Any, ...]]:
    relation = storage.relation(connection, parts, whole=True)
    try:
        return connection.execute(f"SELECT {select} FROM {relation} ORDER BY id").fetchall()
    finally:
        storage.release(connection, parts)


def pinned(place, connection, version: Version, *more: str) -> list[tuple[Any, ...]]:
    """What the engine's view can read: the contract's columns, and some of the tokens."""
    pin = place.storage().pin("events.x", version)
    columns = ", ".join((*pin.columns, *(pin.tokens[name] for name in more)))
    return connection.execute(f"SELECT {columns} FROM {attach(connection, pin, place.access)} ORDER BY id").fetchall()


def test_readers_of_parts_are_shown_the_promised_columns_alone(storage, connection, tokenised, rows) -> None:
    version = tokenised()
    assert dict(version.columns) == {"id": "BIGINT", "email": "VARCHAR"}
    assert rows(version.parts) == [(0, "m0"), (1, "m1"), (2, "m2")]
    assert whole(storage, connection, version.parts) == [(0, "m0", "t0"), (1, "m1", "t1"), (2, "m2", "t2")]


def test_a_pin_tells_where_the_tokens_are(place, storage, connection, tokenised) -> None:
    version = tokenised()
    assert version.tokens == KEY
    assert storage.pin("events.x", version).tokens == {"email": token_column("email")} == {"email": "__token_email"}
    assert place.storage().current() == version
    assert pinned(place, connection, version, "email") == [(0, "m0", "t0"), (1, "m1", "t1"), (2, "m2", "t2")]


def test_a_product_without_tokens_has_none_and_is_written_as_before(storage, published) -> None:
    version = published("SELECT 1 AS a")
    assert (version.tokens, storage.pin("events.x", version).tokens) == ({}, {})
    assert all("tokens" not in document_of(part) for part in version.parts)


@pytest.mark.parametrize("first", ["with", "without"])
def test_partitions_from_before_the_token_was_declared_can_be_read_with_the_others(
    place, storage, connection, tokenised, published, rows, first: str
) -> None:
    keys = ("a", "b") if first == "with" else ("b", "a")
    published(PLAIN, partition=keys[1])
    mixed = tokenised(partition=keys[0])
    expected = [(0, "m0"), (1, "m1"), (2, "m2"), (10, "m10"), (11, "m11")]
    assert sorted(rows(mixed.parts)) == expected
    assert mixed.tokens == {}
    assert pinned(place, connection, mixed) == expected
    full = tokenised(PLAIN.replace("AS email", "AS email, 't' || i AS __token_email"), partition=keys[1])
    assert full.tokens == KEY
    assert [row[2] for row in pinned(place, connection, full, "email")] == ["t0", "t1", "t2", "t10", "t11"]


def test_tokens_of_two_keys_are_not_offered_together(storage, tokenised) -> None:
    tokenised(partition="a")
    version = tokenised(partition="b", tokens={"email": "email:ffffffff"})
    assert version.tokens == {}
    assert storage.pin("events.x", version).tokens == {}


def test_quarantine_shows_no_token(storage, connection) -> None:
    storage.refuse(storage.stage(connection, SELECT, tokens=KEY), [{"check": "x"}])
    [refused] = storage.refused()
    assert refused.parts[0].tokens == KEY
    relation = storage.refused_relation(connection, refused)
    assert connection.execute(f"SELECT * FROM {relation} ORDER BY id").fetchall() == [(0, "m0"), (1, "m1"), (2, "m2")]
    storage.release(connection, refused.parts)


def test_checks_of_the_schema_do_not_see_tokens(storage, connection) -> None:
    count = Expectation(type="expect_table_column_count_to_equal", kwargs={"value": 2})
    match = Expectation(type="expect_table_columns_to_match_ordered_list", kwargs={"column_list": ["id", "email"]})
    unseen = Expectation(type="expect_column_to_exist", kwargs={"column": "__token_email"})
    columns = (a_column("id", type="BIGINT"), a_column("email"))
    contract = a_contract(columns=columns, expectations=(count, match, unseen, not_null("email")))
    parts = storage.stage(connection, SELECT, tokens=KEY).parts
    found = audit(connection, storage, parts, contract)
    assert [each.success for each in found] == [True, True, False, True], found


def test_good_rows_keep_their_tokens_and_bad_ones_lose_them(storage, connection, rows) -> None:
    bad = f"{SELECT} UNION ALL SELECT 3, NULL, NULL"
    columns = (a_column("id", type="BIGINT"), a_column("email"))
    contract = a_contract(columns=columns, expectations=(not_null("email"),), quarantine_fraction_max=0.5)
    candidate = storage.stage(connection, bad, tokens=KEY)
    apart = split(connection, storage, candidate, audit(connection, storage, candidate.parts, contract), contract, None)
    assert apart
    assert (apart.good.parts[0].tokens, dict(apart.good.columns)) == (KEY, dict(candidate.columns))
    assert [row[2] for row in whole(storage, connection, apart.good.parts)] == ["t0", "t1", "t2"]
    assert apart.bad.parts[0].tokens == {}
    assert "__token_email" not in apart.bad.columns


@pytest.mark.parametrize("target", KINDS)
def test_a_copy_elsewhere_has_the_same_tokens(storage, connection, tokenised, tmp_path, request, target) -> None:
    before = tokenised()
    elsewhere = a_place(target, tmp_path / "elsewhere", request.getfixturevalue)
    assert carry(storage, elsewhere.storage, connection, lambda version: None) == 1
    after = elsewhere.storage().current()
    assert after
    assert (after.tokens, dict(after.columns)) == (KEY, dict(before.columns))
    assert whole(elsewhere.storage(), connection, after.parts) == whole(storage, connection, before.parts)


@pytest.mark.parametrize("tokens", ["email", ["email"], None, 7])
def test_a_part_whose_tokens_are_no_mapping_is_not_believed(tokens: object) -> None:
    with pytest.raises(ValueError):
        part_of({"path": "parts/a/0.parquet", "rows": 1, "bytes": 1, "partition": None, "tokens": tokens})


def test_postgres_views_show_no_token(postgres: str, connection) -> None:
    place = postgres_place(postgres)
    place.storage().publish(place.storage().stage(connection, SELECT, tokens=KEY), stamp={"contract_version": "1.0.0"})
    with psycopg.connect(postgres) as own:
        view = own.execute("SELECT * FROM impressions.v1 ORDER BY 1")
        assert [column.name for column in view.description or ()] == ["id", "email"]
        assert view.fetchall() == [(0, "m0"), (1, "m1"), (2, "m2")]
