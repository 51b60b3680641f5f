"""One look at an external product: its columns, its rows against the promise, its data version, its last change.

Knows nothing of Dagster. Reads in place; writes nothing there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from mesh_defs.documents.observed import FORMAT
from mesh_defs.errors import DeclarationError, Finding, StorageError
from mesh_defs.model.contract import Contract, Server
from mesh_defs.model.observation import FRESH, SCHEMA, Observation
from mesh_defs.model.place import Access
from mesh_defs.model.version import Pin, Version
from mesh_defs.storage.external import External
from mesh_defs.storage.external_base import Source
from mesh_defs.storage.failures import told
from mesh_defs.storage.open import attach
from quality_checks import QualityError, Result, check_names, evaluate

# A writer that replaces its files faster than we look at them is no source.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen, and the results of the contract's own checks: none when the columns are not as promised."""

    observation: Observation
    results: tuple[Result, ...] = ()


def look_at(
    contract: Contract,
    server: Server,
    access: Access,
    before: Observation | None,
    *,
    now: datetime,
    spill: str,
    memory_bytes_max: int,
) -> Look:
    """Look at the source and judge it. `before` tells when a source that keeps no time last changed.

    Scans it: every check is evaluated, and a Postgres table is digested. Raises StorageError when it does not answer;
    columns that are not as promised are a finding, not an error.
    """
    external = External(Source(server=server, access=access, columns=contract.columns))
    version, pin = _pinned(external, contract)
    if isinstance(pin, StorageError):
        return Look(observation=_other_schema(contract, version, before, str(pin), now))
    data_version = external.data_version(version)
    config: dict[str, Any] = {"temp_directory": spill, "memory_limit": f"{memory_bytes_max}B"}
    with duckdb.connect(":memory:", config=config) as connection:
        results, rows = _judged(connection, contract, pin, access)
    changed_at = _changed(server, version, data_version, before, now)
    checks = (_passed(SCHEMA), *_freshness(contract, changed_at, now), *_own(contract, results))
    seen = Observation(
        format=FORMAT,
        product=contract.product,
        observed_at=now,
        contract_version=contract.version,
        passed=all(check["passed"] or check["severity"] != "critical" for check in checks),
        version=version.id,
        data_version=data_version,
        changed_at=changed_at,
        rows=rows,
        bytes=version.bytes,
        checks=checks,
    )
    return Look(observation=seen, results=results)


def _pinned(external: External, contract: Contract) -> tuple[Version, Pin | StorageError]:
    """The version and its pin, or why what lies there cannot be read as promised; a writer at work is waited out."""
    for _ in range(_ATTEMPTS):
        version = external.current()
        try:
            return version, external.pin(contract.product, version)
        except StorageError as error:
            if error.retryable:
                raise
            problem = error
        if external.current().id == version.id:
            return version, problem
    raise problem


def _judged(
    connection: duckdb.DuckDBPyConnection, contract: Contract, pin: Pin, access: Access
) -> tuple[tuple[Result, ...], int]:
    where = pin.locations[0] if pin.locations else contract.product
    with told(f"{contract.product} cannot be read", where):
        relation = attach(connection, pin, access)
        try:
            results = evaluate(connection, relation, contract.expectations)
        except QualityError as error:
            finding = Finding(where=contract.file, what=str(error), fix="mend the rule, or the column's type")
            raise DeclarationError([finding]) from None
        counted = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return tuple(results), counted[0] if counted else 0


def _changed(
    server: Server, version: Version, data_version: str, before: Observation | None, now: datetime
) -> datetime:
    """Files and tables of files keep the time; a Postgres table changed when its rows were first seen as they are."""
    if server.kind != "postgres":
        return version.published_at
    if before and before.changed_at and before.data_version == data_version:
        return before.changed_at
    return now


def _other_schema(
    contract: Contract, version: Version, before: Observation | None, what: str, now: datetime
) -> Observation:
    return Observation(
        format=FORMAT,
        product=contract.product,
        observed_at=now,
        contract_version=contract.version,
        passed=False,
        version=version.id,
        data_version=before.data_version if before else None,
        changed_at=before.changed_at if before else None,
        bytes=version.bytes,
        checks=({"name": SCHEMA, "passed": False, "severity": "critical", "told": what},),
    )


def _passed(name: str) -> Mapping[str, Any]:
    return {"name": name, "passed": True, "severity": "critical"}


def _freshness(contract: Contract, changed_at: datetime, now: datetime) -> Iterator[Mapping[str, Any]]:
    hours_max = contract.service_level.freshness_hours_max
    if hours_max is not None:
        fresh = now - changed_at <= timedelta(hours=hours_max)
        yield {"name": FRESH, "passed": fresh, "severity": "warning"}


def _own(contract: Contract, results: tuple[Result, ...]) -> Iterator[Mapping[str, Any]]:
    for name, result in zip(check_names(contract.expectations), results, strict=True):
        severity, count = result.expectation.severity, result.unexpected_count
        told = {"told": result.error} if result.error else {}
        yield {"name": name, "passed": result.success, "severity": severity, "unexpected_count": count, **told}
