"""Bad rows out of a batch, where its contract allows that: the rest is published, they are quarantined with their reasons.

Only rules that judge one row at a time can tell which rows to leave out. When anything else failed, when too many rows
would go, or when the rest does not pass either, the batch is refused whole. See docs/decisions/0021-quarantine.md.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import duckdb

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import Contract
from mesh_defs.model.partition import Partition
from mesh_defs.model.refused import REASONS
from mesh_defs.model.version import Candidate, token_column
from mesh_defs.sql.quarantine import bad_rows, good_rows, with_reasons
from mesh_defs.storage.base import Storage
from mesh_defs.storage.failures import told
from mesh_defs.upkeep.audit import audit, blocking
from quality_checks import Result, check_names, row_reasons

# A rule's name, as Dagster shows it, and the predicate that is true for the rows that break it.
Rules = list[tuple[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Rows that were left out of a published version. `failed` are the checks, as the whole batch's audit found them."""

    id: str
    rows: int
    failed: Sequence[Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """A batch in two: good rows, which passed their own audit (`results`), and bad ones with their reasons."""

    good: Candidate
    bad: Candidate
    results: Sequence[Result]
    failed: Sequence[Result]

    def quarantine(self, storage: Storage, made_from: Mapping[str, Any]) -> LeftOut:
        """Quarantine the bad rows, noting which version they are left out of."""
        about = {**made_from, "kind": "rows", "left_out_of": self.good.id}
        try:
            storage.refuse(self.bad, [reason(result) for result in self.failed], about)
        except BaseException:
            storage.discard(self.bad)
            raise
        return LeftOut(id=self.bad.id, rows=self.bad.rows, failed=self.failed)


def split(
    connection: duckdb.DuckDBPyConnection,
    storage: Storage,
    candidate: Candidate,
    results: Sequence[Result],
    contract: Contract,
    partition: Partition | None,
) -> Apart | None:
    """Stage the candidate's good rows and its bad rows apart; None when it must be refused whole.

    `results` are of its audit. Costs one more copy of the batch and one more audit; a batch that passes costs nothing.
    """
    share, failed = contract.quarantine_fraction_max, blocking(results)
    rules = _rules(results, candidate.columns) if share is not None else []
    rows_max = int(Fraction(str(share or 0)) * candidate.rows)
    if not rules or any((result.unexpected_count or 0) > rows_max for result in failed):
        return None
    with _routed(connection, storage, candidate, rules) as (routed, bad_count):
        if not 0 < bad_count <= rows_max:
            return None
        good, bad = _staged(connection, storage, candidate, routed)
    try:
        _require_all(candidate, good, bad)
        again = audit(connection, storage, good.parts, contract, partition)
        if not blocking(again):
            return Apart(good=good, bad=bad, results=again, failed=failed)
    except BaseException:
        _discard(storage, good, bad)
        raise
    _discard(storage, good, bad)
    return None


def with_left_out(results: Sequence[Result], left_out: LeftOut | None) -> list[Result]:
    """Results as people should see them: a check that rows were left out for has failed, though it stopped nothing."""
    failed = list(left_out.failed) if left_out else []
    before = [next((each for each in failed if each.expectation == one.expectation), None) for one in results]
    return [_as_warning(was) if was else one for was, one in zip(before, results, strict=True)]


def reason(result: Result) -> dict[str, Any]:
    """Why a candidate was refused, for the note beside it."""
    told = {"check": result.expectation.name, "unexpected_count": result.unexpected_count}
    return {**told, "error": result.error} if result.error else told


def _rules(results: Sequence[Result], columns: Mapping[str, str]) -> Rules:
    """Predicates of all that failed and blocks; none, when one of them cannot say which rows are at fault."""
    rules: Rules = []
    for name, result in zip(check_names([each.expectation for each in results]), results, strict=True):
        if not blocking([result]):
            continue
        known = [] if result.error else row_reasons([result.expectation], columns)
        if not known:
            return []
        rules += [(name, predicate) for _, predicate in known]
    return rules


@contextmanager
def _routed(
    connection: duckdb.DuckDBPyConnection, storage: Storage, candidate: Candidate, rules: Rules
) -> Iterator[tuple[str, int]]:
    """Yield a table of the candidate's rows with their reasons, and how many have some; it goes at the end.

    Each predicate is evaluated once: two scans with opposite conditions could give a row to both sides, or to neither,
    when a storage's own engine answers one of them.
    """
    table = f"routed_{secrets.token_hex(8)}"
    relation = storage.relation(connection, candidate.parts, whole=True)
    try:
        with told("the bad rows could not be told from the good ones", candidate.id):
            connection.execute(f"CREATE TEMP TABLE {table} AS {with_reasons(relation, rules, REASONS)}")
    finally:
        storage.release(connection, candidate.parts)
    try:
        row = connection.execute(f"SELECT count({REASONS}) FROM {table}").fetchone()
        yield table, row[0] if row else 0
    finally:
        connection.execute(f"DROP TABLE {table}")


def _staged(
    connection: duckdb.DuckDBPyConnection, storage: Storage, candidate: Candidate, routed: str
) -> tuple[Candidate, Candidate]:
    names, key, tokens = list(candidate.columns), candidate.partition, candidate.parts[0].tokens
    whole = [*names, *map(token_column, tokens)]
    good = storage.stage(connection, good_rows(routed, whole, REASONS), partition=key, tokens=tokens)
    try:
        return good, storage.stage(connection, bad_rows(routed, names, REASONS), partition=key)
    except BaseException:
        storage.discard(good)
        raise


def _require_all(candidate: Candidate, good: Candidate, bad: Candidate) -> None:
    """Invariant: no row is lost, and none is in both."""
    if good.rows + bad.rows != candidate.rows:
        what = f"of {candidate.rows} rows {good.rows} were found good and {bad.rows} bad"
        raise StorageError(
            what, where=candidate.id, fix="nothing was published; report this as a fault of the platform"
        )


def _discard(storage: Storage, *candidates: Candidate) -> None:
    for candidate in candidates:
        storage.discard(candidate)


def _as_warning(result: Result) -> Result:
    return replace(result, expectation=replace(result.expectation, severity="warning"))
