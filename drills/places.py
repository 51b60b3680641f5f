"""What happens to one place, whatever its storage: a stale lock, a damaged pointer, a clock that jumps."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import duckdb
import psycopg

from drills.drill import HANGS_AFTER_SECONDS, Drill, LostError, Task, require, times
from drills.ground import KINDS, Place, StorageKind
from drills.mesh import left_after_sweep
from drills.stops import SELECTED, select
from drills.watch import watching
from drills.writer import publish, work_at
from mesh_defs.errors import MeshError

_DAYS = (-400, -30, -1, 1, 30, 400)
# Where in its publication the holder stops; in Postgres, and for a table in its catalog, after it has taken the lock.
_WRITES: dict[StorageKind, range] = {
    "parquet": range(5),
    "duckdb": range(5),
    "postgres": range(4, 11),
    "s3": range(5),
    "iceberg": range(6, 20),
}
# Their pointer flips in one transaction, so that nothing can tear it: one changed by hand is told, not guessed at.
_TOLD = ("postgres", "iceberg")


def drills() -> list[Drill]:
    """Each on every kind of storage."""
    told: dict[str, tuple[str, Callable[..., str]]] = {
        "stale-lock": ("the holder of the lock stopped by SIGSTOP in the flip, then killed", _stale_lock),
        "pointer": ("a damaged pointer: torn, emptied, overwritten, lost", _pointer),
        "clock": ("a clock that jumps by days, to and fro, between any two steps", _clock),
    }
    return [
        Drill(name=name, part=kind, told=words, run=partial(run, kind=kind))
        for name, (words, run) in told.items()
        for kind in KINDS
    ]


def generation_at(place: Place) -> int:
    """Read what is current in full: its generation. LostError when it is not whole."""
    storage = place.storage()
    version = storage.current()
    if version is None:
        raise LostError("there is no version any more")
    with duckdb.connect(config={"threads": 1}) as connection:
        relation = storage.relation(connection, version.parts)
        [(least, most, count, distinct)] = connection.execute(f"SELECT {SELECTED} FROM {relation}").fetchall()
    require(least == most and count == distinct == version.rows, f"the version is not whole: {count} rows")
    return int(most)


def write(place: Place, generation: int) -> None:
    """Publish one generation, in this process."""
    with duckdb.connect(config={"threads": 1}) as connection:
        publish(place.storage(), connection, generation)


def require_tidy(place: Place, *, days: float = 1) -> None:
    """After the sweep nothing lies there that no version names."""
    left = left_after_sweep(place, days=days)
    require(not left, f"{len(left)} orphans outlive the sweep, the first: {left[:1]}")


def _stale_lock(task: Task, *, kind: StorageKind) -> str:
    place, refused = task.ground.place(kind), 0
    write(place, 1)
    with watching(place=place) as seen:
        for n in range(task.rounds):
            before = generation_at(place)
            holder = _stopped(place, before + 1, task.chance.choice(_WRITES[kind]))
            try:
                require(generation_at(place) in (before, before + 1), "the holder's version is read before its flip")
                refused += _impatient_write(place, before + 2)
            finally:
                holder.kill()
                holder.communicate(timeout=HANGS_AFTER_SECONDS)
            write(place, before + 3)
            require(generation_at(place) == before + 3, f"round {n}: what was acknowledged is not read")
    require_tidy(place)
    return f"{times(task.rounds)}, the other writer {refused} times told who holds it, {seen.reads} reads"


def _stopped(place: Place, generation: int, stop_at: int) -> "subprocess.Popen[str]":
    """A writer that has stopped at a write of its publication, lock in hand where there is one."""
    work = work_at(place, first=generation, last=generation, stop_at=stop_at)
    process = subprocess.Popen(work.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    require(os.WIFSTOPPED(status), "the holder ended before it was stopped")
    require(os.WSTOPSIG(status) == signal.SIGSTOP, "the holder was stopped by somebody else")
    return process


def _impatient_write(place: Place, generation: int) -> int:
    """Write while the holder stands still: it works, or a clear error says what is in the way. Returns 1 for the error."""
    work = work_at(place, first=generation, last=generation, impatient=True)
    done = subprocess.run(work.command(), capture_output=True, text=True, timeout=HANGS_AFTER_SECONDS, check=False)
    require(done.returncode == 0, f"the other writer crashed: {done.stderr[-300:]}")
    if done.stdout.startswith("published"):
        require(generation_at(place) == generation, "the other writer's version is not read")
        return 0
    require("lock" in done.stdout, f"the other writer's error does not name the lock: {done.stdout}")
    return 1


def _pointer(task: Task, *, kind: StorageKind) -> str:
    place, storages = task.ground.place(kind), task.ground
    damages = _RECORDS if kind == "postgres" else _DOCUMENTS
    write(place, 1)
    with watching(place=place, may_fail=kind in _TOLD) as seen:
        for generation in range(2, 2 + task.rounds * len(damages)):
            write(place, generation)
            damage = damages[generation % len(damages)]
            if kind == "postgres":
                _damage_rows(place, damage, generation)
            elif kind == "iceberg":
                with _damaged_file(place, task.chance, damage):
                    _require_told(place)
                require(generation_at(place) == generation, "the restored table is not read")
            else:
                _damage_document(place, task.chance.randbytes(task.chance.randrange(1, 400)), damage)
                require(generation_at(place) == generation, "the last good version is not read")
    write(place, 1000)
    require(generation_at(place) == 1000, "the clean retry is not read")
    current = storages.sound(place).storage().current()
    require(current and current.recovered is None, "the clean retry did not mend the pointer")
    require_tidy(place)
    unread = f", {seen.unanswered} clear errors" if kind in _TOLD else ""
    return f"{times(task.rounds * len(damages))}, {seen.reads} reads{unread}"


_DOCUMENTS = ("torn", "empty", "overwritten", "lost")
_RECORDS = ("UPDATE mesh_history SET record = '{}' WHERE sequence = %s", "DELETE FROM mesh_pointer WHERE sequence = %s")


def _damage_document(place: Place, noise: bytes, damage: str) -> None:
    """Break the pointer; a mended one is left by the next publication."""
    content = _broken(_read_pointer(place), noise, damage)
    if place.server.kind == "s3":
        if content is None:
            place.objects.remove(["manifest.json"])
        else:
            place.objects.put("manifest.json", content)
    elif content is None:
        (place.folder / "manifest.json").unlink()
    else:
        (place.folder / "manifest.json").write_bytes(content)


def _broken(whole: bytes, noise: bytes, damage: str) -> bytes | None:
    return {"torn": whole[: len(whole) // 2], "empty": b"", "overwritten": noise, "lost": None}[damage]


@contextmanager
def _damaged_file(place: Place, chance: Random, damage: str) -> Iterator[None]:
    """Break the record of the version that readers see, or the metadata that the catalog points to, and restore it."""
    with psycopg.connect(place.access.postgres or "") as owner:
        row = owner.execute("SELECT metadata_location FROM mesh_iceberg.iceberg_tables").fetchone()
    metadata = Path(str(row[0] if row else "").removeprefix("file://"))
    record = max((place.folder / "history").iterdir(), key=lambda path: path.name)
    file = chance.choice([record, metadata])
    whole = file.read_bytes()
    broken = _broken(whole, chance.randbytes(chance.randrange(1, 400)), damage)
    if broken is None:
        file.unlink()
    else:
        file.write_bytes(broken)
    yield
    file.write_bytes(whole)


def _require_told(place: Place) -> None:
    try:
        generation_at(place)
    except MeshError as error:
        require("restore" in str(error), f"the error does not say how to mend it: {error}")
        return
    raise LostError("a changed pointer is believed")


def _read_pointer(place: Place) -> bytes:
    if place.server.kind == "s3":
        found = place.objects.get("manifest.json")
        return found.content if found else b""
    return (place.folder / "manifest.json").read_bytes()


def _damage_rows(place: Place, damage: str, generation: int) -> None:
    """Change the pointer's row, or its record's, by hand; see that it is told; restore it as the error says."""
    schema = place.server.place
    with psycopg.connect(place.access.postgres or "", options=f"-c search_path={schema}") as owner:
        [(sequence, record)] = owner.execute(
            "SELECT sequence, record::text FROM mesh_history JOIN mesh_pointer USING (sequence)"
        ).fetchall()
        owner.execute(damage, [sequence])
        owner.commit()
        _require_told(place)
        owner.execute("UPDATE mesh_history SET record = %s::json WHERE sequence = %s", [record, sequence])
        owner.execute("INSERT INTO mesh_pointer (sequence) VALUES (%s) ON CONFLICT DO NOTHING", [sequence])
    require(generation_at(place) == generation, "the restored pointer is not read")


def _clock(task: Task, *, kind: StorageKind) -> str:
    """Sweeps run by the jumping clock, too: by it, what was just replaced is old, and a reader may have to ask again."""
    place, now = task.ground.place(kind), datetime.now(UTC)

    def jumping() -> datetime:
        return now + timedelta(days=task.chance.choice(_DAYS))

    storage, generation, swept_before = place.storage(jumping), 0, 0
    write(place, 0)
    with watching(place=place, may_fail=True) as seen, duckdb.connect(config={"threads": 1}) as connection:
        for generation in range(1, 1 + task.rounds * 10):
            candidate = storage.stage(connection, select(generation))
            bad = storage.stage(connection, select(-1))
            if task.chance.random() < 0.5:
                storage.sweep(jumping(), 86_400.0)
            with suppress(MeshError):  # a sweep may have taken it, whose clock says that it is a year old
                storage.refuse(bad, [{"check": "drill"}])
            try:
                storage.publish(candidate, stamp={"contract_version": "1.0.0"})
            except MeshError as error:
                require("is missing" in str(error), f"not a clear error: {error}")
                swept_before += 1
                publish(storage, connection, generation)
            require(generation_at(place) == generation, "what was acknowledged is not read")
            storage.sweep(jumping(), 86_400.0)
            require(generation_at(place) == generation, "what was acknowledged did not outlive the sweep")
    require_tidy(place, days=900)
    again = f"{swept_before} candidates made again, {seen.unanswered} reads asked again"
    return f"{times(task.rounds * 10)}, {seen.reads} reads, {again}"
