"""Products that Trino reaches by what the mesh registers, or as other systems have them: the same rows, or a reason."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from mesh_defs.errors import MeshError, QueryRejectedError, StorageError
from mesh_defs.model.names import literal
from mesh_defs.model.place import S3Access
from mesh_defs.query.mesh import open_registration
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import load_settings
from mesh_defs.trino.config import Sizing, config_of
from mesh_defs.trino.register import register
from tests.meshes import contract, grants, refresh, settings_of, sql
from tests.servers import new_bucket, new_database
from tests.trino.conftest import _COLUMNS, ALL, EUROPE, PEOPLE, World, _url
from tests.trino_server import Trino

EXTERNAL = ("{property: external, value: true}",)
# What other systems have is narrower than what is promised, under another name, and holds what no promise names.
FEED = """
CREATE SCHEMA feed;
CREATE TABLE feed.feed ("Id" smallint, region varchar(10), percent numeric(4,1), score real, at timestamp(3), day date,
    seen timestamptz, whole integer, flag boolean, key uuid, raw bytea, clock time, secret text, state char(3), doc json);
INSERT INTO feed.feed VALUES
    (1, 'EU', 3.5, 1.5, '1969-12-31 23:59:59.999', '0001-01-01', '2024-03-31 01:30:00+02', -5, true,
        '12345678-1234-1234-1234-123456789012', '\\x00ff', '23:59:59.999999', 's', 'a', '{"a":  1}'),
    (2, 'EU', -0.0, 'nan', NULL, '2024-02-29', '1582-10-10 00:00:00+00', 2147483647, false, NULL, '', '00:00', 's', '', '1'),
    (3, 'US', NULL, '-0.0', '2038-01-19 03:14:07', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 's', NULL, NULL),
    (4, 'EU', 999.9, '-infinity', '2024-01-01', '9999-12-31', '2000-01-01 12:00:00.123456-05', 0, true, NULL, NULL, NULL,
        NULL, 'abc', '[]');
