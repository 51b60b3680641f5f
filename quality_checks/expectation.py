"""An expectation as a value, in GX's own words. Says nothing of how it is evaluated, and loads no engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from quality_checks.names import as_check_name, short_name

Severity = Literal["critical", "warning"]
SEVERITIES: tuple[str, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What should hold of a table: `type` and `kwargs` (JSON values) as GX writes them.

    A failed `critical` expectation should stop publication, a failed `warning` is only reported.
    `meta["name"]` replaces the check's name.
    """

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity = "critical"
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it names, in its own order; empty for an expectation of the whole table."""
        if self.type.startswith("expect_table_") or self.type == "expect_column_to_exist":
            return ()  # such columns need not be there: that is what is judged
        return self._named

    @property
    def _named(self) -> tuple[str, ...]:
        many = self.kwargs.get("column_list")
        named = [self.kwargs.get(key) for key in ("column", "column_A", "column_B")]
        named += many if isinstance(many, list | tuple) else []
        return tuple(column for column in named if isinstance(column, str))

    @property
    def name(self) -> str:
        """The check's name, [A-Za-z0-9_] only; two expectations may share it, see `check_names`."""
        given = self.meta.get("name")
        if given:
            return as_check_name(str(given))
        return short_name(self.type, self._named if self.type == "expect_column_to_exist" else self.columns)


def primary_key(columns: Sequence[str], *, severity: Severity = "critical") -> tuple[Expectation, ...]:
    """Return what makes `columns` a key: each is never null, and together they are unique.

    Rows with a null in the key count against not-null only, as in SQL's UNIQUE.
    """
    if not columns:
        raise ValueError("a primary key needs at least one column")
    declared: list[tuple[str, Mapping[str, Any]]] = [
        ("expect_column_values_to_not_be_null", {"column": column}) for column in columns
    ]
    if len(columns) == 1:
        declared.append(("expect_column_values_to_be_unique", {"column": columns[0]}))
    else:
        compound = {"column_list": list(columns), "ignore_row_if": "any_value_is_missing"}
        declared.append(("expect_compound_columns_to_be_unique", compound))
    return tuple(Expectation(type=type, kwargs=kwargs, severity=severity) for type, kwargs in declared)
