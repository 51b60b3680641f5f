"""Extensions come out of their wheels: signed, offline, nothing copied."""

import duckdb
import pytest

from mesh_defs.errors import UnreachableError
from mesh_defs.storage.extensions import extension_file, load_extension


def test_loads_from_the_wheel_without_network_or_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        load_extension(connection, "httpfs")
        query = "SELECT loaded FROM duckdb_extensions() WHERE extension_name = 'httpfs'"
        assert connection.execute(query).fetchone() == (True,)


def test_says_which_wheel_is_missing() -> None:
    assert extension_file("iceberg") is None
    with duckdb.connect() as connection, pytest.raises(UnreachableError, match=r"duckdb-extension-avro==1\.5\.5"):
        load_extension(connection, "iceberg")
