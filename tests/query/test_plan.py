"""Which engine runs a query, and why."""

import pytest

from mesh_defs.errors import QueryRejectedError, UnreachableError
from mesh_defs.query.plan import choose
from tests.sql.world import a_pin

PINS = [a_pin("events.impressions"), a_pin("audiences.persons")]  # of one byte each
WHY = {"events.impressions": "a DuckDB file is read by one machine at a time"}


@pytest.mark.parametrize(
    ("unreached", "above", "engine", "because"),
    [
        (None, 0, "duckdb", "every product lies where the embedded engine reaches"),
        ({}, None, "duckdb", "every product lies where"),
        ({}, 2, "duckdb", "every product lies where"),
        ({}, 1, "trino", "the pinned versions have 2 bytes, more than query.trino_above_bytes (1)"),
        (WHY, 1, "duckdb", "but Trino does not reach events.impressions"),
    ],
)
def test_duckdb_runs_what_trino_need_not(
    unreached: dict[str, str] | None, above: int | None, engine: str, because: str
) -> None:
    plan = choose(None, PINS, unreached=unreached, above_bytes=above)
    assert plan.engine == engine
    assert because in plan.because


def test_who_asks_may_choose() -> None:
    for engine in ("duckdb", "trino"):
        assert choose(engine, PINS, unreached={}, above_bytes=None).engine == engine  # type: ignore[arg-type]
    with pytest.raises(UnreachableError, match=r"no Trino is known .* MESH_TRINO_URL"):
        choose("trino", PINS, unreached=None, above_bytes=None)
    with pytest.raises(QueryRejectedError, match=r"does not reach events.impressions: a DuckDB file .*--engine duckdb"):
        choose("trino", PINS, unreached=WHY, above_bytes=None)


def test_what_reads_no_product_is_duckdbs() -> None:
    plan = choose("trino", [], unreached={}, above_bytes=None)
    assert (plan.engine, plan.because) == ("duckdb", "it reads no product: there is nothing that lies elsewhere")
