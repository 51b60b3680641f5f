"""The processes behind the engine: how many, what ends them, and what they leave behind. Nothing waits for a clock."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mesh_defs.engine import duckdb as engine_module
from mesh_defs.engine import spawn
from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.errors import EngineError
from mesh_defs.model.version import Pin
from tests.engine.questions import ENDLESS, OURS, a_pin, an_engine, eventually, governed, rows, workers, zygotes

COUNT = "SELECT count(*) AS n FROM {people} AS p"
MANY = "SELECT i, 'some text ' || i AS t FROM range(20000000) t(i)"


@contextmanager
def no_worker_left() -> Iterator[None]:
    before = {each.pid for each in workers()}
    yield
    assert eventually(lambda: {each.pid for each in workers()} <= before)


def spilled(folder: Path) -> list[Path]:
    return list((folder / "spill").glob("*"))


def test_questions_one_after_another_use_one_worker(engine: DuckDBEngine, people: Pin) -> None:
    before = len(workers())
    for _ in range(20):
        assert rows(engine, COUNT, people) == [{"n": 6}]
    assert len(workers()) - before == 1


def test_another_version_is_another_worker(engine: DuckDBEngine, tmp_path: Path, people: Pin) -> None:
    newer = a_pin(tmp_path, "SELECT 1 AS id, 'n' AS name, 0 AS secret", version="2")
    assert [rows(engine, COUNT, pin) for pin in (people, newer, people)] == [[{"n": 6}], [{"n": 1}], [{"n": 6}]]


def test_a_version_read_otherwise_is_another_worker(engine: DuckDBEngine, people: Pin) -> None:
    """An external product may keep its version while the scan or the columns that are promised of it change."""
    assert rows(engine, COUNT, people) == [{"n": 6}]
    assert rows(engine, "SELECT * FROM pin_x__people", replace(people, columns={"id": "BIGINT"})) == [
        {"id": id} for id in range(9)
    ]


def test_no_more_workers_wait_than_may(tmp_path: Path, people: Pin) -> None:
    engine, before = an_engine(tmp_path), len(workers())
    for number in range(engine_module.IDLE_WORKERS_MAX + 5):
        rows(engine, COUNT, replace(people, version=str(number)))
    assert eventually(lambda: len(workers()) - before == engine_module.IDLE_WORKERS_MAX)
    assert eventually(lambda: len(spilled(tmp_path)) == engine_module.IDLE_WORKERS_MAX)
    engine.close()
    assert eventually(lambda: len(workers()) == before and not spilled(tmp_path))


def test_an_engine_that_nobody_holds_leaves_no_worker(tmp_path: Path, people: Pin) -> None:
    with no_worker_left():
        engine = an_engine(tmp_path)
        rows(engine, COUNT, people)
        del engine


def test_an_answer_that_nobody_holds_leaves_no_worker(engine: DuckDBEngine, people: Pin) -> None:
    with no_worker_left():
        running = engine.run(governed(MANY, people), {})
        del running


def test_who_stops_reading_ends_the_worker(engine: DuckDBEngine, people: Pin) -> None:
    with no_worker_left():
        running = engine.run(governed(MANY, people), {})
        first = next(running.batches())
        assert first.num_rows == running.rows < 100_000
        running.close()
        running.close()
        assert list(running.batches()) == []


def test_many_at_once_each_get_their_own_rows(engine: DuckDBEngine, tmp_path: Path) -> None:
    pins = [
        a_pin(tmp_path, f"SELECT {n} AS id, 'x' AS name, 0 AS secret FROM range(1000)", version=str(n))
        for n in range(5)
    ]

    def ask(number: int) -> bool:
        text = "SELECT min(id) AS low, max(id) AS high, count(*) AS n, $number AS told FROM {people} AS p"
        expected = {"low": number % 5, "high": number % 5, "n": 1000, "told": number}
        return rows(engine, text, pins[number % 5], number=number) == [expected]

    with ThreadPoolExecutor(32) as threads:
        assert all(threads.map(ask, range(300)))


def test_a_hundred_workers_give_no_wrong_answer(engine: DuckDBEngine, tmp_path: Path) -> None:
    people = a_pin(tmp_path, "SELECT i AS id, 'n' || i AS name, 0 AS secret FROM range(5000) t(i)", kind="duckdb")
    text = "SELECT count(DISTINCT name) AS n, sum(id) AS s FROM (SELECT * FROM {people} AS p ORDER BY name) AS q"
    with no_worker_left():
        for number in range(100):
            assert rows(engine, text, replace(people, version=str(number))) == [{"n": 5_000, "s": 12_497_500}]
        engine.close()


def test_nothing_stays_open_or_dead(engine: DuckDBEngine, tmp_path: Path, people: Pin) -> None:
    def ask_in_every_way(number: int) -> None:
        pin = replace(people, version=f"{number}")
        rows(engine, COUNT, pin)
        engine.run(governed(MANY, pin), {}).close()
        with pytest.raises(EngineError):
            rows(engine, "SELECT error('x')", pin)
        engine.close()

    ask_in_every_way(0)
    (zygote,) = [each for each in zygotes() if each.children() or each.num_fds() < 10] or zygotes()
    assert eventually(lambda: not zygote.children())
    before = psutil.Process().num_fds(), zygote.num_fds()
    for number in range(1, 20):
        ask_in_every_way(number)
    assert eventually(lambda: not zygote.children() and not spilled(tmp_path))
    assert (psutil.Process().num_fds(), zygote.num_fds()) == before


def test_so_many_may_run_at_once_and_the_next_one_is_told(
    tmp_path: Path, people: Pin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "WORKERS_MAX", 2)
    engine = an_engine(tmp_path, seconds_max=1.0)
    held = [engine.session((people,)) for _ in range(2)]
    with pytest.raises(EngineError, match="2 queries are running here already"):
        engine.session((people,))
    held[0].close()
    assert rows(engine, COUNT, people) == [{"n": 6}]
    held[1].close()


def test_a_worker_that_cannot_be_made_takes_nobodys_place(
    tmp_path: Path, people: Pin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "WORKERS_MAX", 1)
    engine = an_engine(tmp_path, seconds_max=20.0)
    for _ in range(3):
        with pytest.raises(EngineError, match="no columns"):
            engine.session((replace(people, columns={}),))
    assert rows(engine, COUNT, people) == [{"n": 6}]


def test_the_deadline_ends_a_query_that_says_nothing(tmp_path: Path, people: Pin) -> None:
    engine = an_engine(tmp_path, seconds_max=0.5)
    with no_worker_left():
        with pytest.raises(EngineError, match=r"stopped after 0\.5 s"):
            rows(engine, ENDLESS, people)
        with pytest.raises(EngineError, match=r"stopped after 0\.5 s"), engine.session((people,)) as session:
            session.describe(governed(f"{ENDLESS}", people))
            session.run(governed(ENDLESS, people))
        engine.close()


def test_the_deadline_ends_an_answer_that_is_read_too_slowly(tmp_path: Path, people: Pin) -> None:
    running = an_engine(tmp_path, seconds_max=1.0).run(governed(MANY, people), {})
    with no_worker_left(), pytest.raises(EngineError, match="stopped after 1 s"):
        for _ in running.batches():
            time.sleep(0.2)


def test_an_answer_that_nobody_reads_ends_by_itself(tmp_path: Path, people: Pin) -> None:
    """Whoever holds it may never look again: the worker has a clock of its own."""
    running = an_engine(tmp_path, seconds_max=0.5).run(governed(MANY, people), {})
    assert eventually(lambda: not workers())
    with pytest.raises(EngineError):
        list(running.batches())


def test_a_slow_reader_holds_the_worker_back_and_gets_every_row(engine: DuckDBEngine, people: Pin) -> None:
    running = engine.run(governed("SELECT i, repeat('x', 1000) AS t FROM range(1000000) t(i)", people), {})
    batches = running.batches()
    next(batches)
    (worker,) = workers()
    assert eventually(lambda: worker.status() == psutil.STATUS_SLEEPING)
    assert worker.memory_info().rss < 500 * 2**20
    count = running.rows + sum(batch.num_rows for batch in batches)
    assert count == running.rows == 1_000_000
    assert running.bytes > 10**9


def test_cancel_ends_a_query_before_its_first_row(engine: DuckDBEngine, people: Pin) -> None:
    session = engine.session((people,))
    threading.Timer(0.2, session.cancel).start()
    with no_worker_left(), pytest.raises(EngineError, match="cancelled"):
        session.run(governed(ENDLESS, people))
    session.close()
    session.cancel()
    assert rows(engine, COUNT, people) == [{"n": 6}]


def test_who_cancels_too_late_hits_nobody_else(engine: DuckDBEngine, people: Pin) -> None:
    session = engine.session((people,))
    running = session.run(governed(COUNT, people))
    assert len(list(running.batches())) == 1
    other = engine.run(governed("SELECT i FROM range(1000000) t(i)", people), {})
    session.cancel()
    running.cancel()
    assert sum(batch.num_rows for batch in other.batches()) == 1_000_000


def test_cancelled_between_its_last_row_and_its_end_a_worker_is_not_used_again(
    engine: DuckDBEngine, people: Pin
) -> None:
    running = engine.run(governed(COUNT, people), {})
    batches = running.batches()
    next(batches)
    running.cancel()
    with suppress(EngineError):
        next(batches, None)
    running.close()
    for _ in range(5):
        assert rows(engine, COUNT, people) == [{"n": 6}]


def test_cancel_ends_an_answer_while_it_is_read(engine: DuckDBEngine, people: Pin) -> None:
    running = engine.run(governed(MANY, people), {})
    with no_worker_left(), pytest.raises(EngineError, match="cancelled"):
        for _ in running.batches():
            running.cancel()
    running.cancel()
    assert rows(engine, COUNT, people) == [{"n": 6}]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
def test_a_worker_that_dies_is_said_to_and_the_next_question_is_answered(
    engine: DuckDBEngine, people: Pin, how: signal.Signals
) -> None:
    running = engine.run(governed(MANY, people), {})
    (worker,) = workers()
    worker.send_signal(how)
    with pytest.raises(EngineError, match="ended before its answer") as ended:
        list(running.batches())
    assert ended.value.fix
    assert rows(engine, COUNT, people) == [{"n": 6}]


def test_a_worker_that_dies_while_it_waits_is_not_missed(engine: DuckDBEngine, people: Pin) -> None:
    rows(engine, COUNT, people)
    (worker,) = workers()
    worker.kill()
    assert eventually(lambda: not workers())
    assert rows(engine, COUNT, people) == [{"n": 6}]


def test_a_zygote_that_dies_takes_its_workers_along_and_is_started_anew(engine: DuckDBEngine, people: Pin) -> None:
    running = engine.run(governed(MANY, people), {})
    (zygote,), (worker,) = zygotes(), workers()
    zygote.kill()
    with pytest.raises(EngineError, match="ended before its answer"):
        list(running.batches())
    assert eventually(lambda: not worker.is_running())
    assert rows(engine, COUNT, people) == [{"n": 6}]
    assert [each.pid for each in zygotes()] != [zygote.pid]


def test_what_a_dead_zygote_left_of_spilled_rows_is_removed_by_the_next(
    engine: DuckDBEngine, tmp_path: Path, people: Pin
) -> None:
    other, nobody = tmp_path / "spill" / "other-host-1-1", tmp_path / "spill" / f"{os.uname().nodename}-999999999-1"
    for folder in (other, nobody):
        folder.mkdir(parents=True)
        (folder / "rows.tmp").write_text("rows")
    rows(engine, COUNT, people)
    assert (other.exists(), nobody.exists()) == (True, False)


def test_a_query_that_is_killed_leaves_no_spilled_rows(tmp_path: Path) -> None:
    engine = an_engine(tmp_path, memory_bytes_max=200_000_000)
    session = engine.session(())
    asked = threading.Thread(target=_failing, args=(session, "SELECT i FROM range(3000000000) t(i) ORDER BY hash(i)"))
    asked.start()
    assert eventually(lambda: any(each.is_file() for folder in spilled(tmp_path) for each in folder.rglob("*")))
    for worker in workers():
        worker.kill()
    asked.join()
    assert eventually(lambda: not spilled(tmp_path))


def _failing(session: object, text: str) -> None:
    with pytest.raises(EngineError):
        session.run(governed(text))  # type: ignore[attr-defined]


SCRIPT = """
import json, sys, threading
from pathlib import Path
import pyarrow as pa
from tests.engine.questions import ENDLESS, a_pin, an_engine, eventually, governed, rows, workers, zygotes
folder = Path(sys.argv[1])
engine, people = an_engine(folder), a_pin(folder)
rows(engine, "SELECT count(*) AS n FROM {people} AS p", people)
held = engine.run(governed("SELECT i FROM range(100000000) t(i)", people), {})
for number in range(3):
    threading.Thread(target=lambda: engine.run(governed(ENDLESS, people), {}), daemon=True).start()
