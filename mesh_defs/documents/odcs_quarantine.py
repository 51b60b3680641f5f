"""quarantineFractionMax: which share of a batch's rows may be left out of it, where a contract lets single rows go."""

from collections.abc import Mapping, Sequence
from typing import Any

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Field
from mesh_defs.model.contract import Column
from mesh_defs.model.refused import REASONS

NAME = "quarantineFractionMax"
_AT: Field = ("customProperties", NAME)


def fraction_max(
    custom: Mapping[str, Any], columns: Sequence[Column], wrong: Complaints, *, external: bool
) -> float | None:
    """Read the share; None when nothing is said: then a batch is refused whole."""
    share = custom.get(NAME)
    if share is None:
        return None
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        fix = "write a share between 0 and 1, such as 0.01; leave the property out to refuse whole batches"
        wrong.add(_AT, f"found {share!r}", fix)
        return None
    if external:
        wrong.add(_AT, "given for an external product", "leave it out: another system decides what is written there")
    if any(column.name == REASONS for column in columns):
        wrong.add(_AT, f"the product has a column '{REASONS}' of its own", "rename that column, or leave this out")
    return float(share)
