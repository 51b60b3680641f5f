"""A mesh of two parties with a planted lift, and its room: for tests of what people do with rooms.

`media` asks: 4,000 persons, two campaigns. `shop` has orders of those who bought: of campaign a's exposed 30 % in the second
half, of the others 20 %; campaign b changes nothing. Region `tiny` has three persons.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mesh_defs.settings import Settings
from tests.meshes import contract, grants, settings_of, sql

ROOM = "spring"
PARTIES = ("media", "shop", "host")
_PERSON = (
    "{name: person_id, logicalType: string, required: true, customProperties: [{property: identifies, value: person}]}"
)
_EXPOSURES = """
SELECT 'p' || n AS person_id, campaign,
    CASE WHEN n < 3 THEN 'tiny' WHEN n % 3 = 0 THEN 'north' ELSE 'south' END AS region,
    CASE WHEN (CASE campaign WHEN 'a' THEN n ELSE n // 2 END) % 2 = 1 THEN 'yes' ELSE 'no' END AS exposed
FROM range(4000) AS r(n), (SELECT unnest(['a', 'b']) AS campaign) AS c
"""
_ORDERS = """
SELECT n AS order_id, 'p' || n // 2 AS person_id, TIMESTAMP '1998-01-01' AS ordered_at, 'late' AS half,
    CAST(5 + n % 7 AS DECIMAL(10, 2)) AS amount
FROM range(8000) AS r(n) WHERE n // 8 % 10 < CASE WHEN n // 2 % 2 = 1 THEN 3 ELSE 2 END
UNION ALL
SELECT 8000 + n, 'p' || n, TIMESTAMP '1997-01-01', 'early', CAST(9 AS DECIMAL(10, 2)) FROM range(4000) AS r(n)
"""


def _in_set(column: str, *values: str) -> str:
    told = f"kwargs: {{column: {column}, value_set: [{', '.join(repr(each) for each in values)}]}}"
    implementation = f"implementation: {{type: expect_column_values_to_be_in_set, {told}}}"
    return f"{{type: custom, engine: greatExpectations, severity: error, name: known_{column}, {implementation}}}"


def room_domains() -> dict[str, dict[str, str]]:
    """Both parties' domains."""
    exposures = contract(
        "media.exposures",
        columns=(
            _PERSON,
            "{name: campaign, logicalType: string, required: true}",
            "{name: region, logicalType: string, required: true}",
            "{name: exposed, logicalType: string, required: true}",
        ),
        custom=("{property: grain, value: [person_id, campaign]}",),
        quality=(_in_set("campaign", "a", "b"), _in_set("exposed", "no", "yes")),
    )
    orders = contract(
        "shop.orders",
        columns=(
            "{name: order_id, logicalType: integer, primaryKey: true,"
            " customProperties: [{property: identifies, value: event}]}",
            _PERSON,
            "{name: ordered_at, logicalType: timestamp, required: true,"
            " customProperties: [{property: identifies, value: event_time}]}",
            "{name: half, logicalType: string, required: true}",
            "{name: amount, logicalType: number, physicalType: 'DECIMAL(10,2)', required: true}",
        ),
        granularity="event",
        quality=(_in_set("half", "early", "late"),),
    )
    to_ada = "{id: room, principals: [ada], purposes: [measurement]}"
    return {
        "media": {**exposures, **sql("exposures", _EXPOSURES), **grants("media.exposures", to_ada)},
        "shop": {**orders, **sql("orders", _ORDERS)},
    }


def make_keys(folder: Path) -> dict[str, str]:
    """Make a key for each party, in a secrets folder of its name; returns the public halves in base64."""
    found = {}
    for party in PARTIES:
        key, file = Ed25519PrivateKey.generate(), folder / party / "room.key"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.chmod(0o600)
        found[party] = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    return found


def agreement_of(keys: Mapping[str, str], **changes: Any) -> dict[str, Any]:
    """The agreement as its file says it."""
    today = datetime.now(UTC).date()
    dimensions = {"campaign": ["a", "b"], "exposed": ["no", "yes"], "region": ["north", "south", "tiny"]}
    exposures = {"name": "media.exposures", "party": "media", "product": "media.exposures", "person": "person_id"}
    orders = {"name": "shop.orders", "party": "shop", "product": "shop.orders", "person": "person_id"}
    measures = {"amount": {"functions": ["sum", "avg"], "decimals": 2}}
    template = {
        "name": "buyers",
        "sql": "SELECT e.campaign, count(DISTINCT e.person_id) AS buyers FROM media.exposures AS e JOIN shop.orders AS o"
        " ON e.person_id = o.person_id WHERE e.exposed = $exposed GROUP BY e.campaign",
        "parameters": {"exposed": "media.exposures.exposed"},
    }
    body = {
        "format": 1,
        "id": ROOM,
        "title": "Did the campaigns sell?",
        "parties": [{"name": party, "key": keys[party]} for party in PARTIES[:2]],
        "analysts": ["media"],
        "recipients": ["media"],
        "joins": {"name": "host", "key": keys["host"]},
        "valid": {"from": today, "until": today},
        "tables": [
            {**exposures, "dimensions": dimensions, "rules": ["all"]},
            {**orders, "dimensions": {"half": ["early", "late"]}, "measures": measures, "rules": ["all"]},
        ],
        "rules": [{"name": "all", "level": "threshold", "persons_min": 25}],
        "templates": [template],
    }
    return {**body, **changes}


def write_room(settings: Settings, body: Mapping[str, Any], *, seats: Sequence[str] = PARTIES[:2]) -> Path:
    """Write the agreement and the seats of the parties that this mesh speaks for; returns the room's folder."""
    folder = settings.root / "rooms" / ROOM
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agreement.yaml").write_text(yaml.safe_dump(dict(body), sort_keys=False))
    principals = {"media": "ada", "shop": "service:shop"}
    told = {party: {"principal": principals[party], "purpose": "measurement"} for party in seats}
    if told:
        (folder / "seats.yaml").write_text(yaml.safe_dump({"format": 1, "seats": told}))
    return folder


def room_mesh(root: Path, **more: Mapping[str, str]) -> Settings:
    """Write the mesh of both parties; nothing is published yet."""
    domains = room_domains()
    return settings_of(root, {name: {**domains.get(name, {}), **more.get(name, {})} for name in {**domains, **more}})
