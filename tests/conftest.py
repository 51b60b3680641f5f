"""What every test runs under: no state of this machine, no telemetry."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh_defs.settings import Settings
from tests.meshes import refresh, settings_of, two_domains

pytest_plugins = ["tests.servers", "tests.trino_server"]

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
os.environ["GX_ANALYTICS_ENABLED"] = "false"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MESH_") and not name.startswith("MESH_REQUIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture(scope="session")
def shared_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Two domains, published once for all tests that only read."""
    settings = settings_of(Path(tmp_path_factory.mktemp("shared")) / "mesh", two_domains())
    outcomes = refresh(settings)
    assert {outcome.state for outcome in outcomes.values()} == {"published"}, outcomes
    yield settings
