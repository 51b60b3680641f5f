"""Runs the `tests:` of access files: given rows through the real decision, rewriter and DuckDB, held against expected rows;
requests through the real conclusions, held against the expected answer.

An expected row names every column of the given rows that is shown, and no other: so a test also says what stays hidden.
The token of a value is given as `{token: value}`: real ones depend on a key, which no test knows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from mesh_defs.access.asking_tests import answer_to
from mesh_defs.documents.access import read_access
from mesh_defs.documents.odcs import read_contract
from mesh_defs.documents.standards import read_domain, read_standards
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.errors import DeclarationError, Finding, MeshError
from mesh_defs.model.access import AccessRequest, AccessRules, PolicyTest, View
from mesh_defs.model.contract import Contract
from mesh_defs.model.names import quoted
from mesh_defs.model.version import Pin, token_column
from mesh_defs.policy.authorize import Policy, authorize
from mesh_defs.sql.parse import parse_select
from mesh_defs.sql.rewrite import govern

_Row = Mapping[str, Any]
_TOKEN = "token"
_ABSENT = "‹not shown›"
_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one test; `wrong` is empty when it passed."""

    test: PolicyTest
    wrong: str = ""


def declared(root: Path) -> tuple[Policy, tuple[AccessRules, ...]]:
    """Read contracts and access files of all domains, importing no code. Raises DeclarationError with every finding."""
    standards = read_standards(root)
    findings: list[Finding] = []
    contracts: dict[str, Contract] = {}
    found: list[AccessRules] = []
    stewards: dict[str, str] = {}
    for location in read_workspace(root):
        if location.is_domain:
            try:
                domain = read_domain(location.folder, standards, root=root)
                stewards[domain.name] = domain.steward
            except DeclarationError as error:
                findings += error.findings
        own: dict[str, Contract] = {}
        for file in sorted((location.folder / "contracts").glob("*.odcs.yaml")):
            try:
                contract = read_contract(file, standards, root=root)
                own[contract.product] = contract
            except DeclarationError as error:
                findings += error.findings
        for file in sorted((location.folder / "access").glob("*.access.yaml")):
            try:
                found.append(read_access(file, standards, contracts=own, root=root))
            except DeclarationError as error:
                findings += error.findings
        contracts |= own
    if findings:
        raise DeclarationError(findings)
    grants = tuple(grant for rules in found for grant in rules.grants)
    requestable = tuple(each for rules in found for each in rules.requestable)
    policy = Policy(grants=grants, contracts=contracts, standards=standards, requestable=requestable, stewards=stewards)
    return policy, tuple(found)


def run_tests(tests: Iterable[PolicyTest], policy: Policy, *, now: datetime | None = None) -> tuple[Outcome, ...]:
    """Run each by itself, as of `now`: a grant that has expired shows nothing here either."""
    at = now or datetime.now(UTC)
    return tuple(Outcome(test=test, wrong=_wrong(test, policy, at)) for test in tests)


def failures(tests: Iterable[PolicyTest], policy: Policy) -> list[Finding]:
    """The tests that fail, as findings."""
    fix = "mend the grant, or the test: `mesh access test` runs them alone"
    return [
        Finding(where=each.test.where, what=f"test '{each.test.name}' fails: {each.wrong}", fix=fix)
        for each in run_tests(tests, policy)
        if each.wrong
    ]


def _wrong(test: PolicyTest, policy: Policy, now: datetime) -> str:
    view, told = _decided(test, policy, now)
    if view is None:
        return "" if test.expected is None else f"denied: {told}"
    if test.expected is None or isinstance(test.expected, str):
        return "" if told == test.expected else f"{told}, expected to be {test.expected or 'denied'}"
    try:
        return _compared(test.given, test.expected, policy.contracts[test.product], view)
    except MeshError as error:
        return error.what
    except duckdb.Error as error:
        return f"a value does not fit its column: {str(error).splitlines()[0]}"


def _decided(test: PolicyTest, policy: Policy, now: datetime) -> tuple[View | None, str]:
    """What is seen, or would be once what is asked for is given, and by what; or why nothing is."""
    if test.asks:
        try:
            answer, view = answer_to(test, test.asks, policy, now)
        except MeshError as error:
            return None, error.what
        return view, answer
    asked = AccessRequest(principal=test.principal, purpose=test.purpose, products=(test.product,), now=now)
    decision = authorize(asked, policy)
    told = decision.reasons[0]
    return decision.views.get(test.product), f"allowed by {told.partition(': ')[2]}" if decision.allowed else told


def _compared(given: Sequence[_Row], expected_rows: Sequence[_Row], contract: Contract, view: View) -> str:
    pin = _pin(contract)
    asked = parse_select(f"SELECT * FROM {'.'.join(map(quoted, pin.product.split('.')))}")
    governed = govern(asked, {pin.product: pin}, {pin.product: view})
    with duckdb.connect(":memory:") as connection:
        _fill(connection, pin, given)
        answer = connection.execute(governed.text)
        types = {name: str(type_) for name, type_, *_ in answer.description or ()}
        shown = [dict(zip(types, row, strict=True)) for row in answer.fetchall()]
        named = {name for row in (*given, *expected_rows) for name in row}
        wanted = [_typed(connection, row, types) for row in expected_rows]
    found = Counter(_key(row, named & types.keys()) for row in shown)
    expected = Counter(_key(row, row.keys()) for row in wanted)
    told = [f"not shown: {_told(row)}" for row in (expected - found)]
    told += [f"shown, but not expected: {_told(row)}" for row in (found - expected)]
    return "; ".join(told[:_SHOWN_MAX])


def _pin(contract: Contract) -> Pin:
    return Pin(
        product=contract.product,
        version="test",
        kind="duckdb",
        locations=(),
        columns={column.name: column.type for column in contract.columns},
        rows=0,
        bytes=0,
        published_at=datetime.min.replace(tzinfo=UTC),
        tokens={name: token_column(name) for name in contract.tokens},
    )


def _fill(connection: duckdb.DuckDBPyConnection, pin: Pin, rows: Sequence[Mapping[str, Any]]) -> None:
    """The given rows as the product's version has them; a column that none of them gives is empty."""
    columns = {**pin.columns, **dict.fromkeys(pin.tokens.values(), "VARCHAR")}
    listed = ", ".join(f"{quoted(name)} {type_}" for name, type_ in columns.items())
    connection.execute(f"CREATE TABLE {quoted(pin.relation)} ({listed})")
    values = ", ".join(f"CAST(? AS {type_})" for type_ in columns.values())
    for row in rows:
        tokens = {pin.tokens[name]: token_of(row[name]) for name in pin.tokens if row.get(name) is not None}
        given = {**row, **tokens}
        connection.execute(f"INSERT INTO {quoted(pin.relation)} VALUES ({values})", [given.get(n) for n in columns])


def token_of(value: object) -> str:
    """What stands for the token of a value in a test."""
    return f"token of {value}"


def _typed(connection: duckdb.DuckDBPyConnection, row: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """An expected row with its values as the answer's columns would have them."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict) and value.keys() == {_TOKEN}:
            found[name] = token_of(value[_TOKEN])
        elif name in types:
            found[name] = connection.execute(f"SELECT CAST(? AS {types[name]})", [value]).fetchall()[0][0]
        else:
            found[name] = value
    return found


def _key(row: Mapping[str, Any], names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, repr(row[name])) for name in sorted(names))


def _told(row: tuple[tuple[str, str], ...]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in row) + "}"
