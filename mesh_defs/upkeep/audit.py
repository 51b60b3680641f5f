"""What a version passes before it is published, whoever publishes it: a step that made it, or a release from quarantine."""

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
from pydantic import TypeAdapter

from mesh_defs.documents.compatibility import compare, demanded_version, is_enough
from mesh_defs.errors import DeclarationError, Finding
from mesh_defs.model.contract import Contract
from mesh_defs.model.partition import Partition
from mesh_defs.model.version import Part, Version
from mesh_defs.storage.base import Storage
from quality_checks import Expectation, QualityError, Result, check_names, evaluate

IN_PARTITION = {"name": "in_its_partition", "description": "Each row lies in the partition that it was made for."}


def audit(
    connection: duckdb.DuckDBPyConnection,
    storage: Storage,
    parts: Sequence[Part],
    contract: Contract,
    partition: Partition | None = None,
) -> list[Result]:
    """Evaluate every expectation of the contract where the parts lie, whatever checks were selected."""
    relation = storage.relation(connection, parts)
    try:
        expectations = expectations_of(contract, partition)
        return evaluate(connection, relation, expectations, through=storage.remote(connection, parts))
    except QualityError as error:
        fix = "mend the rule, or the column's type"
        raise DeclarationError([Finding(where=contract.file, what=str(error), fix=fix)]) from None
    finally:
        storage.release(connection, parts)


def expectations_of(contract: Contract, partition: Partition | None) -> tuple[Expectation, ...]:
    """What an audit evaluates: the contract's expectations, and of a partition also that no row strayed into it."""
    return contract.expectations if partition is None else (*contract.expectations, _in(contract, partition))


def blocking(results: Iterable[Result]) -> list[Result]:
    """Those that keep a version from being published."""
    return [result for result in results if not result.success and result.expectation.severity == "critical"]


def contract_of(version: Version) -> Contract | None:
    """The contract under which a version was published."""
    body = version.stamp.get("contract")
    return TypeAdapter(Contract).validate_python(body) if body else None


def require_version(current: Version | None, contract: Contract, partition: str | None) -> None:
    """A breaking change needs a major version: consumers of the last good version must not be surprised.

    Nor by a required column that is empty in the partitions besides this one, which were made before it was promised.
    """
    published = contract_of(current) if current else None
    if published is None or current is None:
        return
    staying = [part for part in current.parts if part.partition not in (None, partition)]
    for column in contract.columns if staying else ():
        if column.name not in current.columns and (column.required or column.primary_key):
            what = f"column '{column.name}' is new and required, and the other partitions lack it"
            fix = "let it be optional, or give the product another place and make every partition anew"
            raise DeclarationError([Finding(where=contract.file or contract.product, what=what, fix=fix)])
    changes = compare(published, contract)
    breaking = [change.what for change in changes if change.breaking]
    demanded = demanded_version(published.version, changes)
    if breaking and not is_enough(contract.version, demanded):
        what = f"found {contract.version}, but it breaks {published.version}: {'; '.join(breaking)}"
        fix = f"write `version: {demanded}`, or take the change back"
        raise DeclarationError([Finding(where=f"{contract.file}: version", what=what, fix=fix)])


def promised(contract: Contract, results: Sequence[Result]) -> dict[str, Any]:
    """What a version says of its contract and of its audit, for its stamp."""
    named = zip(check_names([each.expectation for each in results]), results, strict=True)
    return {
        "contract_version": contract.version,
        "contract": TypeAdapter(Contract).dump_python(contract, mode="json"),
        "checks": [
            {"name": name, "passed": result.success, "severity": result.expectation.severity} for name, result in named
        ],
    }


def _in(contract: Contract, partition: Partition) -> Expectation:
    if partition.start is None or partition.end is None:
        one = {"column": partition.column, "value_set": [partition.key]}
        return Expectation(type="expect_column_values_to_be_in_set", kwargs=one, meta=IN_PARTITION)
    column = contract.column(partition.column)
    zone = "T00:00:00+00:00" if column and column.type == "TIMESTAMP WITH TIME ZONE" else ""
    first, last = f"{partition.start}{zone}", f"{partition.end}{zone}"
    day = {"column": partition.column, "min_value": first, "max_value": last, "strict_max": True}
    return Expectation(type="expect_column_values_to_be_between", kwargs=day, meta=IN_PARTITION)
