"""Which server each product is read from and written to now. A contract says where it should lie; this, where it does.

They differ from the moment a contract's server is changed until the product is renovated, so that nobody reads an empty
place. One small document per product; none yet means: as the contract says. Moves no bytes.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Server
from mesh_defs.storage import durable

FORMAT = 1
# How long steps and moves of one product wait for one another.
WAIT_SECONDS_MAX = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where a product is served from. `previous` is where it was before, kept since `moved_at` as a way back.

    `former` are other places that may hold rows of it, of moves that were given up or came soon after each other: they go
    together with the previous one. Invariant: no place that may hold rows is forgotten.
    """

    server: Server
    previous: Server | None = None
    former: tuple[Server, ...] = ()
    moved_at: datetime | None = None

    @property
    def left(self) -> tuple[Server, ...]:
        """Every place that may hold rows besides the one that is served."""
        return (*self.former, *([self.previous] if self.previous else []))

    def moving(self, to: Server, *, at: datetime) -> "Served":
        """Return what is recorded before rows are copied to a new place."""
        return self if to in self.left else replace(self, former=(*self.former, to), moved_at=at)

    def moved(self, to: Server, *, at: datetime) -> "Served":
        """Return what is recorded when the product moves on."""
        former = tuple(place for place in self.left if place not in (to, self.server))
        return Served(server=to, previous=self.server, former=former, moved_at=at)


def load_served(folder: Path, product: str) -> Served | None:
    """Read where a product is served from; None when nothing was recorded. StorageError when it cannot be read."""
    file = _file(folder, product)
    try:
        body = json.loads(file.read_bytes())
        if body["format"] != FORMAT:
            what = f"is of format {body['format']}, this release knows {FORMAT}"
            raise StorageError(what, where=str(file), fix="upgrade mesh-defs here")
        moved_at = body["moved_at"]
        return Served(
            server=Server(**body["server"]),
            previous=Server(**body["previous"]) if body["previous"] else None,
            former=tuple(Server(**each) for each in body.get("former", ())),
            moved_at=datetime.fromisoformat(moved_at) if moved_at else None,
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = f"where {product} is served from cannot be read ({type(error).__name__})"
        raise StorageError(what, where=str(file), fix="restore it, or remove it to follow the contract") from None


def store_served(folder: Path, product: str, served: Served) -> None:
    """Flip: readers that resolve the product from now on use this server. Durable on return."""
    body: dict[str, Any] = {
        "format": FORMAT,
        "server": asdict(served.server),
        "previous": asdict(served.previous) if served.previous else None,
        "former": [asdict(each) for each in served.former],
        "moved_at": served.moved_at.isoformat() if served.moved_at else None,
    }
    durable.make_folder(folder)
    durable.replace(_file(folder, product), json.dumps(body, indent=1).encode())


@contextmanager
def publishing(folder: Path, product: str) -> Iterator[None]:
    """Held by each step that writes the product, from resolving its place to publishing there. Many may, at once."""
    durable.make_folder(folder)
    with durable.locked(_lock(folder, product), shared=True, seconds_max=WAIT_SECONDS_MAX):
        yield


@contextmanager
def moving(folder: Path, product: str) -> Iterator[None]:
    """Held while what is published is moved or rewritten: waits until no step is writing the product."""
    durable.make_folder(folder)
    with durable.locked(_lock(folder, product), seconds_max=WAIT_SECONDS_MAX):
        yield


def _file(folder: Path, product: str) -> Path:
    return folder / f"{product}.json"


def _lock(folder: Path, product: str) -> Path:
    return folder / f"{product}.lock"
