"""Figures of a relation, as drift watches them."""

import duckdb
import pytest

from quality_checks import QualityError
from quality_checks.figures import figures_of


def test_each_column_has_its_figures_and_nan_is_missing(connection: duckdb.DuckDBPyConnection) -> None:
    relation = "(VALUES (1, 'nan'::DOUBLE, 'a', [1]), (3, 2.0, 'a', [2]), (NULL, NULL, NULL, NULL)) v(i, f, s, l)"
    figures = figures_of(connection, relation)
    assert figures[""] == {"row_count": 3}
    assert figures["i"] == {"distinct": 2, "null_share": pytest.approx(1 / 3), "mean": 2}
    assert figures["f"] == {"distinct": 1, "null_share": pytest.approx(2 / 3), "mean": 2}
    assert figures["s"] == {"distinct": 1, "null_share": pytest.approx(1 / 3)}
    assert "l" not in figures


def test_nothing_has_no_share_and_no_mean(connection: duckdb.DuckDBPyConnection) -> None:
    assert figures_of(connection, "(SELECT 1 AS i WHERE false)") == {"": {"row_count": 0}, "i": {"distinct": 0}}


def test_infinities_have_no_mean(connection: duckdb.DuckDBPyConnection) -> None:
    figures = figures_of(connection, "(VALUES ('inf'::DOUBLE), (1)) v(f)")
    assert figures["f"] == {"distinct": 2, "null_share": 0}


def test_what_cannot_be_read_is_told_without_a_value(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE OR REPLACE TABLE told AS SELECT 'secret' AS s")
    with pytest.raises(QualityError) as refused:
        figures_of(connection, "(SELECT s::INTEGER AS i FROM told)")
    assert "secret" not in str(refused.value)
