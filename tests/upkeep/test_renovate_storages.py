"""A product goes round all storages, and comes back as it left."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from mesh_defs.model.place import S3Access
from mesh_defs.query.mesh import open_mesh, open_storage, served_from
from mesh_defs.settings import load_settings
from mesh_defs.upkeep.renovate import renovate
from mesh_defs.upkeep.sweep import retire_previous, sweep
from tests.meshes import SERVERS, refresh, rows, settings_of, two_domains

ROWS = "SELECT person_id, region FROM people.persons ORDER BY 1"


def test_a_product_goes_from_storage_to_storage_with_its_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: str, s3_server: S3Access, bucket: str
) -> None:
    scheme, _, host = str(s3_server.endpoint).partition("://")
    monkeypatch.setenv("MESH_PEOPLE_POSTGRES", postgres)
    monkeypatch.setenv("MESH_PEOPLE_S3", f"{scheme}://{s3_server.key}:{quote(str(s3_server.secret))}@{host}")
    root = settings_of(tmp_path / "mesh", two_domains()).root
    monkeypatch.setenv("MESH_ROOT", str(root))
    settings = load_settings()
    file = root / "domains/people/contracts/persons.odcs.yaml"
    whole, server = file.read_text(), SERVERS["duckdb"].format(name="persons")
    for _ in range(2):
        refresh(settings)
    before = open_storage(open_mesh(settings).products["people.persons"], settings).versions()
    people = rows(settings, ROWS)
    assert len(before) == 2

    local, s3 = "{server: local, environment: local, type: ", f"type: s3, location: 's3://{bucket}/"
    stops = (
        ("iceberg", f"{local}local, path: lake/persons, format: iceberg}}"),
        ("postgres", f"{local}postgres, schema: persons}}"),
        ("iceberg", f"{local}local, path: lake/persons_too, format: iceberg}}"),
        ("s3", f"{{server: local, environment: local, {s3}persons', format: parquet}}"),
        ("parquet", SERVERS["parquet"].format(name="persons_lake")),
        ("iceberg", f"{{server: local, environment: local, {s3}lake/persons', format: iceberg}}"),
        ("duckdb", SERVERS["duckdb"].format(name="persons_again")),
    )
    for kind, stop in stops:
        file.write_text(whole.replace(server, stop))
        product = open_mesh(settings).products["people.persons"]
        with duckdb.connect() as connection:
            moved = renovate(product, settings, connection=connection, now=lambda: datetime.now(UTC))
        assert (moved.moved, moved.new.kind, moved.versions) == (True, kind, 2), kind
        assert rows(settings, ROWS) == people
        after = open_storage(product, settings).versions()
        assert [each.published_at for each in after] == [each.published_at for each in before], kind
        assert retire_previous(product, settings)
        assert served_from(product.contract, settings).previous is None
        assert rows(settings, ROWS) == people
    sweep(product, open_mesh(settings).standards, settings, now=datetime.now(UTC) + timedelta(days=9))
    assert {each.state for each in refresh(settings).values()} == {"published"}
    assert rows(settings, "SELECT sum(persons) FROM shop.regions") == [(10,)]
