"""What happens below the storages: a Postgres that crashes, a disk that is full, an S3 that stumbles."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from time import sleep

import duckdb

from drills.disk import filled, small_disk
from drills.drill import HANGS_AFTER_SECONDS, Drill, LostError, Task, require, times, until
from drills.ground import KINDS, Ground, Place, StorageKind
from drills.places import generation_at, require_tidy, write
from drills.watch import watching
from drills.writer import publish, work_at
from mesh_defs.errors import MeshError, StorageError
from tests.storage.places import folder_place, iceberg_place, postgres_place
from tests.storage.postgres_crashes import Server
from tests.storage.s3_faults import Asked, Fault

# Random numbers do not compress: twice what the disk holds, and a Postgres needs room of its own.
_BIG = "SELECT range AS person_id, 'north' AS region, 0 AS generation, random() AS a, random() AS b FROM range({rows})"
_DISK_MEGABYTES: dict[StorageKind, int] = {"parquet": 4, "duckdb": 8, "postgres": 160, "s3": 4, "iceberg": 4}
_ROWS: dict[StorageKind, int] = {
    "parquet": 600_000,
    "duckdb": 1_200_000,
    "postgres": 3_000_000,
    "s3": 600_000,
    "iceberg": 600_000,
}
# What one small publication takes, or a little more: so that it fails at any of its writes.
_PAGES: dict[StorageKind, int] = {"parquet": 6, "duckdb": 200, "postgres": 80, "s3": 4, "iceberg": 30}
_S3: dict[str, tuple[str, tuple[Fault, ...], float]] = {
    "s3-503": ("S3 answering 503", ("busy",), 0.4),
    "s3-timeout": ("S3 timing out", ("slow",), 0.25),
    "s3-reset": ("S3 resetting, losing and tearing answers", ("cut", "lost", "torn", "late"), 0.4),
}


def drills() -> list[Drill]:
    """Postgres, the disk, S3."""
    disks = [
        Drill(name="full-disk", part=kind, told="a disk that is full", run=partial(_full_disk, kind=kind))
        for kind in KINDS
    ]
    stumbling = [
        Drill(name=name, part="s3", told=told, run=partial(_stumbling, faults=faults, often=often))
        for name, (told, faults, often) in _S3.items()
    ]
    crash = Drill(name="crash", part="postgres", told="kill -9 of Postgres in mid-write, restart", run=_crash)
    return [crash, *disks, *stumbling]


def _crash(task: Task) -> str:
    """A writer publishes without a pause; the server is killed a moment after it acknowledged something."""
    server, place = task.ground.postgres, task.ground.place("postgres")
    write(place, 1)
    acknowledged = 1
    with watching(place=place, may_fail=True) as seen:
        for _ in range(task.rounds):
            with _writing(place, acknowledged + 1) as told:
                for _ in range(task.chance.randrange(1, 6)):
                    next(told)
                sleep(task.chance.uniform(0, 0.2))
                server.crash()
                published = [int(line.split()[1]) for line in told if line.startswith("published")]
            acknowledged = max([acknowledged, *published])
            server.start()
            read = generation_at(place)
            require(read >= acknowledged, f"generation {acknowledged} was acknowledged, {read} is read")
            acknowledged = read
    write(place, acknowledged + 1)
    require(generation_at(place) == acknowledged + 1, "the clean retry is not read")
    require_tidy(place)
    return (
        f"{times(task.rounds)}, {acknowledged} versions acknowledged, {seen.reads} reads, {seen.unanswered} unanswered"
    )


@contextmanager
def _writing(place: Place, first: int) -> Iterator[Iterator[str]]:
    """What a writer tells, until it fails for the first time."""
    work = work_at(place, first=first, impatient=True)
    process = subprocess.Popen(work.command(), stdout=subprocess.PIPE, text=True)

    def told() -> Iterator[str]:
        for line in process.stdout or ():
            yield line
            if line.startswith("failed"):
                return

    try:
        yield told()
    finally:
        process.kill()
        process.communicate(timeout=HANGS_AFTER_SECONDS)


def _full_disk(task: Task, *, kind: StorageKind) -> str:
    """Once while a part is written that is larger than the disk, then with only some pages left for a publication."""
    with small_disk(task.ground, _DISK_MEGABYTES[kind]) as (disk, told), _place_on(disk, kind, task.ground) as place:
        write(place, 1)
        failed = 0
        with watching(place=place, may_fail=kind == "postgres") as seen:
            _require_told(lambda: _write_big(place, disk, kind))
            _back(place)
            require(generation_at(place) == 1, "the last good version is not read")
            for generation in range(2, 2 + 4 * task.rounds):
                before = generation_at(place)
                with filled(disk, task.chance.randrange(_PAGES[kind]) * 4096):
                    failed += _written_or_told(place, disk, kind, generation)
                _back(place)
                require(generation_at(place) >= before, "the last good version is not read")
                write(place, generation)
                require(generation_at(place) == generation, "the clean retry is not read")
        require_tidy(place)
    return f"{told}; {times(1 + 4 * task.rounds)}, {failed + 1} told, {seen.reads} reads"


@contextmanager
def _place_on(disk: Path, kind: StorageKind, ground: Ground) -> Iterator[Place]:
    """A place whose bytes, or whose server's, or whose step's spill, lie on this disk."""
    if kind == "s3":
        yield ground.place("s3")
    elif kind == "postgres":
        server = Server(disk / "data")
        _SERVERS[server.url] = server
        try:
            yield postgres_place(server.url)
        finally:
            server.stop()
            del _SERVERS[server.url]
    elif kind == "iceberg":
        yield iceberg_place(ground.database(), disk / "impressions")
    else:
        yield folder_place(kind, disk / "impressions")


_SERVERS: dict[str, Server] = {}


def _back(place: Place) -> None:
    """A Postgres that finds no room for its log stops; its operator starts it again."""
    server = _SERVERS.get(place.access.postgres or "")
    if not server:
        return

    def answers() -> bool:
        try:
            server.start()
            generation_at(place)
        except Exception:  # noqa: BLE001  it is recovering
            return False
        return True

    until(answers, "Postgres to come back")


def _write_big(place: Place, disk: Path, kind: StorageKind) -> None:
    with duckdb.connect(config={"temp_directory": str(disk / "spill")}) as connection:
        place.storage().stage(connection, _BIG.format(rows=_ROWS[kind]))


def _written_or_told(place: Place, disk: Path, kind: StorageKind, generation: int) -> int:
    """Write with hardly any room. Returns 1 when that was refused with a clear error."""
    try:
        with duckdb.connect(config={"temp_directory": str(disk / "spill")}) as connection:
            publish(place.storage(), connection, generation)
    except MeshError as error:
        require(isinstance(error, StorageError), f"not a storage's error: {error}")
        return 1
    require(generation_at(place) == generation, f"{kind}: what was acknowledged is not read")
    return 0


def _require_told(write_big: Callable[[], None]) -> None:
    try:
        write_big()
    except StorageError as error:
        require(error.fix, f"the error says no mend: {error}")
        return
    raise LostError("a part that is larger than the disk was written")


def _stumbling(task: Task, *, faults: tuple[Fault, ...], often: float) -> str:
    place, proxy = task.ground.place("s3"), task.ground.proxy
    sound = task.ground.sound(place)
    write(sound, 1)
    last = 1 + 6 * task.rounds
    with watching(place=sound) as seen:
        proxy.choose = _stumbles(task.chance, faults, often)
        try:
            work = work_at(place, first=2, last=last, impatient=True)
            done = subprocess.run(
                work.command(), capture_output=True, text=True, timeout=HANGS_AFTER_SECONDS, check=False
            )
        finally:
            proxy.choose = lambda asked: None
            proxy.land()
        require(done.returncode == 0, f"the writer crashed: {done.stderr[-400:]}")
        acknowledged = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("published")]
        read = generation_at(sound)
        require(read >= max([1, *acknowledged]), f"{max(acknowledged)} was acknowledged, {read} is read")
        write(sound, last + 1)
        require(generation_at(sound) == last + 1, "the clean retry is not read")
    require_tidy(sound)
    failed = last - 1 - len(acknowledged)
    return f"{times(last - 1)}, {len(acknowledged)} acknowledged, {failed} clear errors, {seen.reads} reads"


def _stumbles(chance: Random, faults: tuple[Fault, ...], often: float) -> Callable[[Asked], Fault | None]:
    return lambda asked: chance.choice(faults) if chance.random() < often else None
