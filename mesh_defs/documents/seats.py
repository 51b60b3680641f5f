"""seats.yaml of a clean room: as whom this mesh reads its own products for it. Local to a mesh, neither signed nor sent."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from mesh_defs.documents.reading import read_document
from mesh_defs.documents.strict import Name, Slug, Strict, Text
from mesh_defs.documents.structure import build
from mesh_defs.model.room import Reader


class _Seat(Strict):
    principal: Text
    purpose: Slug
    engine: Literal["duckdb", "trino"] | None = None


class _Seats(Strict):
    format: Literal[1]
    seats: dict[Name, _Seat] = Field(min_length=1)


def read_seats(path: Path, *, root: Path) -> Mapping[str, Reader]:
    """Return the reader of each party that this mesh speaks for; none when there is no such file. DeclarationError."""
    if not path.is_file():
        return {}
    declared = build(_Seats, read_document(path, root=root))
    return {party: Reader(**seat.model_dump()) for party, seat in declared.seats.items()}
