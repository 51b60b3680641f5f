"""The demo's clean room: keys for its parties, made here and never in the repository, and the agreement with both signatures.

`mesh room key`, `freeze` and `sign` do the same by hand, each in its own party's mesh.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

from mesh_defs.cleanroom.asking import is_open
from mesh_defs.cleanroom.frozen import content_digest
from mesh_defs.cleanroom.keys import identity, make_identity
from mesh_defs.cleanroom.rooms import FOLDER, seats_of
from mesh_defs.cleanroom.signed import RoomFolder, state
from mesh_defs.documents.room_digests import with_digests
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings, load_settings

_TEMPLATE = Path(__file__).parent / "spring.agreement.yaml"
_PARTIES = ("northlight", "cadence")
_SEATS = """# As whom this mesh reads for each party. Here for both, which is for parties of one owner only.
format: 1
seats:
  northlight: {principal: clean-room, purpose: collaboration}
  cadence: {principal: "service:retailer", purpose: collaboration}
"""


def open_room(settings: Settings) -> str:
    """Write rooms/spring, freeze and sign it, unless it is open; returns what was done."""
    folder = RoomFolder(settings.root / FOLDER / "spring")
    if is_open(folder, datetime.now(UTC)):
        return "rooms/spring is open already: signed by northlight and cadence"
    own = {name: _settings(settings, name) for name in (*_PARTIES, "neutral")}
    folder.path.mkdir(parents=True, exist_ok=True)
    file = folder.path / "agreement.yaml"
    file.write_text(agreement_text({name: make_identity(each)[0] for name, each in own.items()}), encoding="utf-8")
    (folder.path / "seats.yaml").write_text(_SEATS, encoding="utf-8")
    exposures = folder.agreement().table("northlight.exposures")
    assert exposures
    digest = content_digest(exposures, seats_of(folder, open_platform(settings))["northlight"])
    file.write_text(with_digests(file.read_text(encoding="utf-8"), {exposures.name: digest}), encoding="utf-8")
    for party in _PARTIES:
        folder.keep(state("signed", folder.agreement(), party, identity(own[party]), datetime.now(UTC)))
    return "rooms/spring: Northlight's exposures are frozen by digest; northlight and cadence have signed, each with its own key"


def agreement_text(keys: Mapping[str, str]) -> str:
    """The agreement with these public keys, from today for a year: neither frozen nor signed."""
    today = datetime.now(UTC).date()
    told: Mapping[str, object] = {**keys, "from": today, "until": today + timedelta(days=365)}
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(told)


def _settings(settings: Settings, party: str) -> Settings:
    """The party's own secrets folder."""
    secrets = settings.home / "partners" / party / "secrets"
    return load_settings(
        {"MESH_ROOT": str(settings.root), "MESH_HOME": str(settings.home), "MESH_SECRETS": str(secrets)}
    )
