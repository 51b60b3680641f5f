"""An engine and a pin of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.model.version import Pin
from tests.engine.questions import a_pin, an_engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    made = an_engine(tmp_path)
    yield made
    made.close()


@pytest.fixture
def people(tmp_path: Path) -> Pin:
    return a_pin(tmp_path)
