"""TPC-H's 22 queries give the same answers on both engines, with and without hidden rows. Floats to nine digits."""

import re
from collections.abc import Iterator

import duckdb
import pytest

from mesh_defs.storage.extensions import load_extension
from tests.trino.both import DOMAIN, Both, both, comparable
from tests.trino_server import Trino

_TABLES = ("lineitem", "orders", "customer", "partsupp", "part", "supplier", "nation", "region")


@pytest.fixture(scope="module")
def tpch(trino: Trino, postgres_tcp_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with duckdb.connect() as connection:
        load_extension(connection, "tpch")
        connection.execute("CALL dbgen(sf=0.01)")
        with both(connection, trino, postgres_tcp_server, str(tmp_path_factory.mktemp("tpch"))) as made:
            yield made


def _query(connection: duckdb.DuckDBPyConnection, number: int) -> str:
    (text,) = connection.execute("SELECT query FROM tpch_queries() WHERE query_nr = ?", [number]).fetchone() or ("",)
    for name in _TABLES:
        text = re.sub(rf"\b(from|join|,)\s+{name}\b(?! *\.)", rf"\1 {DOMAIN}.{name}", text, flags=re.IGNORECASE)
    return text.strip().rstrip(";")


@pytest.mark.parametrize("rule", [None, "o_orderstatus = 'F'"], ids=["whole", "hiding"])
@pytest.mark.parametrize("number", range(1, 23))
def test_the_answers_are_equal(tpch: Both, number: int, rule: str | None) -> None:
    theirs, ours = tpch.answers(_query(tpch.connection, number), {f"{DOMAIN}.orders": rule} if rule else None)
    assert comparable(ours) == comparable(theirs)
    assert theirs or number in (2, 8, 16, 18, 20, 21)
