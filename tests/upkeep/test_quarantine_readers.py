"""Somebody reads through the door all the while that a bad batch is made, refused and released."""

import threading
from pathlib import Path

import duckdb
import pytest

from mesh_defs.settings import Settings
from tests.held import (
    NAME,
    ONE_BAD,
    custody,
    let_go,
    mended,
    persons,
    refused,
    seen,
)
from tests.meshes import PEOPLE, refresh, settings_of

GOOD, RELEASED = (10, 0), (11, 1)


class Reader(threading.Thread):
    """Asks again and again until told to stop, and remembers every answer, also the first and the last."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings, self.began, self.enough = settings, threading.Event(), threading.Event()
        self.answers: list[tuple[object, ...] | str] = []

    def run(self) -> None:
        while True:
            last = self.enough.is_set()
            try:
                self.answers.append(seen(self.settings))
            except Exception as error:  # noqa: BLE001  whatever a reader meets is an answer
                self.answers.append(repr(error))
            self.began.set()
            if last:
                return

    def __enter__(self) -> "Reader":
        self.start()
        self.began.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        self.join()


@pytest.mark.parametrize(("cap", "kind"), [(None, "batch"), (0.1, "rows")])
@pytest.mark.parametrize("storage", ["parquet", "duckdb"])
def test_no_reader_ever_sees_a_bad_or_partial_batch(tmp_path: Path, cap: float | None, kind: str, storage: str) -> None:
    settings = settings_of(tmp_path / "mesh", {"people": persons(PEOPLE, cap=cap, storage=storage)})
    assert refresh(settings)[NAME].state == "published"
    (settings.root / "domains/people/products/persons.sql").write_text(ONE_BAD)
    with Reader(settings) as reader, duckdb.connect() as connection:
        for _ in range(2):
            refresh(settings)
            assert refused(settings)[0].kind == kind
            assert not let_go(custody(settings, connection)).version
        assert let_go(mended(settings, connection)).version
    answers = list(dict.fromkeys(reader.answers))
    assert answers == [GOOD, RELEASED], answers
