"""What parties and join must see alike in a run: its steps, whose key it is, what is compared, what a release's digest is of.

start    party that asks → join     the question
prepare  join → every party         the question as it was signed; each records it, and answers with a key for this run
share    join → one party           all these keys; it answers with the run's secret, sealed for each
partial  join → every party         the sealed secrets; each answers with its persons under tokens
commit   join → every party         what would be released; each records it, and answers with its ledger's signed head
cosign   join → every party         all heads; each signs for all of them
deliver  join → every party         all signatures, which each keeps; to the recipient the numbers too
abandon  join → every party         nothing was delivered, and nothing will be
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mesh_defs.cleanroom.book import analysis_from, groups_as_json
from mesh_defs.cleanroom.extract import TOKENS, Extract
from mesh_defs.cleanroom.rules import Asked
from mesh_defs.cleanroom.wire import Message
from mesh_defs.errors import (
    AccessDeniedError,
    AnalysisRejectedError,
    BudgetExhaustedError,
    EngineError,
    MeshError,
    StorageError,
    UnreachableError,
)
from mesh_defs.model.room import Agreement, Analysis, Group

# Below the time after which a party takes a run for lost (`book.RUN_MAX`).
RUN_SECONDS_MAX = 600.0
EXTRACTS_MAX = 64
_ASKED = TypeAdapter(Asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a party answered to `prepare`: its key for this run, and the analyses that were released before."""

    key: str
    earlier: tuple[tuple[str, Analysis], ...]


def asked_as_body(asked: Asked) -> bytes:
    """A question as it travels: its words. Each party makes an analysis of them by itself."""
    return _ASKED.dump_json(asked)


def asked_from(body: bytes) -> Asked:
    """Read a question. AccessDeniedError when it is none."""
    try:
        return _ASKED.validate_json(body)
    except ValidationError:
        raise AccessDeniedError("this is no question") from None


def asked_of(start: Message) -> Asked:
    """Read the question of a run. AccessDeniedError when it is none, or asked in another's name."""
    asked = asked_from(start.body)
    if start.head.kind != "start" or start.head.sender != f"party:{asked.analyst}":
        raise AccessDeniedError("a party asks in its own name only")
    return asked


def require_few(extracts: Sequence[Extract]) -> None:
    """Raise AnalysisRejectedError when a run would read more sets of tables than EXTRACTS_MAX."""
    if len(extracts) > EXTRACTS_MAX:
        what = f"the answer would have to be compared with {len(extracts)} sets of tables"
        raise AnalysisRejectedError(what, fix="agree on a next version")


def guards(agreement: Agreement, analyst: str) -> tuple[str, ...]:
    """The parties who did not ask: their word counts for what was released before."""
    return tuple(party.name for party in agreement.parties if party.name != analyst)


def protected(agreement: Agreement, analysis: Analysis, analyst: str) -> tuple[str, ...]:
    """The parties whose rows are asked about by another: what is withheld is theirs to know."""
    owners = {table.party for table in agreement.tables if table.name in analysis.tables}
    return tuple(name for name in guards(agreement, analyst) if name in owners)


def keeper(agreement: Agreement, analysis: Analysis, analyst: str) -> str:
    """The party that makes the run's secret: the first whose rows are asked about."""
    return protected(agreement, analysis, analyst)[0]


def prepared_of(answer: Message, agreement: Agreement) -> Prepared:
    """Read an answer to `prepare`. AccessDeniedError for analyses that this agreement does not know."""
    try:
        told = answer.json()
        earlier = tuple((str(run), _known(analysis_from(body), agreement)) for run, body in told["earlier"])
        return Prepared(key=str(told["key"]), earlier=earlier)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        raise AccessDeniedError("this is no answer to `prepare`") from None


def compared(prepared: Mapping[str, Prepared], agreement: Agreement, analyst: str) -> dict[str, Analysis]:
    """Return all earlier runs that any guard knows of, in an order that is the same for all."""
    found: dict[str, Analysis] = {}
    for name in guards(agreement, analyst):
        for run, analysis in prepared[name].earlier:
            if found.setdefault(run, analysis) != analysis:
                raise AccessDeniedError("two parties have recorded one run otherwise")
    return found


def bound(agreement: Agreement, digest: str, run: str, sender: str, receiver: str) -> tuple[str, ...]:
    """What a sealed secret is for. Who makes other tokens of it cannot open it: else no person would meet another's."""
    return (TOKENS, agreement.id, digest, run, sender, receiver)


def release_sha256(run: str, salt: str, groups: Iterable[Group]) -> str:
    """SHA-256 of what recipients get. Salted: numbers are few, and who may not have them could try them all."""
    told = [run, salt, groups_as_json(groups, numbers=True)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def as_body(told: Any) -> bytes:
    """JSON as a body."""
    return json.dumps(told).encode()


def refused(told: Any) -> MeshError:
    """The error that our own party's process had, in its own words."""
    kinds: dict[str, type[MeshError]] = {
        each.code: each
        for each in (AccessDeniedError, AnalysisRejectedError, BudgetExhaustedError, UnreachableError, StorageError)
    }
    kind = kinds.get(str(told.get("code")), EngineError)
    what = str(told.get("what", "the party's process failed, and nothing was released"))
    return kind(what, where=str(told.get("where", "")), fix=str(told.get("fix", "see what it logs")))


def _known(analysis: Analysis, agreement: Agreement) -> Analysis:
    """ValueError and the like for what is not in the agreement: nobody is sent codes of a column that is not shared."""
    tables = {table.name: table for table in agreement.tables}
    if not set(analysis.tables) <= tables.keys() or list(analysis.tables) != sorted(set(analysis.tables)):
        raise ValueError
    for field, values in (*((each, ()) for each in analysis.dimensions), *analysis.filters):
        if field.table not in analysis.tables or not set(values) <= set(tables[field.table].dimensions[field.column]):
            raise ValueError
    for field in analysis.measures:
        if field.table not in analysis.tables or field.column not in tables[field.table].measures:
            raise ValueError
    return analysis