"""
FEED_COLUMNS = (
    "{name: person_id, physicalName: Id, logicalType: integer, physicalType: BIGINT, primaryKey: true,"
    " customProperties: [{property: identifies, value: person}]}",
    "{name: region, logicalType: string}",
    "{name: percent, logicalType: number, physicalType: 'DECIMAL(12,2)'}",
    "{name: score, logicalType: number, physicalType: DOUBLE}",
    "{name: at, logicalType: timestamp}",
    "{name: day, logicalType: timestamp, physicalType: TIMESTAMP}",
    "{name: seen, logicalType: timestamp, physicalType: TIMESTAMP WITH TIME ZONE}",
    "{name: whole, logicalType: number, physicalType: DOUBLE}",
    "{name: flag, logicalType: boolean}",
    "{name: key, logicalType: string, physicalType: VARCHAR}",
    "{name: raw, logicalType: string, physicalType: BLOB}",
)
TABLE = pa.table(
    {
        "person_id": pa.array([1, 2, 3], pa.int32()),
        "region": ["EU", "", None],
        "amount": pa.array(["0.10", None, "-7.25"]).cast(pa.decimal128(9, 2)),
        "score": pa.array([1.5, float("nan"), -0.0], pa.float32()),
        "at": pa.array([0, 1_700_000_000_123_456, None], pa.timestamp("us")),
        "day": pa.array([19000, None, 20000], pa.date32()),
    }
)
TABLE_COLUMNS = (
    "{name: person_id, logicalType: integer, physicalType: BIGINT, primaryKey: true,"
    " customProperties: [{property: identifies, value: person}]}",
    "{name: region, logicalType: string}",
    "{name: amount, logicalType: number, physicalType: 'DECIMAL(12,2)'}",
    "{name: score, logicalType: number, physicalType: DOUBLE}",
    "{name: at, logicalType: timestamp}",
    "{name: day, logicalType: date}",
)


@pytest.fixture(scope="module")
def outside(
    trino: Trino, postgres_tcp_server: str, s3_server: S3Access, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    root, bucket = tmp_path_factory.mktemp("outside") / "mesh", new_bucket(s3_server)
    domains = {
        "files": _people("files.people", "parquet"),
        "bucket": _people("bucket.people", "s3", bucket=bucket),
        "feeds": {
            **contract("feeds.feed", columns=FEED_COLUMNS, storage="postgres", custom=EXTERNAL),
            **grants("feeds.feed", EUROPE_ONLY, ALL),
            **_people("feeds.people", "postgres"),
            **contract("feeds.log", columns=TABLE_COLUMNS, storage="delta", custom=EXTERNAL),
            **grants("feeds.log", EUROPE_ONLY, ALL),
        },
    }
    with ExitStack() as stack:
        made = settings_of(root, domains)
        made.secrets.mkdir(parents=True, exist_ok=True)
        for domain in domains:
            url = stack.enter_context(new_database(postgres_tcp_server))
            lines = [f"MESH_{domain.upper()}_POSTGRES={_url(url)}"]
            if domain == "bucket":
                told = (s3_server.endpoint or "").replace("://", f"://{s3_server.key}:{s3_server.secret}@")
                lines.append(f"MESH_BUCKET_S3={told}")
            (made.secrets / f"{domain}.env").write_text("\n".join(lines) + "\n")
            if domain == "feeds":
                with psycopg.connect(url) as connection:
                    connection.execute(FEED)
        (root / "metastore").mkdir()
        settings = load_settings({"MESH_ROOT": str(made.root), "MESH_TRINO_URL": trino.url})
        log = settings.storage_root("feeds", "storage/feeds") / "log"
        write_deltalake(str(log), TABLE.slice(1), partition_by=["region"])
        write_deltalake(str(log), TABLE, mode="overwrite", partition_by=["region"])
        told = {name: (each.state, each.told) for name, each in refresh(settings).items()}
        assert {state for state, _ in told.values()} == {"published", "observed"}, told
        platform = open_platform(settings)
        config = config_of(platform.mesh, settings, Sizing())
        assert config.refused == {}
        for catalog in {each.catalog.name: each.catalog for each in config.reached}.values():
            secrets = {f"${{ENV:{name}}}": value for name, value in catalog.secrets.items()}
            secrets["${ENV:MESH_TRINO_METASTORE}"] = f"local://{root}/metastore"
            listed = ", ".join(
                f'"{key}" = {literal(secrets.get(value, value))}'
                for key, value in catalog.properties.items()
                if key != "connector.name"
            )
            trino.rows(f"CREATE CATALOG {catalog.name} USING {catalog.properties['connector.name']} WITH ({listed})")
            stack.callback(trino.rows, f"DROP CATALOG {catalog.name}")
        assert {each.state for each in register(platform.mesh, settings)} == {"registered"}
        yield World(settings, platform, trino)
        platform.engine.close()


EUROPE_ONLY = "{id: europe, roles: [analyst], purposes: [measurement], rows: \"region = 'EU'\"}"
PRODUCTS = ["files.people", "bucket.people", "feeds.feed", "feeds.log"]


def _people(name: str, storage: str, bucket: str = "") -> dict[str, str]:
    return {
        **contract(name, columns=_COLUMNS, storage=storage, bucket=bucket),
        **sql("people", PEOPLE),
        **grants(name, EUROPE, ALL),
    }


@pytest.mark.parametrize("who", ["ada", "max"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_a_person_sees_the_same_rows_and_types_on_both_engines(outside: World, product: str, who: str) -> None:
    assert same(outside, f"SELECT * FROM {product} ORDER BY person_id", who)


def test_what_is_registered_stays_when_asked_again(outside: World) -> None:
    done = {each.product: each.state for each in register(outside.platform.mesh, outside.settings)}
    assert done == {"files.people": "unchanged", "bucket.people": "unchanged", "feeds.log": "unchanged"}


def test_products_of_all_stores_are_joined(outside: World) -> None:
    query = """SELECT f.region, count(*) AS n, sum(l.amount) AS a, sum(g.percent) AS p
        FROM files.people f JOIN bucket.people b USING (person_id) JOIN feeds.log l USING (person_id)
        JOIN feeds.feed g USING (person_id) GROUP BY ALL ORDER BY ALL"""
    with outside.ask(query, who="max") as one, outside.ask(query, "duckdb", who="max") as other:
        assert one.table().equals(other.table())


def same(world: World, query: str, who: str = "max", **given: object) -> list[dict[str, object]]:
    with world.ask(query, who=who, **given) as one, world.ask(query, "duckdb", who=who, **given) as other:
        ours, theirs = one.table(), other.table()
    # DuckDB names the zone of the machine that it runs on.
    assert exact(ours) == exact(theirs).replace("Etc/UTC", "UTC")
    return ours.to_pylist()


def exact(table: pa.Table) -> str:
    """Moments as numbers: Python has no year 0, and none after 9999."""
    whole = {4: pa.int32(), 8: pa.int64()}
    columns = [
        each.cast(whole[each.type.bit_width // 8]) if pa.types.is_temporal(each.type) else each
        for each in table.columns
    ]
    return str([(str(field.type), each.to_pylist()) for field, each in zip(table.schema, columns, strict=True)])


@pytest.mark.parametrize("product", PRODUCTS)
def test_what_a_store_could_compute_by_its_own_rules_is_computed_by_the_engine(outside: World, product: str) -> None:
    """Pushed down it would be one statement of the store's own, of which the plan shows no table."""
    same(outside, f"SELECT count(*) AS n, min(region) AS a, max(region) AS b, min(score) AS c FROM {product}")
    same(outside, f"SELECT region, count(*) AS n FROM {product} GROUP BY region ORDER BY region NULLS FIRST")
    same(
        outside, f"SELECT person_id FROM {product} WHERE region > 'EU' OR score IS NULL ORDER BY person_id DESC LIMIT 2"
    )


