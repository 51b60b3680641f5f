"""A product made of a room's releases: when it is made, from what, and that a rerun is no news."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh_defs.authoring.validate import validate
from mesh_defs.cleanroom.frozen import content_digest
from mesh_defs.cleanroom.keys import identity
from mesh_defs.cleanroom.rooms import seats_of
from mesh_defs.cleanroom.signed import RoomFolder, state
from mesh_defs.documents.room_digests import with_digests
from mesh_defs.ledger import open_ledger
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings, load_settings
from tests.factories import NOW
from tests.meshes import contract, grants, python, refresh, rows
from tests.rooms import agreement_of, make_keys, room_mesh, write_room

LIFT = "media.lift"
_ASKS = "{property: asks, value: {room: spring, products: [media.exposures, shop.orders]}}"
_COLUMNS = (
    "{name: campaign, logicalType: string, primaryKey: true}",
    "{name: buyers, logicalType: integer, required: true}",
)
_BODY = '''@data_product()
def lift(room):
    """Buyers by campaign."""
    return room.ask(template="buyers", exposed="yes")
'''


def _files() -> dict[str, str]:
    told = ("{property: grain, value: [campaign]}", "{property: purpose, value: measurement}", _ASKS)
    return {
        **contract(LIFT, columns=_COLUMNS, granularity="aggregate", custom=told),
        **python("lift", _BODY),
        **grants(LIFT, "{id: analysts, roles: [analyst], purposes: [measurement]}"),
    }


def _open(settings: Settings) -> None:
    keys = make_keys(settings.home / "keys")
    folder = RoomFolder(write_room(settings, agreement_of(keys)))
    table = folder.agreement().table("media.exposures")
    assert table
    digest = content_digest(table, seats_of(folder, open_platform(settings))["media"])
    file = folder.path / "agreement.yaml"
    file.write_text(with_digests(file.read_text(), {table.name: digest}))
    for party in ("media", "shop"):
        own = load_settings({"MESH_ROOT": str(settings.root), "MESH_SECRETS": str(settings.home / "keys" / party)})
        folder.keep(state("signed", folder.agreement(), party, identity(own), NOW))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    yield room_mesh(Path(tmp_path_factory.mktemp("product")) / "mesh", media=_files())


def test_waits_for_its_room_and_is_made_of_one_release_however_often(settings: Settings) -> None:
    assert set(refresh(settings)) == {"media.exposures", "shop.orders"}
    asked_for = refresh(settings, LIFT)[LIFT]
    assert asked_for.state == "failed"
    assert "this mesh has no room 'spring'" in asked_for.told
    _open(settings)
    assert refresh(settings)[LIFT].state == "published"
    assert rows(settings, f"SELECT * FROM {LIFT} ORDER BY 1") == [("a", 2000), ("b", 2000)]
    product = open_mesh(settings).products[LIFT]
    assert product.inputs == ("media.exposures", "shop.orders")
    assert validate(settings) == ()
    first = open_storage(product, settings).current()
    assert refresh(settings, LIFT)[LIFT].state == "published"
    again = open_storage(product, settings).current()
    assert first and again
    assert (first.id != again.id, first.data_version) == (True, again.data_version)
    read = again.stamp["read"]["shop.orders"]
    assert (read["room"], read["room_version"], read["grant"]) == ("spring", "1", "room spring, version 1")
    assert len(open_ledger(settings).entries(kind="room-asked", limit=None)) == 1


def test_validate_names_what_is_not_shared_in_the_room(settings: Settings) -> None:
    file = settings.root / "domains/media/contracts/lift.odcs.yaml"
    sound = file.read_text()
    file.write_text(sound.replace("shop.orders]", "shop.ordres]"))
    try:
        _open(settings)
        [finding] = [each for each in validate(settings) if each.where.endswith("customProperties.asks")]
        assert finding.what == "shop.ordres is not shared in room 'spring'"
    finally:
        file.write_text(sound)


def test_a_function_that_asks_no_agreed_room_is_told(settings: Settings, tmp_path: Path) -> None:
    files = {path: text.replace(f"  - {_ASKS}\n", "") for path, text in _files().items()}
    other = room_mesh(tmp_path / "mesh", media=files)
    told = refresh(other, LIFT)[LIFT]
    assert told.state == "failed"
    assert "its function asks a room" in told.told


@pytest.mark.parametrize(
    "wrong", ["spring", "{room: spring}", "{room: spring, products: []}", "{room: 1, products: [a.b]}"]
)
def test_what_names_no_room_is_refused(tmp_path: Path, wrong: str) -> None:
    value = _ASKS.partition("value: ")[2].removesuffix("}")
    files = {path: text.replace(value, wrong) for path, text in _files().items()}
    findings = validate(room_mesh(tmp_path / "mesh", media=files))
    assert any("no room and its products" in each.what for each in findings)
