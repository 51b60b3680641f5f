"""What kills a writer, and what keeps it from writing: the chain stays whole, and nobody is told what is not on disk."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh_defs.errors import StorageError
from mesh_defs.ledger import open_ledger
from mesh_defs.ledger.audit import verify
from tests.factories import NOW, write
from tests.ledger.records import recorded, settings_in

KILLS = 12
APPENDING = """
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from mesh_defs.ledger import open_ledger
from mesh_defs.settings import load_settings

ledger = open_ledger(load_settings({}, start=Path(sys.argv[1])))

def appending():
    while True:
        entry = ledger.append("asked", {"text": "x" * 2000}, at=datetime.now(UTC))
        sys.stdout.write(f"{entry.seq}\\n")
        sys.stdout.flush()

for _ in range(3):
    threading.Thread(target=appending).start()
"""
FULL = """
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from mesh_defs.errors import StorageError
from mesh_defs.ledger import open_ledger
from mesh_defs.settings import load_settings

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
ledger = open_ledger(load_settings({}, start=Path(sys.argv[1])))
done = 0
try:
    while True:
        ledger.append("asked", {"text": "x" * 5000}, at=datetime.now(UTC))
        done += 1
except StorageError as error:
    print(done, error)
"""


def test_a_writer_that_is_killed_in_the_middle_leaves_a_whole_chain_and_all_that_it_was_told(tmp_path: Path) -> None:
    settings, script = settings_in(tmp_path / "mesh"), write(tmp_path, "appending.py", APPENDING)
    order, told, unsigned = random.Random(5), 0, 0
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, str(script), str(settings.root)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            for _line in range(order.randrange(1, 40)):
                told = max(told, int(process.stdout.readline()))
            os.kill(process.pid, signal.SIGKILL)
            told = max(
                [told, *(int(line) for line in process.stdout.read().splitlines(keepends=True) if line[-1] == "\n")]
            )
        found = verify(settings)
        assert found.findings == ()
        assert found.entries >= told
        assert found.unsigned <= 3, "the group that was committed and not signed yet"
        unsigned += found.unsigned
    last = open_ledger(settings).append("asked", {}, at=NOW).seq
    assert verify(settings).unsigned == 0
    assert last == verify(settings).entries > KILLS
    print(f"{KILLS} kills, {last} entries, {unsigned} of them between commit and head")


def test_a_file_that_may_not_grow_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    settings, script = settings_in(tmp_path / "mesh"), write(tmp_path, "full.py", FULL)
    done = subprocess.run([sys.executable, str(script), str(settings.root)], capture_output=True, text=True)
    count, _, said = done.stdout.partition(" ")
    assert "could not be written" in said, done.stderr
    assert "Nothing runs unrecorded" in said
    found = verify(settings)
    assert (found.entries, found.findings) == (int(count), ())
    assert found.entries > 5
    assert open_ledger(settings).append("asked", {}, at=NOW).seq == found.entries + 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A megabyte of memory as a file system."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_refuses_keeps_what_it_has_and_goes_on_when_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    settings = recorded(tmp_path / "mesh", 3, MESH_HOME=str(small_disk / "home"))
    write(small_disk, "room", "x" * 100_000)
    ledger, count = open_ledger(settings), 3

    def fill() -> int:
        seq = count
        while True:
            seq = ledger.append("asked", {"text": "x" * 5000}, at=NOW).seq
            assert seq < 1000

    for _ in range(3):
        with pytest.raises(StorageError, match=r"could not be written: (database or disk is full|disk I/O error)"):
            fill()
        found = verify(settings)
        assert (found.findings, found.unsigned) == ((), 0)
        assert found.entries >= count
        count = found.entries
    (small_disk / "room").unlink()
    assert ledger.append("asked", {}, at=NOW).seq == count + 1
    assert verify(settings).findings == ()


def test_a_full_disk_lets_no_ledger_begin(tmp_path: Path, small_disk: Path) -> None:
    settings = settings_in(tmp_path / "mesh", MESH_HOME=str(small_disk / "home"))
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize))
    with pytest.raises(StorageError):
        open_ledger(settings).append("asked", {}, at=NOW)
    (small_disk / "filler").unlink()
    assert open_ledger(settings).append("asked", {}, at=NOW).seq == 1
    assert verify(settings).findings == ()
