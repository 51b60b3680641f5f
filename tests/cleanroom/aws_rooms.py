"""Rooms that are to be at AWS: agreements with valid defaults, signed by both parties, and where their tables are."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.cleanroom.signed import RoomFolder, state
from mesh_defs.model.room import Agreement

AGENCY, RETAILER = "111122223333", "444455556666"
KEYS = {
    name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b".")) for name in ("agency", "retailer", "join")
}
AT = datetime(2026, 11, 1, tzinfo=UTC)
TEMPLATE = {
    "name": "reach_by_segment",
    "sql": "SELECT segment, count(*), count(DISTINCT o.person) AS persons, sum(cents) AS cents FROM agency.audiences AS a "
    "JOIN retailer.orders AS o ON a.person = o.person WHERE shop = $shop GROUP BY segment",
    "parameters": {"shop": "retailer.orders.shop"},
}
# What a room of questions of one's own depends on, and AWS lacks.
_ALWAYS = ["one_population", "one_version", "validity"]
_COMPARED = ["dominance", "complementary", "differencing"]
_FREE = ["public_domains", "groups_max", "dimensions_max", "rows_once"]
WAIVED = {
    "threshold": [*_COMPARED, *_ALWAYS, *_FREE, "count_rows", "values_min"],
    "template": [*_COMPARED, *_ALWAYS, "values_min"],
    "privacy": [*_ALWAYS, *_FREE, "persons_min", "contribution_bounds", "budget_per_release"],
}
PLACES: dict[str, Any] = {
    "format": 1,
    "region": "eu-west-1",
    "parties": {
        "agency": {
            "account": AGENCY,
            "role": f"arn:aws:iam::{AGENCY}:role/rooms",
            "results": {"bucket": "agency-answers", "prefix": "rooms/"},
        },
        "retailer": {"account": RETAILER, "role": f"arn:aws:iam::{RETAILER}:role/rooms"},
    },
    "tables": {
        "agency.audiences": {"glue": {"database": "agency", "table": "audiences"}},
        "retailer.orders": {"glue": {"database": "shop", "table": "orders"}},
    },
}


def a_document(level: str = "threshold", **changes: Any) -> dict[str, Any]:
    """An agreement of one level that waives for AWS all that it must."""
    public = {name: base64.b64encode(key.public_key().public_bytes_raw()).decode() for name, key in KEYS.items()}
    document: dict[str, Any] = {
        "format": 1,
        "id": "autumn",
        "title": "Reach and sales of the autumn campaigns",
        "parties": [{"name": name, "key": public[name]} for name in ("retailer", "agency")],
        "analysts": ["agency"],
        "recipients": ["agency"],
        "joins": {"name": "neutral", "key": public["join"]},
        "valid": {"from": datetime(2026, 11, 1).date(), "until": datetime(2099, 12, 31).date()},
        "tables": [
            {
                "name": "agency.audiences",
                "party": "agency",
                "product": "audiences.persons",
                "person": "person",
                "dimensions": {"segment": ["new", "old", "lapsed"]},
                "rules": ["all"],
                "digest": "0" * 64,
            },
            {
                "name": "retailer.orders",
                "party": "retailer",
                "product": "retailer.orders",
                "person": "person",
                "dimensions": {"shop": ["web", "store"], "month": [1, 2, 3]},
                "measures": {"cents": {"functions": ["sum", "avg"], "lower": 0, "upper": 100000}},
                "rules": ["all"],
            },
        ],
        "rules": [{"name": "all", "level": level, "persons_min": 25, "dimensions_max": 2}],
        "waived": {"aws": WAIVED[level]},
    }
    if level == "template":
        document["templates"] = [TEMPLATE]
    if level == "privacy":
        document["privacy"] = {"rho": 2.0, "rho_per_release": 0.1, "groups_max": 3, "rows_max": 10}
    return {**document, **changes}


def a_room(
    folder: Path, document: Mapping[str, Any], places: Mapping[str, Any] = PLACES, *, signed: bool = True
) -> Path:
    """Write a room's files; signed by both, unless told otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agreement.yaml").write_text(yaml.safe_dump(dict(document), sort_keys=False))
    (folder / "aws.yaml").write_text(yaml.safe_dump(dict(places), sort_keys=False))
    room = RoomFolder(folder)
    for party in ("agency", "retailer") if signed else ():
        room.keep(state("signed", room.agreement(), party, KEYS[party], AT))
    return folder


def an_agreement(folder: Path, document: Mapping[str, Any]) -> Agreement:
    """The agreement of a document."""
    return RoomFolder(a_room(folder, document, signed=False)).agreement()
