"""Corpora of attacks and of benign queries, as values; and what an attacker is assumed to know, put into their text."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tests.redteam.fixture import Fixture

Oracle = Literal["must_reject", "markers", "markers_err", "empty", "empty_or_masked", "dos", "oracle_pair", "benign"]
ORACLES: tuple[str, ...] = get_args(Oracle)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One item of a corpus. `meta`: physical names, policy text and keys count too (the `+meta` of its oracle)."""

    id: str
    sql: str
    oracle: Oracle
    meta: bool = False
    category: str = ""
    sql_b: str | None = None
    policy: str | None = None
    extra_markers: tuple[str, ...] = ()
    expect: tuple[tuple[Any, ...], ...] | None = None
    optional: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The cases of a file, and what could not be read as one: by id, why."""

    cases: tuple[Case, ...]
    malformed: Mapping[str, str]


def read_corpus(file: Path, *, only: Sequence[str] = ()) -> Corpus:
    """Read a corpus, or those of its cases with these ids or categories. ValueError: the file is no list of cases."""
    items = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(items, list) or not items:
        raise ValueError(f"{file} holds no list of cases")
    cases: list[Case] = []
    malformed: dict[str, str] = {}
    for number, item in enumerate(items):
        try:
            case = _case(item)
            if case.id in {each.id for each in cases}:
                raise ValueError("the id is taken")
            cases.append(case)
        except (AttributeError, KeyError, TypeError, ValueError, re.error) as error:
            name = item.get("id") if isinstance(item, dict) else None
            malformed[str(name or f"number {number}")] = f"no case: {error!r}"
    kept = tuple(case for case in cases if not only or case.id in only or case.category in only)
    return Corpus(cases=kept, malformed=malformed)


def _case(item: Mapping[str, Any]) -> Case:
    oracle, _, rest = str(item["oracle"]).partition("+")
    if oracle not in ORACLES or rest not in ("", "meta"):
        raise ValueError(f"unknown oracle {item['oracle']!r}")
    if oracle == "oracle_pair" and not item.get("sql_b"):
        raise ValueError("an oracle_pair without sql_b")
    return Case(
        id=str(item["id"]),
        sql=_text(item["sql"]),
        oracle=oracle,  # type: ignore[arg-type]
        meta=rest == "meta",
        category=str(item.get("category") or ""),
        sql_b=_text(item["sql_b"]) if item.get("sql_b") else None,
        policy=item.get("policy") or None,
        extra_markers=_patterns(item.get("extra_markers")),
        expect=_rows(item["expect"]) if item.get("expect") is not None else None,
        optional=bool(item.get("optional")),
        parameters=item.get("parameters") or {},
    )


def _patterns(given: object) -> tuple[str, ...]:
    patterns = (given,) if isinstance(given, str) else tuple(given or ())  # type: ignore[arg-type]
    for pattern in patterns:
        re.compile(pattern)
    return patterns


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the SQL is no text but {type(value).__name__}")
    return value


def _rows(expect: object) -> tuple[tuple[Any, ...], ...]:
    """A list of rows; a single value stands for one row of one column, a mapping for a row."""
    rows = expect if isinstance(expect, list) else [expect]
    return tuple(
        tuple(row.values()) if isinstance(row, dict) else tuple(row) if isinstance(row, list) else (row,)
        for row in rows
    )


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What stands for the placeholders: replacements in their order. Several stand for "one of these is the real one"."""

    readings: tuple[Mapping[str, str], ...]
    told: Mapping[str, str]

    def variants(self, sql: str) -> Iterator[str]:
        """Every reading of a text, each once."""
        seen = set()
        for reading in self.readings:
            text = sql
            for placeholder, known in reading.items():
                text = text.replace(placeholder, known)
            text = text.replace("{{}}", "{}")
            if text not in seen:
                seen.add(text)
                yield text


def knowledge_of(fixture: Fixture) -> Knowledge:
    """Placeholders at their nearest equivalents in this storage, from what was really published."""
    pin = fixture.pins()["sales.orders"]
    canaries, first = fixture.canaries, pin.locations[0]
    is_parquet, is_duckdb = first.endswith(".parquet"), first.endswith(".duckdb")
    files = {
        "{DB}": first if is_duckdb else str(canaries / "canary.duckdb"),
        "{PQ}": first if is_parquet else str(canaries / "canary.parquet"),
        "{CSV}": str(canaries / "canary.csv"),
        "{TXT}": str(canaries / "canary.txt"),
        "{JSON}": str(canaries / "canary.json"),
        "{DIR}": f"{canaries}/",
    }
    names, told = ["memory.main.orders", f"memory.main.{pin.relation}"], {}
    if pin.scan is not None and not is_parquet:
        names.append(pin.scan.rpartition(" FROM ")[2])
    elif is_parquet:
        names.append(f'"{first}"')
    elif not is_duckdb:
        names.append(first)
    told["{A}"] = f"{fixture.spot.kind}: tried as each of {', '.join(names)}"
    told |= {name: "a raw copy beside the mesh" for name in ("{DB}", "{PQ}") if str(canaries) in files[name]}
    return Knowledge(readings=tuple({**_relation(name), **files} for name in names), told=told)


def _relation(name: str) -> dict[str, str]:
    """{A}.main.orders in all spellings, then the bare alias."""
    if name == "memory.main.orders":
        return {"{A}": "memory"}
    catalog = name.partition(".")[0] if name.count(".") == 2 and "/" not in name else "memory"
    spellings = ("{A}.main.orders", "{A}.orders", '"{A}"."main"."orders"')
    return {**dict.fromkeys(spellings, name), "{A}": catalog.strip('"')}
