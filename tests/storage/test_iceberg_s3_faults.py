"""An Iceberg table in a bucket that stumbles: a clear error or success, one commit or none, nothing acknowledged is lost."""

from datetime import UTC, datetime, timedelta

import pytest

from mesh_defs.errors import StorageUnreachableError
from mesh_defs.model.place import S3Access
from tests.storage.places import Place, iceberg_s3_place
from tests.storage.s3_faults import Proxy
from tests.storage.test_s3_faults import FAULTS, SECRET, impatient, once, proxy, publish_while_stumbling, read, to

__all__ = ["impatient", "proxy"]  # fixtures
REQUESTS = 8


@pytest.fixture
def place(proxy: Proxy, bucket: str, postgres: str) -> Place:
    """The place as seen through the proxy."""
    return iceberg_s3_place(postgres, proxy.access, bucket)


@pytest.fixture
def sound(s3_server: S3Access, bucket: str, postgres: str) -> Place:
    """The same place, as it is."""
    return iceberg_s3_place(postgres, s3_server, bucket)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_stumble_of_any_request_is_not_noticed(place, sound, proxy, connection, fault) -> None:
    """Each of the first requests of a publication in turn; boto3 asks again, and what was written twice is the same.

    Not of all: a publication reads the history, and so asks for more each time.
    """
    storage = place.storage()
    storage.publish(storage.stage(connection, "SELECT 0 AS n"), stamp={})
    for n in range(REQUESTS):
        asked = len(proxy.asked)
        proxy.choose = lambda one, at=asked + n: fault if len(proxy.asked) == at + 1 else None
        version = storage.publish(storage.stage(connection, f"SELECT {n} AS n"), stamp={"n": n})
        assert len(proxy.asked) > asked + n
        assert sound.storage().current() == version == storage.current()
        assert read(sound, version) == [(n,)]
    assert len(sound.storage().versions()) == REQUESTS + 1


@pytest.mark.parametrize("name", ["0.parquet", "0.avro", "history/", "-m0.avro", "snap-", ".metadata.json"])
@pytest.mark.parametrize("fault", ["busy", "cut", "lost", "slow"])
def test_a_publication_that_fails_for_good_leaves_the_last_good_version(
    place,
    sound,
    proxy,
    connection,
    name,
    fault,
) -> None:
    storage = place.storage()
    before = storage.publish(storage.stage(connection, "SELECT 1 AS n", partition="mon"), stamp={})
    proxy.choose = once(fault, to(name), times=99)
    candidate = None
    try:
        candidate = storage.stage(connection, "SELECT 2 AS n", partition="tue")
        version = storage.publish(candidate, stamp={})
    except StorageUnreachableError as error:
        assert error.retryable
        assert SECRET not in str(error)
        assert "secret-of-the-server" not in str(error)
        assert "X-Amz" not in str(error)
        assert sound.storage().current() == before
    else:
        assert fault in ("lost", "slow"), "it was done: only the answer was missing"
        assert sound.storage().current() == version
    proxy.choose = lambda asked: None
    if candidate is not None:
        again = storage.publish(candidate, stamp={})
        assert sorted(read(sound, again)) == [(1,), (2,)]
    later = storage.publish(storage.stage(connection, "SELECT 3 AS n", partition="wed"), stamp={})
    assert {"mon", "wed"} <= {part.partition for part in later.parts}
    assert {(1,), (3,)} <= set(read(sound, later))
    storage.sweep(datetime.now(UTC) + timedelta(hours=2), 0)
    assert {(1,), (3,)} <= set(read(sound, sound.storage().current()))


def test_a_listing_may_be_old_and_nothing_that_matters_is_decided_by_one(place, sound, proxy, connection) -> None:
    storage = place.storage()
    proxy.choose = lambda asked: "stale" if "list-type=2" in asked.path else None
    assert storage.versions() == ()
    storage.sweep(datetime.now(UTC), 0)
    versions = [storage.publish(storage.stage(connection, f"SELECT {n} AS n"), stamp={}) for n in range(4)]
    assert storage.versions() == tuple(versions[::-1])
    for _ in range(2):
        storage.sweep(datetime.now(UTC) + timedelta(hours=2), 3600)
        assert read(sound, storage.current()) == [(3,)]
    assert storage.versions() == (versions[-1],)


def test_a_reader_gets_an_error_without_secrets_and_then_an_answer(place, proxy, connection) -> None:
    storage = place.storage()
    version = storage.publish(storage.stage(connection, "SELECT 1 AS n"), stamp={})
    for fault in ("busy", "cut", "torn"):
        proxy.choose = once(fault, lambda asked: asked.method in ("GET", "HEAD"), times=99)
        for ask in (storage.current, storage.versions, lambda: storage.pin("a.b", version)):
            with pytest.raises(StorageUnreachableError) as told:
                ask()
            assert SECRET not in str(told.value)
            assert "X-Amz" not in str(told.value)
        proxy.choose = lambda asked: None
        assert storage.current() == version


@pytest.mark.parametrize("seed", range(2))
def test_whatever_goes_wrong_nothing_acknowledged_is_lost(place, sound, proxy, connection, seed) -> None:
    publish_while_stumbling(place, sound, proxy, connection, seed=seed, publications=12)
