"""Two parties and a join inside one process, for tests of what passes between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cleanroom.certificates import write_certificates
from tests.cleanroom.inside import URLS, Inside
from tests.cleanroom.parties import Parties, parties


@pytest.fixture(scope="module")
def made() -> Iterator[Parties]:
    with parties() as found:
        yield found


@pytest.fixture
def inside(made: Parties) -> Inside:
    made.fresh()
    made.agree(URLS)
    return Inside(made)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    write_certificates(folder)
    return folder
