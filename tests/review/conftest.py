"""The mesh that the tests change."""

from pathlib import Path

import pytest

from tests.review.repository import Repository, a_repository


@pytest.fixture
def mesh(tmp_path: Path) -> Repository:
    return a_repository(tmp_path / "clone")
