"""S3 that stumbles: a clear error or success, never a partial version, no acknowledged version lost."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from botocore.retries.standard import ExponentialBackoff

from mesh_defs.errors import StorageError, StorageUnreachableError
from mesh_defs.model.place import S3Access
from mesh_defs.model.version import Candidate, Version
from mesh_defs.storage import s3_client
from mesh_defs.storage.base import Storage
from tests.storage.places import Place, s3_place
from tests.storage.s3_faults import Asked, Fault, Proxy, proxied

FAULTS: tuple[Fault, ...] = ("busy", "cut", "lost", "torn")
SECRET = "of-the-mesh"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "ANSWER_SECONDS_MAX", 2.0)
    monkeypatch.setattr(s3_client, "ATTEMPTS_MAX", 2)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)


@pytest.fixture
def proxy(s3_server: S3Access) -> Iterator[Proxy]:
    with proxied(s3_server) as proxy:
        yield proxy


@pytest.fixture
def place(proxy: Proxy, bucket: str) -> Place:
    """The place as seen through the proxy."""
    return s3_place(proxy.access, bucket)


@pytest.fixture
def sound(s3_server: S3Access, bucket: str) -> Place:
    """The same place, as it is."""
    return s3_place(s3_server, bucket)


@pytest.fixture
def kind() -> str:
    return "s3"


def once(fault: Fault, matches: Callable[[Asked], bool], *, times: int = 1) -> Callable[[Asked], Fault | None]:
    """Break the first requests that match."""
    left = times

    def choose(asked: Asked) -> Fault | None:
        nonlocal left
        if left and matches(asked):
            left -= 1
            return fault
        return None

    return choose


def to(name: str, method: str = "PUT") -> Callable[[Asked], bool]:
    return lambda asked: asked.method == method and name in asked.path


def read(place: Place, version: Version, select: str = "*") -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(
            f"SELECT {select} FROM {place.storage().relation(connection, version.parts)}"
        ).fetchall()


@pytest.mark.parametrize("fault", FAULTS)
def test_one_stumble_of_any_request_is_not_noticed(place, sound, proxy, connection, fault) -> None:
    """Each request of a publication in turn; boto3 asks again, and what was done twice is known for what it is."""
    storage, n = place.storage(), 0
    storage.publish(storage.stage(connection, "SELECT 0 AS n"), stamp={})
    while True:
        asked = len(proxy.asked)
        proxy.choose = lambda one, at=asked + n: fault if len(proxy.asked) == at + 1 else None
        version = storage.publish(storage.stage(connection, f"SELECT {n} AS n"), stamp={"n": n})
        assert sound.storage().current() == version == storage.current()
        assert read(sound, version) == [(n,)]
        if len(proxy.asked) < asked + n:
            break
        n += 1
    assert n > 6
    assert len(sound.storage().versions()) == n + 2


@pytest.mark.parametrize("name", ["0.parquet", "fate", "history/", "manifest.json"])
@pytest.mark.parametrize("fault", ["busy", "cut", "lost", "slow"])
def test_a_publication_that_fails_for_good_leaves_the_last_good_version(
    place, sound, proxy, connection, name, fault
) -> None:
    storage = place.storage()
    before = storage.publish(storage.stage(connection, "SELECT 1 AS n", partition="mon"), stamp={})
    proxy.choose = once(fault, to(name), times=99)
    try:
        candidate = storage.stage(connection, "SELECT 2 AS n", partition="tue")
        version = storage.publish(candidate, stamp={})
    except StorageUnreachableError as error:
        assert error.retryable
        assert SECRET not in str(error)
        assert "secret-of-the-server" not in str(error)
        assert "X-Amz" not in str(error)
    else:
        assert fault in ("lost", "slow"), "it was done: only the answer was missing"
        assert sound.storage().current() == version
    proxy.choose = lambda asked: None
    seen = sound.storage().current()
    assert seen.recovered is None
    assert {part.partition for part in before.parts} <= {part.partition for part in seen.parts}
    later = storage.publish(storage.stage(connection, "SELECT 3 AS n", partition="wed"), stamp={})
    assert {"mon", "wed"} <= {part.partition for part in later.parts}
    assert (1,) in read(sound, later)
    assert (3,) in read(sound, later)


def test_an_upload_reset_in_its_middle_leaves_no_part(place, sound, proxy, connection) -> None:
    select = "SELECT range AS i, md5(range::VARCHAR) AS h FROM range(700_000)"
    storage = place.storage()
    proxy.choose = once("cut", lambda asked: "partNumber=2" in asked.path, times=99)
    with pytest.raises(StorageUnreachableError, match="cannot be uploaded"):
        storage.stage(connection, select)
    assert sound.stored() == set()
    proxy.choose = once("cut", lambda asked: "partNumber=2" in asked.path)
    assert read(sound, storage.publish(storage.stage(connection, select), stamp={}), "count(*)") == [(700_000,)]


def test_uploads_that_nobody_finished_are_given_up_when_they_are_old(place, sound, s3_server, bucket) -> None:
    client = s3_client.s3_client(s3_server)
    begun = client.create_multipart_upload(Bucket=bucket, Key="events/impressions/parts/x/0.parquet")
    other = client.create_multipart_upload(Bucket=bucket, Key="events/impressions2/parts/x/0.parquet")
    storage = sound.storage()  # to moto, every upload has begun on 2010-11-10
    assert storage.sweep(datetime.now(UTC), 1e9) == ()
    assert storage.sweep(datetime.now(UTC), 3600) == ("parts/x/0.parquet",)
    left = [each["UploadId"] for each in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
    assert begun["UploadId"] not in left
    assert other["UploadId"] in left


@pytest.mark.parametrize("name", ["fate", "history/", "manifest.json"])
def test_a_request_that_arrives_late_breaks_nothing(place, sound, proxy, connection, name) -> None:
    """The publisher gave up and threw its candidate away; then S3 does what it was asked long ago."""
    storage = place.storage()
    storage.publish(storage.stage(connection, "SELECT 1 AS n", partition="mon"), stamp={})
    candidate = storage.stage(connection, "SELECT 2 AS n", partition="tue")
    proxy.choose = once("late", to(name), times=99)
    with pytest.raises(StorageUnreachableError):
        storage.publish(candidate, stamp={})
    proxy.choose = lambda asked: None
    storage.discard(candidate)
    proxy.land()
    for day in ("wed", "thu"):
        version = storage.publish(storage.stage(connection, "SELECT 3 AS n", partition=day), stamp={})
        storage.sweep(datetime.now(UTC) + timedelta(hours=2), 3600)
        assert (1,) in read(sound, version)
        assert len(read(sound, sound.storage().current())) == len(version.parts)


@pytest.mark.parametrize("name", ["fate", "history/", "manifest.json"])
def test_a_request_that_arrives_after_a_newer_version_does_not_undo_it(place, sound, proxy, connection, name) -> None:
    storage = place.storage()
    storage.publish(storage.stage(connection, "SELECT 1 AS n"), stamp={})
    proxy.choose = once("late", to(name), times=99)
    with pytest.raises(StorageUnreachableError):
        storage.publish(storage.stage(connection, "SELECT 2 AS n"), stamp={})
    proxy.choose = lambda asked: None
    newest = storage.publish(storage.stage(connection, "SELECT 3 AS n"), stamp={})
    proxy.land()
    assert storage.current() == newest
    assert read(sound, newest) == [(3,)]


INTRUDERS: dict[str, Callable[[Storage, Candidate, Candidate], object]] = {
    "a sweep a year ahead": lambda it, mine, other: it.sweep(datetime.now(UTC) + timedelta(days=365), 3600),
    "a refusal": lambda it, mine, other: it.refuse(mine, [{"check": "x"}]),
    "a discard": lambda it, mine, other: it.discard(mine),
    "another publication": lambda it, mine, other: it.publish(other, stamp={}),
    "the same publication": lambda it, mine, other: it.publish(mine, stamp={}),
}


@pytest.mark.parametrize("intruder", INTRUDERS)
def test_whoever_comes_between_two_requests_of_a_publication_breaks_nothing(
    place, sound, proxy, connection, intruder
) -> None:
    storage, outside, n = place.storage(), sound.storage(), 0
    storage.publish(storage.stage(connection, "SELECT 'kept' AS p, 0 AS n", partition="kept"), stamp={})
    while True:
        mine, other = (
            storage.stage(connection, f"SELECT '{p}' AS p, {n} AS n", partition=p) for p in ("mine", "other")
        )
        intruded: list[bool] = []
        at = len(proxy.asked) + n

        def intrude(asked: Asked, at=at, mine=mine, other=other, intruded=intruded) -> None:
            if len(proxy.asked) == at + 1:
                proxy.choose = lambda asked: None
                try:
                    INTRUDERS[intruder](outside, mine, other)
                    intruded.append(True)
                except StorageError:
                    intruded.append(False)

        proxy.choose = intrude
        try:
            storage.publish(mine, stamp={})
            published = True
        except StorageError as error:
            published = False
            assert "is missing" in str(error) or "published before" in str(error)
        now = outside.current()
        found = dict(read(sound, now))
        assert found["kept"] == 0
        assert not published or found["mine"] == n
        assert intruder != "another publication" or not intruded or found["other"] == n
        if not intruded:
            break
        n += 1
    assert n > 4


def test_a_publication_cut_off_after_its_record_is_caught_up_with(place, sound, proxy, connection) -> None:
    storage = place.storage()
    storage.publish(storage.stage(connection, "SELECT 1 AS n", partition="mon"), stamp={})
    candidate = storage.stage(connection, "SELECT 2 AS n", partition="tue")
    proxy.choose = once("cut", to("manifest.json"), times=99)
    with pytest.raises(StorageUnreachableError):
        storage.publish(candidate, stamp={})
    assert read(sound, sound.storage().current()) == [(1,)]
    proxy.choose = lambda asked: None
    again = storage.publish(candidate, stamp={})
    assert again.id == candidate.id
    assert storage.current() == again
    assert read(sound, again) == [(1,), (2,)]


def test_a_listing_may_be_old(place, sound, proxy, connection) -> None:
    """Every listing is as it was at the beginning: nothing that matters is decided by one."""
    storage = place.storage()
    proxy.choose = lambda asked: "stale" if "list-type=2" in asked.path else None
    assert storage.versions() == ()
    storage.sweep(datetime.now(UTC), 0)
    versions = [storage.publish(storage.stage(connection, f"SELECT {n} AS n"), stamp={}) for n in range(4)]
    assert storage.versions() == tuple(versions[::-1])
    sound.objects.remove(["manifest.json"])
    assert storage.current().id == versions[-1].id
    assert "is gone" in storage.current().recovered
    newest = storage.publish(storage.stage(connection, "SELECT 9 AS n"), stamp={})
    assert storage.sweep(datetime.now(UTC) + timedelta(hours=2), 3600)
    assert storage.versions() == (newest,)
    assert read(sound, newest) == [(9,)]


def test_a_listing_that_shows_what_is_gone_removes_nothing_else(place, sound, proxy, connection) -> None:
    storage = place.storage()
    for n in range(3):
        storage.publish(storage.stage(connection, f"SELECT {n} AS n"), stamp={})
    proxy.choose = lambda asked: "stale" if "list-type=2" in asked.path else None
    for _ in range(2):
        storage.sweep(datetime.now(UTC) + timedelta(hours=2), 3600)
        assert read(sound, storage.current()) == [(2,)]
    assert len(storage.versions()) == 1


def test_an_s3_that_ignores_conditions_is_refused(place, sound, proxy, connection) -> None:
    storage = place.storage()
    proxy.choose = lambda asked: "unconditional"
    with pytest.raises(StorageError, match="ignores the conditions of a PUT — use an S3 API that honours"):
        storage.publish(storage.stage(connection, "SELECT 1 AS n"), stamp={})
    assert sound.storage().current() is None


def test_a_reader_gets_an_error_without_secrets_and_then_an_answer(place, proxy, connection) -> None:
    storage = place.storage()
    version = storage.publish(storage.stage(connection, "SELECT 1 AS n"), stamp={})
    for fault in ("busy", "cut", "torn"):
        proxy.choose = once(fault, lambda asked: asked.method in ("GET", "HEAD"), times=99)
        for ask in (storage.current, storage.versions, lambda: storage.pin("a.b", version)):
            try:
                ask()
            except StorageUnreachableError as error:
                assert SECRET not in str(error)
                assert place.server.place in str(error)
            else:
                assert fault == "torn", "a HEAD has nothing to be torn"
        proxy.choose = lambda asked: None
        assert storage.current() == version


@pytest.mark.parametrize("seed", range(3))
def test_whatever_goes_wrong_nothing_acknowledged_is_lost(place, sound, proxy, connection, seed) -> None:
    publish_while_stumbling(place, sound, proxy, connection, seed=seed, publications=15)


def publish_while_stumbling(place, sound, proxy, connection, *, seed: int, publications: int) -> None:
    """A third of all requests fail in one way or another, and some are done long after. Partitions only go forward."""
    chance, storage, now = random.Random(seed), place.storage(), datetime.now(UTC)
    acknowledged: dict[str, int] = {}
    tried: dict[str, set[int]] = {}
    proxy.choose = lambda asked: chance.choice((*FAULTS, "late")) if chance.random() < 0.33 else None
    for n in range(1, publications + 1):
        day = chance.choice("abc")
        try:
            candidate = storage.stage(connection, f"SELECT '{day}' AS day, {n} AS n FROM range(10)", partition=day)
            tried.setdefault(day, set()).add(n)
            try:
                storage.publish(candidate, stamp={})
                acknowledged[day] = n
            except StorageError:
                storage.discard(candidate)
                raise
            finally:
                storage.sweep(now + timedelta(hours=chance.choice([0, 0, 2])), 3600)
        except StorageError as error:
            assert SECRET not in str(error)
        if chance.random() < 0.3:
            proxy.land()
        version = sound.storage().current()
        if version is None:
            assert not acknowledged
            continue
        found = {day: (least, most, count) for day, least, most, count in _by_day(sound, version)}
        assert acknowledged.keys() <= found.keys()
        for day, (least, most, count) in found.items():
            assert least == most
            assert count == 10
            assert least in tried[day]
            assert least >= acknowledged.get(day, 0)
            acknowledged[day] = least  # what was seen once is not lost either


def _by_day(place: Place, version: Version) -> list[tuple[str, int, int, int]]:
    with duckdb.connect() as connection:
        relation = place.storage().relation(connection, version.parts)
        query = f"SELECT day, min(n), max(n), count(*) FROM {relation} GROUP BY day"
        return connection.execute(query).fetchall()