def test_a_table_without_versions_is_read_once_by_a_question_or_refused(outside: World) -> None:
    """Trino reads each mention at its own moment; DuckDB reads all of them in one transaction."""
    for query in (
        "SELECT count(*) AS n FROM feeds.feed a JOIN feeds.feed b USING (person_id)",
        "WITH w AS (SELECT person_id, region FROM feeds.feed) SELECT count(*) AS n FROM w a, w b",
        "SELECT person_id FROM feeds.feed UNION ALL SELECT person_id FROM feeds.feed",
    ):
        with pytest.raises(QueryRejectedError, match="twice, at two moments"):
            outside.ask(query, who="max")
        with outside.ask(query, "duckdb", who="max") as answer:
            assert answer.table().num_rows
    same(outside, "SELECT count(*) AS n FROM feeds.feed JOIN feeds.people p USING (person_id), feeds.people q")
    same(outside, "SELECT count(*) AS n FROM feeds.log a JOIN feeds.log b USING (person_id)")


@pytest.fixture
def feed(outside: World) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The other system's own connection; its table is as it was afterwards."""
    url = outside.settings.overrides["MESH_FEEDS_POSTGRES"]
    with psycopg.connect(url, autocommit=True) as own:
        yield own
        own.execute("DROP TABLE feed.feed; DROP SCHEMA feed CASCADE; " + FEED)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("ALTER TABLE feed.feed ALTER region TYPE char(10)", r"'region' is character\(10\), which Trino does not"),
        ("ALTER TABLE feed.feed ALTER percent TYPE numeric", r"promised is DECIMAL\(12,2\)"),
        ("ALTER TABLE feed.feed ALTER region TYPE json USING 'null'", r"'region' is json, which Trino does not"),
        ("CREATE DOMAIN feed.r AS text; ALTER TABLE feed.feed ALTER region TYPE feed.r", r"'region' is feed\.r"),
        ('ALTER TABLE feed.feed ADD "REGION" text', "two of its columns are 'region' to a Trino"),
    ],
)
def test_a_type_that_trino_reads_otherwise_is_refused_with_the_reason(
    outside: World, feed: psycopg.Connection[tuple[object, ...]], change: str, why: str
) -> None:
    feed.execute(change)
    with pytest.raises(MeshError, match=why):
        outside.ask("SELECT region FROM feeds.feed")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("day", "'infinity'::date"),
        ("day", "'0044-03-15 BC'::date"),
        ("day", "'12345-01-01'::date"),
        ("at", "'infinity'::timestamp"),
        ("at", "'0044-03-15 BC'::timestamp"),
        ("seen", "'-infinity'::timestamptz"),
        ("seen", "'20000-01-01'::timestamptz"),
        ("percent", "'nan'::numeric"),
        ("region", "E'a\\tb\\\\'"),
        ("key", "'00000000-0000-0000-0000-00000000000A'::uuid"),
        ("score", "'infinity'::real"),
        ("score", "16777217::real"),
        ("score", "0.1::real"),
    ],
)
def test_a_value_at_the_edge_of_its_type_is_the_same_or_told(
    outside: World, feed: psycopg.Connection[tuple[object, ...]], column: str, value: str
) -> None:
    feed.execute(f'UPDATE feed.feed SET {column} = {value} WHERE "Id" = 1')
    for query in (
        f"SELECT {column} AS v FROM feeds.feed WHERE person_id = 1",
        f"SELECT person_id FROM feeds.feed WHERE {column} IS NULL OR {column} = {column} ORDER BY 1",
        f"SELECT CAST({column} AS VARCHAR) AS v FROM feeds.feed WHERE person_id = 1",
    ):
        found = []
        for engine in ("duckdb", "trino"):
            try:
                with outside.ask(query, engine, who="max") as answer:  # type: ignore[arg-type]
                    found.append(exact(answer.table()))
            except MeshError:
                found.append("told")
        assert "told" in found or found[0] == found[1], (query, found)