while len(workers()) < 4:
    pass
print(json.dumps([each.pid for each in [*zygotes(), *workers()]]), flush=True)
sys.stdin.read() if len(sys.argv) < 3 else exec(sys.argv[2])
"""


@pytest.mark.parametrize("end", ["kill", "exit", "crash", "fork, then kill"])
def test_no_process_outlives_its_caller(tmp_path: Path, end: str) -> None:
    """`fork, then kill`: a child of the caller still holds the sockets that it inherited."""
    does = {
        "exit": "sys.exit()",
        "crash": "import os; os.abort()",
        "fork, then kill": "import os, time; os.fork() or (time.sleep(60), os._exit(0)); sys.stdin.read()",
    }
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), *([does[end]] if end in does else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        found = [psutil.Process(pid) for pid in json.loads(caller.stdout.readline())]
        assert len(found) >= 5
        children = psutil.Process(caller.pid).children()
        if "kill" in end:
            eventually(lambda: "fork" not in end or len(psutil.Process(caller.pid).children()) > len(children) - 1)
            caller.kill()
        assert eventually(lambda: not any(each.is_running() for each in found))
        assert eventually(lambda: not spilled(tmp_path))
        for forked in children:
            if forked.is_running() and forked.pid not in {each.pid for each in found}:
                forked.kill()


def test_a_forked_caller_has_workers_of_its_own(engine: DuckDBEngine, people: Pin) -> None:
    """Both processes ask after the fork; the child's end takes nothing from the parent."""
    rows(engine, COUNT, people)
    held = engine.run(governed("SELECT i FROM range(1000000) t(i)", people), {})
    pid = os.fork()
    if pid == 0:
        os._exit(0 if rows(engine, COUNT, people) == [{"n": 6}] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert sum(batch.num_rows for batch in held.batches()) == 1_000_000
    assert rows(engine, COUNT, people) == [{"n": 6}]


def test_workers_see_no_variable_of_ours_that_they_were_not_given(
    tmp_path: Path, people: Pin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_X_POSTGRES", "postgresql://somebody:a-secret@host/db")
    engine = an_engine(tmp_path, environment={**OURS, "TZ": "Asia/Tokyo"}, drivers={"PGPASSWORD": "another-secret"})
    assert rows(engine, "SELECT current_setting('TimeZone') AS tz", people) == [{"tz": "Asia/Tokyo"}]
    for process in [*zygotes(), *workers()]:
        told = " ".join([*process.cmdline(), *(f"{name}={value}" for name, value in process.environ().items())])
        assert "secret" not in told


def test_where_nothing_forks_a_worker_starts_from_nothing(
    tmp_path: Path, people: Pin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "FORKS", False)
    engine, before = an_engine(tmp_path), {each.pid for each in psutil.Process().children()}
    assert rows(engine, COUNT, people) == [{"n": 6}]
    assert rows(engine, COUNT, people) == [{"n": 6}]
    running = engine.run(governed(MANY, people), {})
    running.close()
    engine.close()
    assert not spilled(tmp_path)
    assert {each.pid for each in psutil.Process().children()} <= before


@pytest.mark.parametrize(
    "frame",
    [
        b"r" + (2**63).to_bytes(8, "big"),
        b"s" + (3).to_bytes(8, "big") + b"abc",
        b"x" + (3).to_bytes(8, "big") + b"abc",
        b"zz",
        b"",
    ],
    ids=["length", "schema", "failure", "cut off", "nothing"],
)
def test_frames_of_somebody_else_are_the_end_of_a_worker(engine: DuckDBEngine, people: Pin, frame: bytes) -> None:
    """The caller parses lengths, JSON and Arrow, and believes none of them."""
    session = engine.session((people,))
    worker = session._hold.worker
    assert worker is not None
    ours, theirs = socket.socketpair()
    worker._born = replace(worker._born, socket=ours)
    with theirs:
        theirs.sendall(frame)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(EngineError, match="ended before its answer"):
            session.run(governed(COUNT, people))
    session.close()
    assert rows(engine, COUNT, people) == [{"n": 6}]
