"""What a view shows, in words: for whoever asks for access, gives it, or wonders why."""

import re
from dataclasses import dataclass

from mesh_defs.model.access import Mask, RowRule, View
from mesh_defs.model.contract import Contract
from mesh_defs.sql.row_rule import NOTHING
from mesh_defs.sql.view import TOKEN_TYPE, shown_types

_PLAIN_NAME = re.compile(r'"([a-z][a-z0-9_]*)"')
_ATTRIBUTE = re.compile(r"\$principal_([a-z0-9_]+)")
WHOLE = "as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A view in words: each column and how it is shown, and which rows, one line for each rule."""

    columns: dict[str, str]
    rows: tuple[str, ...]


def told(view: View, contract: Contract) -> Told:
    """Say what a view shows of a product; columns that are left out are not named."""
    types = {column.name: column.type for column in contract.columns}
    return Told(
        columns={name: mask_told(view.masks.get(name), types[name]) for name in shown_types(view, types)},
        rows=tuple(f"{rule_told(rule)} ({rule.source})" for rule in view.rules),
    )


def mask_told(mask: Mask | None, type_: str = TOKEN_TYPE) -> str:
    """How a column is shown; of a token that it is text where the column, of this type, is not."""
    if mask is None:
        return WHOLE
    if mask.kind == "truncate":
        return f"its first {mask.value} characters" if isinstance(mask.value, int) else f"cut to the {mask.value}"
    if mask.kind == "constant":
        return f"always {mask.value!r}"
    retyped = "" if type_ == TOKEN_TYPE else f"; {TOKEN_TYPE} where its values are {type_}"
    return {"token": f"a token that joins, no value{retyped}", "null": "empty", "deny": "left out"}[mask.kind]


def rule_told(rule: RowRule) -> str:
    """Which rows a rule shows, with the asker's attributes in it."""
    if rule.bound == NOTHING and rule.text.strip().upper() != NOTHING:
        return f'none: an attribute that "{rule.text}" needs is missing, or none of the column\'s type'
    return f"only where {condition_told(rule.bound)}"


def condition_told(text: str) -> str:
    """A condition as a person would write it: names without quotes, attributes as in access files."""
    return _ATTRIBUTE.sub(r"${principal.\1}", _PLAIN_NAME.sub(r"\1", text))
