"""Trino reads a Delta table that another system writes, where it lies, at any of its versions."""

from pathlib import Path

from deltalake import write_deltalake

from mesh_defs.model.place import S3Access
from tests.trino.lake import ROWS, files
from tests.trino_server import Trino


def test_reads_a_folder(trino: Trino, tmp_path: Path) -> None:
    _written(f"{tmp_path}/clicks", {})
    (tmp_path / "metastore").mkdir()
    _reads(trino, _catalog(f"local://{tmp_path}/metastore", files(None)), f"file://{tmp_path}/clicks")


def test_reads_s3(trino: Trino, s3_server: S3Access, bucket: str) -> None:
    options = {
        "AWS_ENDPOINT_URL": s3_server.endpoint or "",
        "AWS_REGION": s3_server.region,
        "AWS_ACCESS_KEY_ID": s3_server.key or "",
        "AWS_SECRET_ACCESS_KEY": s3_server.secret or "",
        "AWS_ALLOW_HTTP": "true",
    }
    _written(f"s3://{bucket}/clicks", options)
    _reads(trino, _catalog(f"s3://{bucket}/metastore", files(s3_server)), f"s3://{bucket}/clicks")


def _written(place: str, options: dict[str, str]) -> None:
    write_deltalake(place, ROWS, storage_options=options)
    write_deltalake(place, ROWS.slice(2), mode="overwrite", storage_options=options)


def _catalog(metastore: str, store: dict[str, str]) -> dict[str, str]:
    return {
        "connector.name": "delta_lake",
        "hive.metastore": "file",
        "hive.metastore.catalog.dir": metastore,
        "delta.register-table-procedure.enabled": "true",
        **store,
    }


def _reads(trino: Trino, properties: dict[str, str], place: str) -> None:
    with trino.catalog(properties) as catalog:
        trino.rows(f"CREATE SCHEMA {catalog}.events")
        trino.rows(f"CALL {catalog}.system.register_table('events', 'clicks', '{place}')")
        named = f"{catalog}.events.clicks"
        whole = [list(row.values()) for row in ROWS.to_pylist()]
        assert trino.rows(f"SELECT * FROM {named}") == whole[2:]
        assert trino.rows(f"SELECT * FROM {named} FOR VERSION AS OF 0 ORDER BY id") == whole
