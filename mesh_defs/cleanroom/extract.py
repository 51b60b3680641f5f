"""What a run reads: for each set of tables, of every party, its persons under tokens. Each party asks its own door for it.

A run reads not only what its own analysis needs, but what all earlier ones of the same room need to be compared with it.
"""

import base64
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mesh_defs.cleanroom.added import by_number, by_token, told_apart
from mesh_defs.errors import AnalysisRejectedError
from mesh_defs.model.query import EngineName, QueryRequest
from mesh_defs.model.room import Agreement, Analysis, DimensionValue, Field, SharedTable
from mesh_defs.sql.partial import KEY, Own, partial_sql, persons_sql, rows_sql

if TYPE_CHECKING:
    from mesh_defs.query.answer import Answer
    from mesh_defs.query.platform import Platform

# Whole numbers and decimals: they add up to the same in every order, and on every engine. Of at most 19 digits: no sum or
# product of them is too large for an engine, so that no run fails by what the rows hold.
_WHOLE = re.compile(r"U?(TINY|SMALL|BIG)?INT(EGER)?|DECIMAL\(1?\d, ?(?P<scale>\d+)\)")
# How tokens are made of a run's secret; a next number when that changes: parties who differ must not find it out by an
# empty answer (`steps.bound`).
TOKENS = "mesh-room-tokens-3"
Versions = Mapping[str, str]
# So many hashes that persons share are told apart in passing. By chance two of a hundred million persons share one in one run
# of four thousand.
_SHARED_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """What is read of one set of tables: by which dimensions, which rows at least, and which measures."""

    tables: tuple[str, ...]
    dimensions: tuple[Field, ...]
    within: Mapping[Field, tuple[DimensionValue, ...]]
    measures: tuple[Field, ...]

    def of(self, party: str, agreement: Agreement) -> tuple[SharedTable, ...]:
        """The tables of one party in it, in the agreement's order."""
        return tuple(table for table in agreement.tables if table.party == party and table.name in self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where a party reads: its own platform, and as whom it asks its own door."""

    party: str
    platform: "Platform"
    principal: str
    purpose: str
    engine: EngineName | None = None

    def ask(self, sql: str, versions: Versions, parameters: Mapping[str, str] | None = None) -> "Answer":
        """Ask the party's own door, for these versions of its products. MeshError when it does not answer."""
        from mesh_defs.query.run import run_query  # the join needs no door, nor waits for one

        request = QueryRequest(
            sql=sql,
            principal=self.principal,
            purpose=self.purpose,
            parameters=parameters or {},
            versions=versions,
            engine=self.engine,
        )
        return run_query(request, self.platform)


def token_key(run_key: bytes, run: str) -> str:
    """Derive what a run's tokens are made with from its secret of 32 bytes (HKDF, RFC 5869): 128 bits, in base64.

    As strong as X25519, by which the secret travels; and so short that key and person mostly fit one block of SHA-256.
    """
    if len(run_key) != 32:
        raise ValueError("a run's key has 32 bytes")
    made = HKDF(algorithm=SHA256(), length=16, salt=None, info=f"{TOKENS} {run}".encode()).derive(run_key)
    return base64.b64encode(made).decode().rstrip("=")


def extracts_of(analysis: Analysis, earlier: Iterable[Analysis], agreement: Agreement) -> tuple[Extract, ...]:
    """Return what the analysis needs, first, and what the earlier ones need: one for each set of tables."""
    sets: dict[tuple[str, ...], list[Analysis]] = {analysis.tables: [analysis]}
    for each in earlier:
        sets.setdefault(each.tables, []).append(each)
    return tuple(_extract(tables, asked, analysis, agreement) for tables, asked in sets.items())


def partial(
    extract: Extract, agreement: Agreement, seat: Seat, *, analyst: str, key: str, versions: Versions
) -> pa.Table:
    """Ask the party's own door, for these versions of its products, or for the current ones of those that are not named.

    Returns what `added` says. MeshError when the door does not answer, AnalysisRejectedError for a measure that is neither
    whole nor decimal.
    """
    own = own_of(extract, agreement, seat, analyst=analyst)
    products = {table.product for table in own.tables}
    versions = {product: version for product, version in versions.items() if product in products}
    several = bool(own.codes) or not own.once  # rows of one person
    if several and _engine(products, seat, versions) == "duckdb":
        found = _by_number(own, seat, versions, key)
        if found is not None:
            return found
    with seat.ask(partial_sql(own), versions, {KEY: key}) as answer:
        return by_token(answer.table(), own)


def own_of(extract: Extract, agreement: Agreement, seat: Seat, *, analyst: str) -> Own:
    """Return the party's part of an extract. The tables of whoever asks serve to choose persons, and add up to nothing."""
    tables = extract.of(seat.party, agreement)
    names = {table.name for table in tables}
    once = seat.party == analyst
    measures = [] if once else [field for field in extract.measures if field.table in names]
    return Own(
        tables=tables,
        dimensions=tuple(field for field in extract.dimensions if field.table in names),
        within={field: values for field, values in extract.within.items() if field.table in names},
        measures={field: _decimals(field, tables, seat.platform) for field in measures},
        once=once,
        texts=frozenset(each for each in extract.dimensions if _type(each, tables, seat.platform) == "VARCHAR"),
    )


def _extract(tables: tuple[str, ...], asked: list[Analysis], analysis: Analysis, agreement: Agreement) -> Extract:
    used = {each for one in asked for each in (*one.dimensions, *(field for field, _ in one.filters))}
    return Extract(
        tables=tables,
        dimensions=tuple(sorted(used)),
        within={field: values for field in sorted(used) if (values := _within(field, asked, agreement)) is not None},
        measures=analysis.measures if analysis.tables == tables else (),
    )


def _within(field: Field, asked: Iterable[Analysis], agreement: Agreement) -> tuple[DimensionValue, ...] | None:
    """The values that count for any of the analyses; None when rows of any value do."""
    wanted: set[DimensionValue] = set()
    for one in asked:
        values = dict(one.filters).get(field, agreement.domain(field) if field in one.dimensions else None)
        if values is None:
            return None
        wanted.update(values)
    return tuple(value for value in agreement.domain(field) if value in wanted)


def _type(field: Field, tables: Iterable[SharedTable], platform: "Platform") -> str:
    """The type of a party's own column; "" for one that is not there."""
    products = [table.product for table in tables if table.name == field.table]
    columns = (
        platform.mesh.contracts[each].column(field.column) for each in products if each in platform.mesh.contracts
    )
    return next((column.type for column in columns if column), "")


def _decimals(field: Field, tables: Iterable[SharedTable], platform: "Platform") -> int:
    (table,) = (table for table in tables if table.name == field.table)
    found = _WHOLE.fullmatch(_type(field, tables, platform))
    agreed = table.measures[field.column].decimals
    if found is None or int(found["scale"] or 0) != agreed:
        what = f"{field} is not of {f'decimals with {agreed} places' if agreed else 'whole numbers'}, or of too many digits"
        fix = "share a column that adds up exactly, of 19 digits at most, and agree on its `decimals`"
        raise AnalysisRejectedError(what, fix=fix)
    return agreed


def _engine(products: Collection[str], seat: Seat, versions: Versions) -> EngineName:
    """Which engine will answer a question about these products. MeshError when none can."""
    from mesh_defs.query.bind import find, pin_all

    if seat.engine is not None or seat.platform.trino is None:
        return seat.engine or "duckdb"
    pins = pin_all(find(tuple(products), seat.platform), seat.platform, versions=versions)
    return seat.platform.plan(None, pins).engine


def _by_number(own: Own, seat: Seat, versions: Versions, key: str) -> pa.Table | None:
    """Half as dear as by tokens. None where the rules let other rows through meanwhile, or more share hashes than is chance."""
    with seat.ask(persons_sql(own), versions, {KEY: key}) as answer:
        numbers, tokens, shared = told_apart(answer.table())
    if len(shared) > _SHARED_MAX:
        return None
    with seat.ask(rows_sql(own, shared), versions, {KEY: key}) as answer:
        return by_number(numbers, tokens, answer.reader(), own)
