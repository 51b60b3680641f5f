"""What a new worker is told: which pins it serves, how their stores are reached, and its limits. Crosses as JSON, in memory."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mesh_defs.model.place import Access, S3Access
from mesh_defs.model.version import Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one worker may take. `memory_bytes_max` is the whole process's; of it DuckDB is told three quarters."""

    seconds_max: float
    memory_bytes_max: int
    spill_bytes_max: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One worker's task. `drivers` are variables that a store's own driver reads: never printed, may be secrets."""

    pins: tuple[Pin, ...]
    accesses: tuple[Access, ...] = field(repr=False)
    limits: Limits
    drivers: Mapping[str, str] = field(repr=False)

    @property
    def stores(self) -> tuple[str, ...]:
        """What needs a network and a driver: "postgres", "s3"."""
        kinds = {"s3" if any(each.startswith("s3://") for each in pin.locations) else pin.kind for pin in self.pins}
        return tuple(sorted(kinds & {"postgres", "s3"}))


def to_json(setup: Setup) -> bytes:
    """Write a setup."""
    return json.dumps(asdict(setup), default=_plain).encode()


def from_json(body: bytes | bytearray) -> Setup:
    """Read what `to_json` wrote."""
    told = json.loads(body)
    return Setup(
        pins=tuple(_pin(each) for each in told["pins"]),
        accesses=tuple(_access(each) for each in told["accesses"]),
        limits=Limits(**told["limits"]),
        drivers=told["drivers"],
    )


def _pin(told: dict[str, Any]) -> Pin:
    return Pin(
        **{
            **told,
            "locations": tuple(told["locations"]),
            "published_at": datetime.fromisoformat(told["published_at"]),
        }
    )


def _access(told: dict[str, Any]) -> Access:
    return Access(**{**told, "root": Path(told["root"]), "s3": S3Access(**told["s3"])})


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)
