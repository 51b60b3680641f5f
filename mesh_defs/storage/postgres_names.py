"""How candidates, their tables and views are called in a product's schema. Touches no database."""

import re
from collections.abc import Mapping
from typing import Any

from mesh_defs.storage.layout import staged_at

POINTER, HISTORY, REFUSED = "mesh_pointer", "mesh_history", "mesh_refused"
_TABLE = re.compile(r"data_(\d{8})t(\d{12})z_([0-9a-f]{8})")
_MAJOR = re.compile(r"(\d{1,9})\.\d+\.\d+.*")


def table_of(id: str) -> str:
    """Return the table that holds a candidate's rows; ValueError for an id that is not ours: tables get dropped."""
    if staged_at(id) is None:
        raise ValueError(f"'{id}' is not a candidate's id")
    return f"data_{id.lower().replace('-', '_')}"


def candidate_of(table: str) -> str | None:
    """Return the id of the candidate whose rows a table holds, or None for a table that we did not make."""
    found = _TABLE.fullmatch(table)
    id = f"{found[1]}T{found[2]}Z-{found[3]}" if found else ""
    return id if staged_at(id) else None


def view_of(stamp: Mapping[str, Any]) -> str | None:
    """Return the view that shows versions of this contract's major number; None when the stamp names no contract."""
    found = _MAJOR.fullmatch(str(stamp.get("contract_version")))
    return f"v{int(found[1])}" if found else None
