"""Write, audit, publish: what happens inside a product's step. Readers see the last good version until the new one passed.

What does not pass is quarantined: the batch, or, where its contract allows that, only its bad rows (`quarantine`).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from mesh_defs.authoring.inputs import StepInputs
from mesh_defs.authoring.product import ProductFunction
from mesh_defs.authoring.quarantine import LeftOut, reason, split, with_left_out
from mesh_defs.errors import DeclarationError, Finding, StorageError
from mesh_defs.model.contract import Contract
from mesh_defs.model.lineage import ColumnLineage, ColumnSource
from mesh_defs.model.version import Candidate, Version
from mesh_defs.policy.governance import hoarding
from mesh_defs.sql.build import conform
from mesh_defs.sql.lineage import column_lineage
from mesh_defs.storage.base import Storage
from mesh_defs.upkeep.audit import audit, blocking, promised, require_version
from mesh_defs.upkeep.states import kept_states
from mesh_defs.upkeep.tokens import token_keys, tokenised
from quality_checks import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A candidate, what it was made from, and what its audit found. `published` is None when the audit refused it.

    `left_out` are rows that were quarantined so that the rest could be published: `results` are then of that rest.
    """

    candidate: Candidate
    results: Sequence[Result]
    read: Mapping[str, Mapping[str, str]]
    published: Version | None = None
    lineage: ColumnLineage = field(default_factory=lambda: ColumnLineage(columns={}))
    columns_left_out: tuple[str, ...] = ()
    left_out: LeftOut | None = None

    @property
    def reported(self) -> Sequence[Result]:
        """What people are told of: checks that rows were left out for have failed, as warnings."""
        return with_left_out(self.results, self.left_out)


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
    require_version(storage.current(), contract, key)
    keys = token_keys(contract, inputs.token_key)
    sql, rows = _make(inputs, arguments)
    lineage = _of_promised(_lineage(inputs, sql), contract)
    if findings := hoarding(contract, inputs.contracts, lineage if sql is not None else None):
        raise DeclarationError(findings)
    select, left_out = _conformed(inputs.connection, rows, contract)
    select = inputs.erased.without(select, [column.name for column in contract.carrying("person")])
    with tokenised(inputs.connection, select, keys) as (select, tokens):
        candidate = storage.stage(inputs.connection, select, partition=key, tokens=tokens)
    try:
        results = audit(inputs.connection, storage, candidate.parts, contract, inputs.partition)
        settled = _settle(inputs, storage, candidate, results)
    except BaseException:
        storage.discard(candidate)
        raise
    with suppress(StorageError):  # what is published is published; the nightly sweep reports what it cannot remove
        storage.sweep(now(), retention_seconds)
    return replace(settled, lineage=lineage, columns_left_out=left_out)


def _settle(inputs: StepInputs, storage: Storage, candidate: Candidate, results: Sequence[Result]) -> Audited:
    """Flip the pointer, with all rows or with the good ones; or put the candidate into quarantine."""
    audited = Audited(candidate=candidate, results=results, read=inputs.read)
    failed = blocking(results)
    if not failed:
        return replace(audited, published=storage.publish(candidate, stamp=_stamp(inputs, storage, candidate, results)))
    apart = split(inputs.connection, storage, candidate, results, inputs.contract, inputs.partition)
    if apart is None:
        storage.refuse(candidate, [reason(result) for result in failed], _made_from(inputs))
        return audited
    try:
        # In this order: whatever happens in between, no row is lost.
        left_out = apart.quarantine(storage, _made_from(inputs))
        told = {"left_out": {"id": left_out.id, "rows": left_out.rows}, "data_version": apart.good.id}
        # Its data version is its own: once the rows are mended, the same inputs and code give other rows.
        version = storage.publish(apart.good, stamp={**_stamp(inputs, storage, apart.good, apart.results), **told})
    except BaseException:
        storage.discard(apart.good)
        raise
    with suppress(StorageError):  # it is nobody's any more; the sweep takes what stays
        storage.discard(candidate)
    return replace(audited, candidate=apart.good, results=apart.results, published=version, left_out=left_out)


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


def _stamp(inputs: StepInputs, storage: Storage, candidate: Candidate, results: Sequence[Result]) -> dict[str, Any]:
    """What a version says of itself. Its data version changes with its inputs, its code or the keys of its tokens: a rerun
    alone is not news."""
    code = inputs.made.code_version
    key = inputs.partition.key if inputs.partition else ""
    read = [f"{name}={inputs.read[name]['data_version']}" for name in sorted(inputs.read)]
    tokens = [f"{column} {key}" for part in candidate.parts for column, key in sorted(part.tokens.items())]
    derived = hashlib.sha256("\n".join((code, key, *read, *tokens)).encode()).hexdigest()[:16]
    return {
        **promised(inputs.contract, results),
        **_made_from(inputs),
        **kept_states(inputs.connection, storage, candidate, inputs.contract, storage.current()),
        "data_version": derived if inputs.read else candidate.id,
    }


def _made_from(inputs: StepInputs) -> dict[str, Any]:
    """By which code, and from what."""
    return {"code_version": inputs.made.code_version, "read": dict(inputs.read)}
