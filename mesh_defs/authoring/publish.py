"""Write, audit, publish: what happens inside a product's step. Readers see the last good version until the new one passed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
from pydantic import TypeAdapter

from mesh_defs.authoring.inputs import StepInputs
from mesh_defs.authoring.partitions import expectations_of
from mesh_defs.authoring.product import ProductFunction
from mesh_defs.documents.compatibility import compare, demanded_version, is_enough
from mesh_defs.errors import DeclarationError, Finding, StorageError
from mesh_defs.model.contract import Contract
from mesh_defs.model.lineage import ColumnLineage, ColumnSource
from mesh_defs.model.partition import Partition
from mesh_defs.model.version import Candidate, Part, Version
from mesh_defs.policy.governance import hoarding
from mesh_defs.sql.build import conform
from mesh_defs.sql.lineage import column_lineage
from mesh_defs.storage.base import Storage
from quality_checks import QualityError, Result, check_names, evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A candidate, what it was made from, and what its audit found. `published` is None when the audit refused it."""

    candidate: Candidate
    results: Sequence[Result]
    published: Version | None
    lineage: ColumnLineage
    columns_left_out: tuple[str, ...]
    read: Mapping[str, Mapping[str, str]]


def write_audit_publish(
    inputs: StepInputs,
    storage: Storage,
    arguments: Mapping[str, Any],
    *,
    now: Callable[[], datetime],
    retention_seconds: float,
) -> Audited:
    """Make the product, audit it in place, and publish it or quarantine it.

    `arguments` are what the function takes besides its inputs. Raises MeshError for what the product's engineer must mend;
    what the function itself raises passes. On any error nothing is published and nothing staged is left.
    """
    contract, key = inputs.contract, inputs.partition.key if inputs.partition else None
    _require_version(storage.current(), contract)
    sql, rows = _make(inputs, arguments)
    lineage = _of_promised(_lineage(inputs, sql), contract)
    if findings := hoarding(contract, inputs.contracts, lineage if sql is not None else None):
        raise DeclarationError(findings)
    select, left_out = _conformed(inputs.connection, rows, contract)
    select = inputs.erased.without(select, [column.name for column in contract.carrying("person")])
    candidate = storage.stage(inputs.connection, select, partition=key)
    try:
        results = audit(inputs.connection, storage, candidate.parts, contract, inputs.partition)
        version = _settle(inputs, storage, candidate, results)
    except BaseException:
        storage.discard(candidate)
        raise
    with suppress(StorageError):  # what is published is published; the nightly sweep reports what it cannot remove
        storage.sweep(now(), retention_seconds)
    return Audited(
        candidate=candidate,
        results=results,
        published=version,
        lineage=lineage,
        columns_left_out=left_out,
        read=inputs.read,
    )


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
        return evaluate(connection, relation, expectations_of(contract, partition))
    except QualityError as error:
        fix = "mend the rule, or the column's type"
        raise DeclarationError([Finding(where=contract.file, what=str(error), fix=fix)]) from None
    finally:
        storage.release(connection, parts)


def contract_of(version: Version) -> Contract | None:
    """The contract under which a version was published."""
    body = version.stamp.get("contract")
    return TypeAdapter(Contract).validate_python(body) if body else None


def _settle(inputs: StepInputs, storage: Storage, candidate: Candidate, results: Sequence[Result]) -> Version | None:
    """Flip the pointer, or put the candidate into quarantine and return None."""
    refused = [_reason(result) for result in results if _blocks(result)]
    if not refused:
        return storage.publish(candidate, stamp=_stamp(inputs, candidate, results))
    storage.refuse(candidate, refused)
    return None


def _require_version(current: Version | None, contract: Contract) -> None:
    """A breaking change needs a major version: consumers of the last good version must not be surprised."""
    published = contract_of(current) if current else None
    if published is None:
        return
    changes = compare(published, contract)
    breaking = [change.what for change in changes if change.breaking]
    demanded = demanded_version(published.version, changes)
    if breaking and not is_enough(contract.version, demanded):
        what = f"found {contract.version}, but it breaks {published.version}: {'; '.join(breaking)}"
        fix = f"write `version: {demanded}`, or take the change back"
        raise DeclarationError([Finding(where=f"{contract.file}: version", what=what, fix=fix)])


