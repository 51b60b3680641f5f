"""How far a query on Trino is, on the terminal of who waits for it."""

import pytest

from mesh_defs.cli.query import _progress


def test_one_line_is_written_over_and_gone_when_the_rows_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"state": "RUNNING", "completedSplits": 3, "totalSplits": 1_200, "processedRows": 45_000}
    _progress({**told, "elapsedTimeMillis": 2_400})
    _progress({})
    line = "\r\x1b[Ktrino: running, 3 of 1,200 splits, 45,000 rows read, 2 s"
    assert capsys.readouterr().err == f"{line}\r\x1b[K"
