"""Every expectation type that is known here. A new type is one function in the file of its family."""

from collections.abc import Mapping

from quality_checks import (
    distinct_rules,
    order_rules,
    query_rules,
    record_rules,
    row_rules,
    schema_rules,
    table_rules,
    text_rules,
    uniqueness,
)
from quality_checks.expectation_type import ExpectationType

_FAMILIES = (
    *(row_rules, text_rules, record_rules, uniqueness),
    *(table_rules, distinct_rules, order_rules, schema_rules, query_rules),
)

TYPES: Mapping[str, ExpectationType] = {
    declared.name: declared
    for family in _FAMILIES
    for declared in vars(family).values()
    if isinstance(declared, ExpectationType)
}


def known_types() -> tuple[str, ...]:
    """Return the names of the expectation types that can be evaluated, as GX spells them, sorted."""
    return tuple(sorted(TYPES))
