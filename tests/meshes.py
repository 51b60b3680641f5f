"""Small meshes for tests: contracts and products as text, and the few calls that every test of the whole makes."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.scratch import make_mesh
from mesh_defs.model.query import QueryRequest
from mesh_defs.query.answer import Answer
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import open_platform
from mesh_defs.query.run import run_query
from mesh_defs.refresh.in_process import Outcome, refresh_in_process
from mesh_defs.settings import Settings, load_settings

CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: urn:test:{domain}:{name}
version: {version}
status: active
domain: {domain}
dataProduct: {name}
description: {{purpose: One row is one {name}.}}
team: {{name: testers}}
servers: [{server}]
schema:
  - name: {name}
    properties:
{columns}
{quality}
slaProperties: [{{property: freshness, value: 24, unit: h}}]
customProperties:
  - {{property: granularity, value: {granularity}}}
{custom}
"""
SERVERS = {
    "parquet": "{{server: local, environment: local, type: local, path: {name}, format: parquet}}",
    "duckdb": "{{server: local, environment: local, type: duckdb, database: {name}, schema: main}}",
    "postgres": "{{server: local, environment: local, type: postgres, schema: {name}}}",
    "delta": "{{server: local, environment: local, type: local, path: {name}, format: delta}}",
    "s3": "{{server: local, environment: local, type: s3, location: 's3://{bucket}/{name}', format: parquet}}",
    "iceberg": "{{server: local, environment: local, type: local, path: {name}, format: iceberg}}",
}
PERSON = (
    "{name: person_id, logicalType: integer, primaryKey: true,"
    " customProperties: [{property: identifies, value: person}]}"
)
REGION = "{name: region, logicalType: string, required: true}"
# A product that is cut by days, and a rule that an empty one breaks.
DAY = "{name: day, logicalType: date, required: true, partitioned: true}"
HITS = "{name: hits, logicalType: integer, required: true}"
NOT_EMPTY = (
    "{type: custom, engine: greatExpectations, severity: error, name: some_rows,"
    " implementation: {type: expect_table_row_count_to_be_between, kwargs: {min_value: 1}}}"
)


def contract(
    product: str,
    *,
    columns: tuple[str, ...] = (PERSON, REGION),
    granularity: str = "audience",
    storage: str = "parquet",
    version: str = "1.0.0",
    quality: tuple[str, ...] = (),
    custom: tuple[str, ...] = (),
    bucket: str = "",
) -> dict[str, str]:
    """A contract file, by its path in the domain's folder."""
    domain, name = product.split(".")
    rules = "    quality:\n" + "".join(f"      - {rule}\n" for rule in quality) if quality else ""
    text = CONTRACT.format(
        domain=domain,
        name=name,
        version=version,
        server=SERVERS[storage].format(name=name, bucket=bucket),
        columns="\n".join(f"      - {column}" for column in columns),
        quality=rules,
        granularity=granularity,
        custom="\n".join(f"  - {each}" for each in custom),
    )
    return {f"contracts/{name}.odcs.yaml": text}


def derived(product: str, grain: str = "person_id", **more: object) -> dict[str, str]:
    """The contract of a product with inputs."""
    told = (f"{{property: grain, value: [{grain}]}}", "{property: purpose, value: measurement}")
    return contract(product, custom=(*told, *more.pop("custom", ())), **more)  # type: ignore[arg-type, misc]


def sql(name: str, select: str) -> dict[str, str]:
    """A .sql product, by its path in the domain's folder."""
    return {f"products/{name}.sql": select}


def python(name: str, body: str) -> dict[str, str]:
    """A .py product, by its path in the domain's folder."""
    return {f"products/{name}.py": f"from mesh_defs import data_product\n\n\n{body}\n"}


def grants(product: str, *entries: str) -> dict[str, str]:
    """An access file, by its path in the domain's folder."""
    name = product.partition(".")[2]
    listed = "".join(f"  - {entry}\n" for entry in entries)
    return {f"access/{name}.access.yaml": f"format: 1\nproduct: {product}\ngrants:\n{listed}"}


PEOPLE = "SELECT n AS person_id, ['north', 'south'][1 + n % 2] AS region FROM range(1, 11) AS numbers(n)"
TO_ADA = "{id: analysts, roles: [analyst], purposes: [measurement]}"
TO_SHOP = "{id: shop, principals: ['service:shop'], purposes: [measurement]}"


def two_domains(**more: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """`people.persons` (DuckDB), and `shop.regions` (Parquet), which is made from it across domains."""
    people = {
        **contract("people.persons", storage="duckdb"),
        **sql("persons", PEOPLE),
        **grants("people.persons", TO_ADA, TO_SHOP),
    }
    shop = {
        **derived(
            "shop.regions",
            grain="region",
            columns=(REGION, "{name: persons, logicalType: integer, required: true}"),
            granularity="aggregate",
        ),
        **sql("regions", "SELECT region, count(*) AS persons FROM people.persons GROUP BY region"),
        **grants("shop.regions", TO_ADA),
    }
    return {"people": {**people, **more.get("people", {})}, "shop": {**shop, **more.get("shop", {})}}


def settings_of(root: Path, domains: Mapping[str, Mapping[str, str]]) -> Settings:
    """Write the mesh and return its settings; all state lies below its root."""
    return load_settings({"MESH_ROOT": str(make_mesh(root, domains))})


def refresh(settings: Settings, *selections: str) -> dict[str, Outcome]:
    """Materialize in-process; outcomes by product."""
    outcomes = refresh_in_process(settings, open_mesh(settings), selections=selections)
    return {outcome.product: outcome for outcome in outcomes}


def ask(settings: Settings, query: str, *, who: str = "ada", purpose: str | None = "measurement") -> Answer:
    """Ask through the door."""
    return run_query(QueryRequest(sql=query, principal=who, purpose=purpose), open_platform(settings))


def rows(settings: Settings, query: str, **who: str) -> list[tuple[object, ...]]:
    """The answer's rows."""
    table = ask(settings, query, **who).table()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
