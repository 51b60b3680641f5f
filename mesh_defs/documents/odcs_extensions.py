"""customProperties: what ODCS has no field for. Ours are read, those of other tools pass, a slip of ours is refused."""

from collections.abc import Sequence
from typing import Any

from open_data_contract_standard.model import CustomProperty

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Field
from mesh_defs.errors import closest

OF_CONTRACT = (
    "granularity",
    "grain",
    "purpose",
    "republishes",
    "partitions",
    "external",
    "quarantineFractionMax",
    "asks",
)
OF_COLUMN = ("identifies", "samples", "token")
# How near a foreign property must come to one of ours to be taken for a slip.
_SLIP = 0.8


def extensions(
    declared: Sequence[CustomProperty] | None, ours: Sequence[str], at: Field, wrong: Complaints
) -> dict[str, Any]:
    """Return our own properties that stand here, by name; `ours` are those that may."""
    found: dict[str, Any] = {}
    for index, each in enumerate(declared or []):
        name, field = each.property, (*at, index)
        if not name:
            if not wrong.concern(field):
                wrong.add((*field, "property"), "missing", "write `{property: name, value: …}`")
        elif name in found:
            wrong.add((*field, "property"), f"'{name}' stands twice", "keep one of the two")
        elif name in ours and each.value is None:
            wrong.add((*field, "value"), f"'{name}' has no value", "write `value: …`, or leave the property out")
        elif name not in ours:
            _refuse_slip(name, ours, (*field, "property"), wrong)
        if name:
            found[name] = each.value
    return {name: found[name] for name in ours if name in found}


def _refuse_slip(name: str, ours: Sequence[str], at: Field, wrong: Complaints) -> None:
    if name in (*OF_CONTRACT, *OF_COLUMN):
        place = "a column's" if name in OF_COLUMN else "the contract's own"
        wrong.add(at, f"'{name}' has no meaning here", f"move it to {place} customProperties")
    elif meant := closest(name, ours, cutoff=_SLIP):
        wrong.add(at, f"unknown property '{name}'", f"did you mean '{meant}'?")
