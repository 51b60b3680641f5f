"""A question between two organisations: what it takes, against copying the tables and against one database; and what noise costs.

    python -m benchmarks.room [--persons 1_000_000] [--rows 6_000_000] [--repeats 3] [--json]

Two parties and the join run as processes of their own on this machine, with a tap before each. A million customers, six million
impressions of them in 20 campaigns (5.2 million different pairs), one question by campaign: rows, persons, a sum. `room_seconds`
is by the clock, from the question to its answer, the best of the repeats, for others use this machine too; `room_cpu_seconds` is
what all three processes spent, and what they started. Each repeat has new processes and a room in which nothing was asked before.

`partial_…`: until a party's partial begins to arrive, its SQL and its wrapping; `transport_seconds`: from there until both are
there; `added_up_seconds`: until the parties are told of a release; `signed_seconds`: from there to the answer. The
parties work at the same time. `copied_…`: both tables' shared columns as Parquet with zstd, written, read and joined by another
process' DuckDB, without a network; `plain_…`: the question in one DuckDB over the published tables. The `privacy_…` figures
are those of `benchmarks.room_privacy`.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb

from benchmarks import room_privacy
from benchmarks.report import Target, report
from benchmarks.room_mesh import ADVERTISER, PUBLISHER, QUESTION, Exchange, Processes, Table, processes, tables

TARGETS: Mapping[str, Target] = {
    "room_seconds": {"at_most": 5.0},
    "room_megabytes": {"at_most": 40.0},
    **room_privacy.TARGETS,
}
_MEGA = 1_000_000


def main() -> int:
    """Measure and print; returns 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=6_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = measured(persons=asked.persons, rows=asked.rows, repeats=asked.repeats)
    figures |= room_privacy.measured(persons=asked.persons, rows=asked.rows, repeats=asked.repeats)
    return report(figures, TARGETS, as_json=asked.json)


def measured(*, persons: int, rows: int, repeats: int) -> dict[str, float]:
    """Return the figures of the question: seconds, megabytes (10^6 bytes), bytes for each person of both sides."""
    with tempfile.TemporaryDirectory() as name:
        made = tables(Path(name), persons=persons, rows=rows)
        plain = [_timed(lambda: _plain(made)) for _ in range(repeats)]
        copied = [_timed(lambda: _copied(made, Path(name) / "copies")) for _ in range(repeats)]
        megabytes = sum(file.stat().st_size for file in (Path(name) / "copies").iterdir()) / _MEGA
        runs = [_run(Path(name), made) for _ in range(repeats)]
    figures = min(runs, key=lambda run: run["room_seconds"])
    figures["room_cpu_seconds"] = statistics.median(run["room_cpu_seconds"] for run in runs)
    return {
        **figures,
        "bytes_for_each_person": figures["room_megabytes"] * _MEGA / (2 * persons),
        "copied_megabytes": megabytes,
        "copied_seconds": min(seconds for seconds, _ in copied),
        "copied_cpu_seconds": statistics.median(cpu for _, cpu in copied),
        "plain_seconds": min(seconds for seconds, _ in plain),
        "plain_cpu_seconds": statistics.median(cpu for _, cpu in plain),
    }


def _run(folder: Path, made: Mapping[str, Table]) -> dict[str, float]:
    with processes(folder, made) as room:
        before, began = room.cpu_seconds(), time.monotonic()
        groups = room.ask()
        ended = time.monotonic()
        cpu = room.cpu_seconds() - before
        _require_equal([(*each.values, *each.numbers) for each in groups], _plain(made))
        return {"room_seconds": ended - began, "room_cpu_seconds": cpu, **_steps(room, began, ended)}


def _steps(room: Processes, began: float, ended: float) -> dict[str, float]:
    """Seconds of the run's steps, and what passed between the processes: not what a person says to their own."""
    passed = [each for each in room.settled() if each.kind != "ask"]
    partials = {each.to: each for each in passed if each.kind == "partial"}
    there = max(each.answered for each in partials.values())
    committed = min(each.sent for each in passed if each.kind == "commit")
    return {
        "room_megabytes": sum(each.size for each in passed) / _MEGA,
        f"{PUBLISHER}_megabytes": partials[PUBLISHER].size / _MEGA,
        f"{ADVERTISER}_megabytes": partials[ADVERTISER].size / _MEGA,
        "prepared_seconds": min(each.sent for each in partials.values()) - began,
        f"partial_{PUBLISHER}_seconds": _waited(partials[PUBLISHER]),
        f"partial_{ADVERTISER}_seconds": _waited(partials[ADVERTISER]),
        "transport_seconds": there - max(each.answering for each in partials.values()),
        "added_up_seconds": committed - there,
        "signed_seconds": ended - committed,
    }


def _waited(each: Exchange) -> float:
    return each.answering - each.sent


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of CPU."""
    clock, cpu = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - clock, time.process_time() - cpu


def _plain(made: Mapping[str, Table]) -> list[tuple[object, ...]]:
    return _answer({name: table.file for name, table in made.items()})


def _copied(made: Mapping[str, Table], folder: Path) -> list[tuple[object, ...]]:
    """What else a party would have to do: send what it shares to whoever joins."""
    folder.mkdir(exist_ok=True)
    copies = {name: folder / f"{name}.parquet" for name in made}
    with duckdb.connect(config={"threads": 2}) as connection:
        for name, columns in ((PUBLISHER, "email, campaign, cost"), (ADVERTISER, "email")):
            select = f"SELECT {columns} FROM read_parquet('{made[name].file}')"
            connection.execute(f"COPY ({select}) TO '{copies[name]}' (FORMAT parquet, COMPRESSION zstd)")
    return _answer(copies)


def _answer(files: Mapping[str, Path]) -> list[tuple[object, ...]]:
    with duckdb.connect(config={"threads": 2}) as connection:
        for name, view in ((PUBLISHER, "impressions"), (ADVERTISER, "customers")):
            connection.execute(f"CREATE SCHEMA {name}")
            connection.execute(f"CREATE VIEW {name}.{view} AS SELECT * FROM read_parquet('{files[name]}')")
        return connection.execute(QUESTION).fetchall()


def _require_equal(found: Sequence[tuple[object, ...]], plain: Sequence[tuple[object, ...]]) -> None:
    if sorted(map(str, found)) != sorted(map(str, plain)):
        raise AssertionError("the room answers otherwise than one database")


if __name__ == "__main__":
    raise SystemExit(main())
