"""The fixture meshes of the red team's tests: published once for each storage, attacked by many tests."""

from collections.abc import Iterator

import pytest

from tests.redteam.run import Stage, staged


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The README's fixture on Parquet."""
    with staged("parquet") as made:
        yield made
