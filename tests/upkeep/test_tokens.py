"""What a token is, what it is not, and that neither its key nor a value gets out while it is made."""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.errors import StorageError, TokenKeyError
from mesh_defs.upkeep.tokens import TokenKey, token_keys, tokenised
from tests.factories import a_column, a_contract
from tests.storage.places import storage_in

SECRET = bytes(range(32))
EMAIL = TokenKey(kind="email", secret=SECRET)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        yield connection


def token(value: str, key: TokenKey = EMAIL) -> str:
    found: str = key.tokens(pa.chunked_array([[value]], pa.string()))[0].as_py()
    return found


def made(connection: duckdb.DuckDBPyConnection, select: str, key: TokenKey = EMAIL) -> list[str | None]:
    with tokenised(connection, select, {"x": key}) as (with_tokens, _):
        return [row[0] for row in connection.execute(f"SELECT __token_x FROM ({with_tokens})").fetchall()]


def functions(connection: duckdb.DuckDBPyConnection) -> list[str]:
    query = "SELECT function_name FROM duckdb_functions() WHERE function_name LIKE 'token%'"
    return [row[0] for row in connection.execute(query).fetchall()]


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")), st.binary(min_size=32, max_size=32))
def test_it_is_the_first_half_of_an_hmac_of_kind_and_value(value: str, secret: bytes) -> None:
    whole = hmac.digest(secret, b"email\0" + value.encode(), "sha256").hex()
    assert token(value, TokenKey(kind="email", secret=secret)) == whole[:32]


def test_equal_values_have_equal_tokens_other_values_keys_and_kinds_have_others(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert made(connection, "SELECT unnest(['a', 'b', NULL, 'a', '']) AS x") == [
        *(token("a"), token("b"), None, token("a"), token("")),
    ]
    others = [TokenKey(kind="person", secret=SECRET), TokenKey(kind="email", secret=bytes(32))]
    assert len({token("a"), token("b"), token(""), *(token("a", other) for other in others)}) == 5


@pytest.mark.parametrize(
    "expressions",
    [
        ["'17'", "17::UTINYINT", "17::INTEGER", "17::BIGINT", "17::HUGEINT"],
        ["-5::SMALLINT", "'-5'"],
        ["'0f0e0d0c-0b0a-0908-0706-050403020100'", "'0F0E0D0C-0B0A-0908-0706-050403020100'::UUID"],
        ["170141183460469231731687303715884105727::HUGEINT", "'170141183460469231731687303715884105727'"],
    ],
)
def test_a_value_is_taken_by_its_text_whatever_its_type(
    connection: duckdb.DuckDBPyConnection, expressions: list[str]
) -> None:
    assert len({made(connection, f"SELECT {each} AS x")[0] for each in expressions}) == 1


def test_a_list_of_guesses_finds_no_token_without_the_key(connection: duckdb.DuckDBPyConnection) -> None:
    [found] = made(connection, "SELECT 'listener7@mail.example' AS x")
    value = b"listener7@mail.example"
    guessed = (b"", b"secret", b"email", b"0" * 32, bytes(32), b"\xff" * 32, SECRET.hex().encode(), SECRET[:31])
    tries = [hashlib.new(name, value).hexdigest() for name in ("md5", "sha1", "sha256", "blake2b")]
    tries += [
        hmac.digest(key, text, name).hex()
        for key in guessed
        for text in (value, b"email\0" + value)
        for name in ("sha256", "md5")
    ]
    tries += [hashlib.sha256(key + value).hexdigest() for key in guessed]
    assert found
    assert not [each for each in tries if found in each or each[:32] == found]


def test_many_rows_over_several_threads_get_the_tokens_of_their_values(connection: duckdb.DuckDBPyConnection) -> None:
    select = "SELECT i % 5000 AS n, CAST(i % 5000 AS VARCHAR) AS x FROM range(400_000) r(i)"
    with tokenised(connection, select, {"x": EMAIL}) as (with_tokens, _):
        pairs = connection.execute(f"SELECT DISTINCT n, __token_x FROM ({with_tokens})").fetchall()
    assert len(pairs) == 5000
    assert all(found == token(str(n)) for n, found in pairs)


def test_the_function_goes_when_the_tokens_are_made_and_no_text_of_sql_names_the_key(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    keys = {"x": EMAIL, "y": TokenKey(kind="person", secret=bytes(32))}
    with tokenised(connection, "SELECT 'a' AS x, 1 AS y", keys) as (select, ids):
        assert len(functions(connection)) == 2
        other = connection.cursor()
        with tokenised(other, "SELECT 'a' AS x", {"x": EMAIL}) as (again, _):
            assert connection.execute(select).fetchall() == [("a", 1, token("a"), token("1", keys["y"]))]
            assert other.execute(again).fetchall() == [("a", token("a"))]
    assert functions(connection) == []
    assert ids == {"x": EMAIL.id, "y": keys["y"].id}
    assert SECRET.hex() not in f"{select}{ids}{EMAIL!r}"
    with pytest.raises(duckdb.CatalogException):
        connection.execute(select)


def test_a_column_that_the_product_calls_as_a_token_cannot_stand_in_for_it(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Cut to the contract's columns, it never comes so far; if it did, nothing would be written."""
    forged = "SELECT 'a' AS x, 'forged' AS __token_x"
    with (
        tokenised(connection, forged, {"x": EMAIL}) as (select, ids),
        pytest.raises(StorageError, match="two columns of the SELECT are called '__token_x'"),
    ):
        storage_in("parquet", tmp_path / "x").stage(connection, select, tokens=ids)


@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
def test_what_fails_while_tokens_are_made_names_no_value(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: TokenKey, values: object) -> None:
        raise ValueError(f"{values} {self.secret.hex()}")

    monkeypatch.setattr(TokenKey, "tokens", fail)
    storage = storage_in(kind, tmp_path / "x")  # type: ignore[arg-type]
    with (
        pytest.raises(StorageError) as caught,
        tokenised(connection, "SELECT 'listener7' AS x", {"x": EMAIL}) as (select, ids),
    ):
        storage.stage(connection, select, tokens=ids)
    told = f"{caught.value} {caught.value.__cause__}"
    assert "listener7" not in told
    assert SECRET.hex() not in told
    assert functions(connection) == []
    assert not list((tmp_path / "x").rglob("*.parquet")) + list((tmp_path / "x").rglob("*.duckdb"))


@pytest.mark.parametrize("given", [None, "", "abc", "0" * 63, "0" * 65, "g" * 64, f"{'0' * 64}\n", " " + "0" * 64])
def test_without_a_proper_key_there_is_no_token_and_the_message_does_not_quote_it(given: str | None) -> None:
    contract = a_contract(columns=(a_column("x", token="email"), a_column("y")))
    with pytest.raises(TokenKeyError) as caught:
        token_keys(contract, lambda kind: given)
    assert "MESH_TOKENS_EMAIL" in caught.value.fix
    assert not given or given not in str(caught.value)


def test_the_keys_of_a_contract_are_those_of_its_kinds() -> None:
    contract = a_contract(columns=(a_column("x", token="email"), a_column("y"), a_column("z", token="person")))
    given = {"email": SECRET.hex(), "person": "AB" * 32}
    keys = token_keys(contract, given.get)
    assert (keys["x"], keys["z"].kind, set(keys)) == (EMAIL, "person", {"x", "z"})
    assert keys["x"].id == f"email:{hashlib.sha256(SECRET).hexdigest()[:8]}"
