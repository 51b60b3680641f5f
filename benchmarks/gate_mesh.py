"""TPC-H's eight tables as products, each with a row rule and masks; and the same rules written by hand as views of DuckDB.

Measures nothing: `benchmarks.gate` does. Data and queries come out of DuckDB's tpch extension, from its wheel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlglot import exp, parse_one

from benchmarks.scratch import CONTRACT, PRODUCT, make_mesh
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.settings import Settings, load_settings
from mesh_defs.storage.extensions import load_extension


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A table's key and row rule, what its masks are in an access file, and the same masks as SQL."""

    key: str
    rows: str
    masks: Mapping[str, str]
    by_hand: Mapping[str, str]


RULES: Mapping[str, Rules] = {
    "lineitem": Rules(
        key="l_orderkey, l_linenumber",
        rows="l_shipdate >= '1992-06-01'",
        masks={"l_comment": '"null"', "l_shipinstruct": "{truncate: 4}"},
        by_hand={"l_comment": "NULL::VARCHAR", "l_shipinstruct": "left(l_shipinstruct, 4)"},
    ),
    "orders": Rules(
        key="o_orderkey",
        rows="o_orderstatus IN ('F', 'O')",
        masks={"o_clerk": "{truncate: 6}"},
        by_hand={"o_clerk": "left(o_clerk, 6)"},
    ),
    "customer": Rules(
        key="c_custkey",
        rows="c_nationkey BETWEEN 0 AND 22",
        masks={"c_address": '"null"', "c_phone": "{truncate: 6}"},
        by_hand={"c_address": "NULL::VARCHAR", "c_phone": "left(c_phone, 6)"},
    ),
    "part": Rules(
        key="p_partkey", rows="p_size <= 48", masks={"p_comment": '"null"'}, by_hand={"p_comment": "NULL::VARCHAR"}
    ),
    "partsupp": Rules(
        key="ps_partkey, ps_suppkey",
        rows="ps_availqty > 50",
        masks={"ps_comment": '"null"'},
        by_hand={"ps_comment": "NULL::VARCHAR"},
    ),
    "supplier": Rules(
        key="s_suppkey",
        rows="s_acctbal > -900",
        masks={"s_phone": "{truncate: 6}"},
        by_hand={"s_phone": "left(s_phone, 6)"},
    ),
    "nation": Rules(
        key="n_nationkey",
        rows="n_nationkey < 24",
        masks={"n_comment": '"null"'},
        by_hand={"n_comment": "NULL::VARCHAR"},
    ),
    "region": Rules(
        key="r_regionkey", rows="r_regionkey < 5", masks={"r_comment": '"null"'}, by_hand={"r_comment": "NULL::VARCHAR"}
    ),
}
_LOGICAL = {"VARCHAR": "string", "DATE": "date", "INTEGER": "integer", "BIGINT": "integer"}
_ACCESS = """format: 1
product: tpch.{name}
grants:
  - id: all
    roles: [analyst]
    purposes: [measurement]
    rows: "{rows}"
    masks: {{{masks}}}
  - id: whole
    roles: [planner]
    purposes: [measurement]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """The mesh, its root, and a DuckDB whose views are the rules by hand over the very same files."""

    root: Path
    platform: Platform
    by_hand: duckdb.DuckDBPyConnection
    queries: Mapping[int, str]


def governed(folder: Path, *, scale: float, threads: int) -> Governed:
    """Generate, publish through the platform, and write the views. Ada has the rules, max sees all."""
    domain, queries = tpch(folder, scale=scale, form="parquet")
    root = make_mesh(folder / "mesh", {"tpch": domain})
    platform = published(load_settings({"MESH_ROOT": str(root)}))
    return Governed(root=root, platform=platform, by_hand=_views(platform, threads), queries=queries)


def tpch(folder: Path, *, scale: float, form: str) -> tuple[dict[str, str], dict[int, str]]:
    """Generate the tables as Parquet files; return the files of a domain that publishes them, and the queries over it."""
    with duckdb.connect() as source:
        load_extension(source, "tpch")
        source.execute(f"CALL dbgen(sf = {scale})")
        files = {}
        for name in RULES:
            source.execute(f"COPY {name} TO '{folder / name}.parquet' (FORMAT parquet)")
            files |= _files(name, source, folder / f"{name}.parquet", form)
        queries = source.execute("SELECT query_nr, query FROM tpch_queries()").fetchall()
    return files, {number: over_tables(query, {name: f"tpch.{name}" for name in RULES}) for number, query in queries}


def published(settings: Settings) -> Platform:
    """Publish every product, and open the mesh."""
    outcomes = refresh_in_process(settings, open_mesh(settings))
    wrong = [each for each in outcomes if each.state != "published"]
    if wrong:
        raise AssertionError(f"the benchmark must publish every product: {wrong}")
    return open_platform(settings)


def _files(name: str, source: duckdb.DuckDBPyConnection, file: Path, form: str) -> dict[str, str]:
    columns = source.execute(f"DESCRIBE {name}").fetchall()
    lines = "\n".join(
        f"      - {{name: {column}, logicalType: {_LOGICAL.get(type_, 'number')}, physicalType: '{type_}'}}"
        for column, type_, *_ in columns
    )
    rules = RULES[name]
    masks = ", ".join(f"{column}: {mask}" for column, mask in rules.masks.items())
    return {
        f"contracts/{name}.odcs.yaml": CONTRACT.format(
            domain="tpch", name=name, columns=lines, key=RULES[name].key, format=form
        ),
        f"access/{name}.access.yaml": _ACCESS.format(name=name, rows=rules.rows, masks=masks),
        f"products/{name}.py": PRODUCT.format(name=name, file=file),
    }


def _views(platform: Platform, threads: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": threads})
    connection.execute("CREATE SCHEMA tpch")
    for name, rules in RULES.items():
        storage = platform.storage_of(platform.mesh.products[f"tpch.{name}"])
        version = storage.current()
        assert version is not None
        pin = storage.pin(f"tpch.{name}", version)
        columns = ", ".join(f"{rules.by_hand.get(column, column)} AS {column}" for column in pin.columns)
        files = ", ".join(f"'{location}'" for location in pin.locations)
        select = f"SELECT {columns} FROM read_parquet([{files}]) WHERE {rules.rows}"
        connection.execute(f"CREATE VIEW tpch.{name} AS {select}")
    return connection


def over_tables(query: str, names: Mapping[str, str]) -> str:
    """The query with each table under another name, as DuckDB's SQL."""
    tree = parse_one(query, read="duckdb")
    for table in tree.find_all(exp.Table):
        if table.name in names:
            put = exp.to_table(names[table.name])
            table.set("this", put.this)
            table.set("db", put.args.get("db"))
            table.set("catalog", put.args.get("catalog"))
    return tree.sql("duckdb")
