"""Check names: what people read in Dagster, so letters, digits and _ only. Loads no engine."""

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quality_checks.expectation import Expectation

_SUBJECT = re.compile(r"^expect_(column_values_|compound_columns_|select_column_values_|table_|column_)?")
_FILLERS = frozenset({"to", "be", "expectation"})


def short_name(type: str, columns: Iterable[str]) -> str:
    """Return the type's gist and the columns: `not_null__person_id`, `unique__person_id__day`, `row_count_between`."""
    words = _SUBJECT.sub("", type).split("_")
    return as_check_name("__".join(["_".join(word for word in words if word not in _FILLERS), *columns]))


def as_check_name(text: str) -> str:
    """Return `text` with _ for every character that Dagster refuses in a check's name."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def check_names(expectations: Sequence["Expectation"]) -> tuple[str, ...]:
    """Return one distinct name per expectation, in order: a second `between__cost` becomes `between__cost_2`.

    A numbered name never takes a name that another expectation has by itself.
    """
    wanted = [expectation.name for expectation in expectations]
    given: dict[str, None] = {}
    for name in wanted:
        given[_numbered(name, {*given, *wanted}) if name in given else name] = None
    return tuple(given)


def _numbered(name: str, taken: Collection[str]) -> str:
    return next(numbered for number in count(2) if (numbered := f"{name}_{number}") not in taken)
