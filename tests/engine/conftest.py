"""An engine and a pin of the test's own."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.model.version import Pin
from tests.engine.questions import a_pin, an_engine, eventually, workers


@pytest.fixture(autouse=True)
def no_worker_of_another_test() -> Iterator[None]:
    """Tests look at the processes that there are."""
    yield
    gc.collect()
    assert eventually(lambda: not workers())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    made = an_engine(tmp_path)
    yield made
    made.close()


@pytest.fixture
def people(tmp_path: Path) -> Pin:
    return a_pin(tmp_path)
