"""The kwargs that expectation types take: what each may be, checked without looking at data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from reprlib import Repr
from typing import Any

from quality_checks.errors import nearest
from quality_checks.families import is_number

Kwargs = Mapping[str, Any]

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One kwarg: `wants` ends the message when `accepts` says no. None stands for an optional one left out."""

    name: str
    wants: str
    accepts: Callable[[Any], bool]
    required: bool = False


def argument_problems(kwargs: Kwargs, arguments: tuple[Argument, ...]) -> list[str]:
    """Return what is unknown, missing or ill-typed in `kwargs`, and what would do."""
    names = [argument.name for argument in arguments]
    unknown = [f"there is no argument '{name}' — {nearest(name, names)}" for name in kwargs if name not in names]
    return unknown + [problem for argument in arguments for problem in _problems(kwargs.get(argument.name), argument)]


def _problems(value: Any, argument: Argument) -> list[str]:
    if value is None:
        return [f"'{argument.name}' is missing — give {argument.wants}"] if argument.required else []
    if argument.accepts(value):
        return []
    return [f"'{argument.name}' is {_SHORT.repr(value)} — give {argument.wants}"]


def is_flag(value: Any) -> bool:
    """Tell whether a JSON value is true or false."""
    return isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Tell whether a JSON value is a number of rows."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_list(value: Any) -> bool:
    """Tell whether a JSON value is a list."""
    return isinstance(value, list | tuple)


def is_set(value: Any) -> bool:
    """Tell whether a JSON value is a list that holds more than nulls."""
    return is_list(value) and any(member is not None for member in value)


def _is_names(value: Any) -> bool:
    return is_list(value) and len(value) > 0 and all(map(_is_name, value)) and len(set(value)) == len(value)


def _is_compound(value: Any) -> bool:
    return _is_names(value) and len(value) > 1


COLUMN = Argument(name="column", wants="a column's name", accepts=_is_name, required=True)
COLUMN_LIST = Argument(
    name="column_list", wants="two or more different columns' names", accepts=_is_compound, required=True
)
COLUMNS = Argument(name="column_list", wants="one or more different columns' names", accepts=_is_names, required=True)
COLUMN_A = Argument(name="column_A", wants="a column's name", accepts=_is_name, required=True)
COLUMN_B = Argument(name="column_B", wants="a column's name", accepts=_is_name, required=True)
# Which rows are judged at all; read by `conditions`.
CONDITION = (
    Argument(
        name="row_condition",
        wants="a condition of GX, or text such as 'cost > 5'",
        accepts=lambda value: isinstance(value, str | dict),
    ),
    Argument(
        name="condition_parser",
        wants="'great_expectations' or 'pandas'",
        accepts=lambda value: value in ("great_expectations", "great_expectations__experimental__", "pandas"),
    ),
)
MOSTLY = Argument(
    name="mostly", wants="a number from 0 to 1", accepts=lambda value: is_number(value) and 0 <= value <= 1
)