def test_a_version_that_is_not_registered_is_refused_and_none_other_read(outside: World) -> None:
    """The step's table follows by itself; here another program's catalog was behind."""
    product = outside.platform.mesh.products["files.people"]
    open_registration(product, outside.settings, write=True).forget()
    with pytest.raises(QueryRejectedError, match=r"is not there yet .*mesh trino register"):
        outside.ask("SELECT count(*) FROM files.people")
    assert [each.state for each in register(outside.platform.mesh, outside.settings, products=("files.people",))] == [
        "registered"
    ]
    same(outside, "SELECT count(*) AS n FROM files.people", "ada")
    assert {name: each.state for name, each in refresh(outside.settings, "files.people").items()} == {
        "files.people": "published"
    }
    same(outside, "SELECT count(*) AS n FROM files.people", "ada")


def delta_place(world: World) -> Path:
    return world.settings.storage_root("feeds", "storage/feeds") / "log"


@pytest.fixture
def log(outside: World) -> Iterator[Path]:
    """The other system's folder; its table is as it was afterwards."""
    place = delta_place(outside)
    yield place
    shutil.rmtree(place)
    write_deltalake(str(place), TABLE.slice(1), partition_by=["region"])
    write_deltalake(str(place), TABLE, mode="overwrite", partition_by=["region"])


def test_an_answer_from_a_table_that_was_made_anew_meanwhile_does_not_count(outside: World, log: Path) -> None:
    """Trino names a version by its number alone, which the new table has as well."""
    with outside.ask("SELECT person_id FROM feeds.log", who="max") as answer:
        shutil.rmtree(log)
        for _ in range(2):
            write_deltalake(str(log), TABLE.slice(2), mode="overwrite")
        with pytest.raises(MeshError, match="the table was made anew"):
            answer.table()


def test_a_moment_that_trino_reads_to_the_millisecond_is_refused(outside: World, log: Path) -> None:
    shutil.rmtree(log)
    moments = pa.array([0, 1_700_000_000_123_456, None], pa.timestamp("us", tz="UTC"))
    write_deltalake(str(log), TABLE.set_column(4, "at", moments))
    with pytest.raises(MeshError, match=r"'at' is TIMESTAMP WITH TIME ZONE, promised|'at' is timestamp, which Trino"):
        outside.ask("SELECT person_id FROM feeds.log", who="max")


def test_a_delta_table_that_is_registered_for_another_place_is_refused(outside: World, tmp_path: Path) -> None:
    elsewhere = f"{tmp_path}/other"
    write_deltalake(elsewhere, TABLE.slice(0, 1), mode="overwrite")
    write_deltalake(elsewhere, TABLE.slice(0, 1), mode="overwrite")
    outside.trino.rows("CALL feeds_delta.system.unregister_table('feeds', 'log')")
    outside.trino.rows(f"CALL feeds_delta.system.register_table('feeds', 'log', 'file://{elsewhere}')")
    with pytest.raises(StorageError, match=r"at another place .*mesh trino register"):
        outside.ask("SELECT person_id FROM feeds.log", who="max")
    assert [each.state for each in register(outside.platform.mesh, outside.settings, products=("feeds.log",))] == [
        "registered"
    ]
    same(outside, "SELECT count(*) AS n FROM feeds.log")