def _make(inputs: StepInputs, arguments: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the product's own SELECT, where it has one, and a SELECT of its rows for the step's connection."""
    made = inputs.made
    if not isinstance(made, ProductFunction):
        return made.sql, inputs.select(made.sql)
    takes = zip(made.input_parameters, made.inputs, strict=False)
    given = {parameter.name: inputs.argument(name, parameter.annotation) for parameter, name in takes}
    returned = made.function(**given, **arguments)
    if isinstance(returned, str):
        return returned, inputs.select(returned)
    if isinstance(returned, duckdb.DuckDBPyRelation):
        return None, _relation(inputs, returned)
    if isinstance(returned, pa.Table | pa.RecordBatchReader) or hasattr(returned, "columns"):
        return None, inputs.register(returned)
    what = f"returned {type(returned).__name__}"
    fix = "return a DuckDB relation, a pandas or polars DataFrame, an Arrow table or stream, or a SELECT"
    raise DeclarationError([Finding(where=f"{made.file}: {made.name}", what=what, fix=fix)])


def _relation(inputs: StepInputs, relation: duckdb.DuckDBPyRelation) -> str:
    """Its own SQL where the step's connection understands it; through Arrow, at a copy's cost, where it does not."""
    text = relation.sql_query()
    try:
        inputs.connection.execute(f"DESCRIBE {text}")
    except duckdb.Error:
        return inputs.register(relation.to_arrow_reader())
    return text


def _conformed(connection: duckdb.DuckDBPyConnection, rows: str, contract: Contract) -> tuple[str, tuple[str, ...]]:
    """Cut the rows to exactly the promised columns: a new column upstream must not widen a product."""
    try:
        present = {row[0]: str(row[1]) for row in connection.execute(f"DESCRIBE {rows}").fetchall()}
    except duckdb.BinderException as error:
        what = f"its SELECT does not bind: {binder_message(error)}"
        raise DeclarationError([Finding(where=contract.product, what=what, fix="mend the SELECT")]) from None
    wanted = {column.name: column.type for column in contract.columns}
    missing = [name for name in wanted if name not in present]
    if missing:
        what = f"the product does not yield the promised columns {', '.join(missing)}; it yields {', '.join(present)}"
        raise DeclarationError([Finding(where=contract.file, what=what, fix="yield them, or mend the contract")])
    return conform(rows, wanted, present), tuple(name for name in present if name not in wanted)


def binder_message(error: duckdb.Error) -> str:
    """What DuckDB says while binding: names and places, before any row is read."""
    return str(error).partition("\n")[0].removeprefix("Binder Error: ").replace("pin_", "").strip()


def _lineage(inputs: StepInputs, sql: str | None) -> ColumnLineage:
    """From the SELECT where there is one; else what the contract declares in transformSourceObjects."""
    if sql is None:
        declared = {column.name: tuple(map(_source, column.sources)) for column in inputs.contract.columns}
        return ColumnLineage(columns=declared, unknown=None if any(declared.values()) else "made in Python, undeclared")
    schemas = {
        name: {column.name: column.type for column in contract.columns} for name, contract in inputs.contracts.items()
    }
    return column_lineage(sql, schemas)


def _of_promised(lineage: ColumnLineage, contract: Contract) -> ColumnLineage:
    """A SELECT may yield more than the contract promises; what is left out is not republished."""
    promised = {name: sources for name, sources in lineage.columns.items() if name in contract.column_names}
    return replace(lineage, columns=promised)


def _source(declared: str) -> ColumnSource:
    product, _, column = declared.rpartition(".")
    return ColumnSource(product=product, column=column, how="transformation")


def _stamp(inputs: StepInputs, candidate: Candidate, results: Sequence[Result]) -> dict[str, Any]:
    """What a version says of itself. Its data version changes with its inputs or its code: a rerun alone is not news."""
    code = inputs.made.code_version
    key = inputs.partition.key if inputs.partition else ""
    told = "\n".join((code, key, *(f"{name}={inputs.read[name]['data_version']}" for name in sorted(inputs.read))))
    derived = hashlib.sha256(told.encode()).hexdigest()[:16]
    return {
        "contract_version": inputs.contract.version,
        "contract": TypeAdapter(Contract).dump_python(inputs.contract, mode="json"),
        "code_version": code,
        "data_version": derived if inputs.read else candidate.id,
        "read": inputs.read,
        "checks": [
            {"name": name, "passed": result.success, "severity": result.expectation.severity}
            for name, result in zip(check_names([each.expectation for each in results]), results, strict=True)
        ],
    }


def _blocks(result: Result) -> bool:
    return not result.success and result.expectation.severity == "critical"


def _reason(result: Result) -> dict[str, Any]:
    return {"check": result.expectation.name, "unexpected_count": result.unexpected_count}
