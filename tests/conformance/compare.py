"""Asks the same of the door on both engines and of a Trino that enforces by itself, and compares the answers' digests."""

import hashlib
import json
import re
import struct
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from tests.conformance.shapes import Shape
from tests.conformance.stage import STORAGES, Answer, Stage
from tests.conformance.values import KINDS, Kind

Side = Literal["trino", "native"]
SIDES: Sequence[Side] = ("trino", "native")
# Equal: the same digest. Refused: this side gives no answer, for a reason that docs/guides/trino.md declares. Denied: nor does
# the door on DuckDB. Different: all else, an undeclared refusal too.
Kept = Literal["equal", "refused", "denied", "different"]
# What a side may refuse where the others answer.
DECLARED: Mapping[Side, Sequence[str]] = {
    "trino": (
        r"on Trino the column '\w+' of type [A-Z]+(\[\])? is not read",
        r"on Trino a rule or a mask of \w+\.\w+ was not tried to mean the same",
    ),
    "native": (r"Access Denied: Cannot (select from columns|access catalog)", r"Relation not found or not allowed"),
}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One question on one side, held against the door on DuckDB."""

    name: str
    side: Side
    kept: Kept
    why: str = ""


@dataclass
class Report:
    """What came of all of them."""

    each: list[Compared] = field(default_factory=list)

    def of(self, kept: Kept) -> list[Compared]:
        return [each for each in self.each if each.kept == kept]

    def told(self) -> dict[str, Any]:
        """Counts by side, the reasons of what was refused, and all that differs."""
        counts = {side: Counter(each.kept for each in self.each if each.side == side) for side in SIDES}
        reasons = Counter(f"{each.side}: {each.why}" for each in self.of("refused"))
        return {
            **{side: dict(counts[side]) for side in SIDES},
            "refused": dict(reasons.most_common()),
            "different": {f"{each.name} on {each.side}": each.why for each in self.of("different")},
        }


def questions(shape: Shape) -> Iterator[str]:
    """What is asked of `{p}`: all columns at once, or one by one where some cannot be read; and how many rows there are."""
    yield "SELECT count(*) AS c FROM {p}"
    if shape.kinds is KINDS:
        yield "SELECT * FROM {p} ORDER BY row_id"
        return
    for name in shape.kinds:
        yield f"SELECT row_id, {name} FROM {{p}} ORDER BY row_id"


def compare(stage: Stage, only: Sequence[str] = ()) -> Iterator[Compared]:
    """Every question for every shape, person, purpose and storage."""
    for shape in stage.shapes:
        if only and shape.id not in only:
            continue
        for domain in STORAGES:
            product = f"{domain}.{'edges' if shape.kinds is KINDS else 'odd'}"
            for who in shape.people:
                for purpose in shape.purposes:
                    for question in questions(shape):
                        yield from _compared(stage, question.format(p=product), who, purpose, shape.kinds)
    for who, purpose in (("ada", "measurement"), ("whole", "other"), ("nobody", "measurement")):
        for domain in STORAGES:
            yield from _compared(stage, f"SELECT count(*) AS c FROM {domain}.edges", who, purpose, KINDS)


def _compared(stage: Stage, text: str, who: str, purpose: str, kinds: Mapping[str, Kind]) -> Iterator[Compared]:
    wanted = stage.door(text, who, purpose, "duckdb")
    given = {"trino": stage.door(text, who, purpose, "trino"), "native": stage.client(text, who, purpose)}
    for side in SIDES:
        name = f"{who}+{purpose}: {text}"
        yield from _judged(stage, name, side, wanted, given[side], text, who, purpose, kinds)


def _judged(
    stage: Stage,
    name: str,
    side: Side,
    wanted: Answer,
    given: Answer,
    text: str,
    who: str,
    purpose: str,
    kinds: Mapping[str, Kind],
) -> Iterator[Compared]:
    if wanted.refused:
        yield Compared(name=name, side=side, kept="denied" if given.refused else "different", why=wanted.refused)
        return
    if given.refused:
        declared = any(re.search(pattern, given.refused) for pattern in DECLARED[side])
        yield Compared(name=name, side=side, kept="refused" if declared else "different", why=_reason(given.refused))
        return
    missing = [each for each in wanted.columns if each not in given.columns]
    if side == "native":
        for column in missing:  # a star leaves out what is not shown: asked for by name, it must be refused
            product = text.split(" FROM ")[1].split()[0]
            asked = stage.client(f"SELECT {column} FROM {product}", who, purpose)
            kept: Kept = "refused" if asked.refused else "different"
            yield Compared(
                name=f"{name} ({column})", side=side, kept=kept, why=f"{_reason(asked.refused)} (a column of a star)"
            )
        missing = []
    alike = [each for each in wanted.columns if each in given.columns]
    digests = [digest(alike, answer, kinds) for answer in (wanted, given)]
    if missing or set(given.columns) - set(wanted.columns):
        yield Compared(name=name, side=side, kept="different", why="other columns")
    elif digests[0] == digests[1]:
        yield Compared(name=name, side=side, kept="equal")
    else:
        yield Compared(name=name, side=side, kept="different", why=_difference(alike, wanted, given, kinds))


def digest(columns: Sequence[str], answer: Answer, kinds: Mapping[str, Kind]) -> str:
    """SHA-256 of these columns of the rows, in their order."""
    return hashlib.sha256("\n".join(lines(columns, answer, kinds)).encode("utf-8", "surrogatepass")).hexdigest()


def lines(columns: Sequence[str], answer: Answer, kinds: Mapping[str, Kind]) -> list[str]:
    """Each row as text that is the same for the same values, whichever client read them."""
    places = [(answer.columns.index(name), kinds[name].type if name in kinds else "") for name in columns]
    return [json.dumps([plain(row[at], type_) for at, type_ in places], ensure_ascii=True) for row in answer.rows]


def plain(value: Any, type_: str = "") -> Any:
    """A value as JSON that tells it apart from every other: floats by their bits, text by its code points."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        size = "<f" if type_ == "FLOAT" else "<d"
        return f"float {struct.pack(size, value).hex()}" if value == value else "nan"
    if isinstance(value, int | Decimal):
        return f"number {value:f}"
    if isinstance(value, datetime):
        return f"at {value.astimezone(UTC).isoformat()}" if value.tzinfo else f"local {value.isoformat()}"
    if isinstance(value, date | time):
        return f"{type(value).__name__} {value.isoformat()}"
    if isinstance(value, bytes):
        return f"bytes {value.hex()}"
    if isinstance(value, uuid.UUID) or type_ == "UUID":
        return f"uuid {value}"
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return f"text {value}"


def _difference(columns: Sequence[str], wanted: Answer, given: Answer, kinds: Mapping[str, Kind]) -> str:
    if len(wanted.rows) != len(given.rows):
        return f"{len(given.rows)} rows instead of {len(wanted.rows)}"
    for name in columns:
        ours, theirs = lines([name], wanted, kinds), lines([name], given, kinds)
        for one, other in zip(ours, theirs, strict=True):
            if one != other:
                return f"{name}: {other[:80]} instead of {one[:80]}"
    return "?"


def _reason(text: str) -> str:
    """A refusal without what differs from question to question."""
    text = text.partition(", near")[0]
    return text.partition(" from table or view")[0].partition("[")[0].strip()[:140]
