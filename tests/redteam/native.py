"""The corpora at a Trino that enforces by itself, sent by a direct client as ana: `python -m tests.redteam.native FILE.json`.

What is right there is what the same Trino answers over a table that holds the permitted rows alone. Cases with parameters of the
door's, and those that need other rows than the fixture's, are told as not run.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trino.exceptions import Error as TrinoError
from trino.exceptions import HttpError

from mesh_defs.model.names import literal
from mesh_defs.sql.translation.plain import is_plain
from mesh_defs.trino.policy_server import Sight
from mesh_defs.trino.serve import sight_of
from tests.redteam import markers
from tests.redteam.cases import Case, Corpus, read_corpus
from tests.redteam.data import ANA, PURPOSE, World
from tests.redteam.door import Outcome
from tests.redteam.fixture import variant
from tests.redteam.policies import arranged
from tests.redteam.reference import same_rows
from tests.redteam.run import Stage, staged
from tests.redteam.verdict import Kind, Verdict, worst
from tests.trino_server import Asking, Trino, asking, machine_here, watched

# A product by its name, or by that of its place. What it is elsewhere stands in a text too: an answer may hold it.
_PRODUCT = re.compile(r'(?ia)(?:\b\w+_(?:iceberg|postgres)\.)?"?\b(sales|hr)"?\s*\.\s*"?(orders|salaries)\b"?')
# What may be a product, and is none.
_GUESS = re.compile(r"(?ia)(?:(?<=from )|(?<=join )|(?<=, )|(?<=describe ))(sales|hr)\.(?!orders\b|salaries\b)(\w+)")
# Trino tells these to everybody, before it asks who may read what (docs/guides/trino.md). They depend on no row.
_OF_NAMES = {
    "CATALOG_NOT_FOUND",
    "SCHEMA_NOT_FOUND",
    "TABLE_NOT_FOUND",
    "COLUMN_NOT_FOUND",
    "MISMATCHED_COLUMN_ALIASES",
}
_NAMES = Verdict(kind="not_run", why="Trino tells everybody which names there are")
_PERMITTED = "permitted"
_COUNT = "SELECT count(*) FROM sales.orders"
_LISTS = re.compile(r"\s*(SHOW|DESCRIBE|DESC)\b", re.IGNORECASE)
_UNSTEADY = re.compile(r"random|uuid|now\(|current_|localtime|shuffle|any_value", re.IGNORECASE)
_REFUSED = "only queries are answered here"  # the policy server's words to what is none
_TYPES = {"INTEGER": "INTEGER", "DOUBLE": "DOUBLE"}


@dataclass(frozen=True, kw_only=True)
class Client:
    """Trino's own client. `catalogs`: where a domain's products are there, by the domain."""

    trino: Trino
    user: str
    catalogs: Mapping[str, str]

    def ask(self, sql: str) -> Outcome:
        """Ask under the names that products have there. `error` is Trino's name of what went wrong."""

        def there(found: re.Match[str]) -> str:
            domain, name = found[1].lower(), found[2].lower()
            return f"{self.catalogs[domain]}.{domain}.{name}"

        try:
            columns, rows = self.trino.table(_GUESS.sub(there, _PRODUCT.sub(there, sql)), self.user)
        except TrinoError as error:
            name = getattr(error, "error_name", None) or type(error).__name__
            return Outcome(error=name, texts=(getattr(error, "message", None) or str(error),))
        except (ValueError, TypeError, HttpError) as error:  # not taken by HTTP or Trino, or not held by Python
            return Outcome(error=type(error).__name__, texts=(str(error),))
        return Outcome(columns=tuple(columns), rows=tuple(tuple(map(_unordered, row)) for row in rows))


def _unordered(value: Any) -> Any:
    """Trino's maps have no order."""
    if isinstance(value, dict):
        return {key: _unordered(value[key]) for key in sorted(value, key=repr)}
    return list(map(_unordered, value)) if isinstance(value, list) else value


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """A Trino that enforces, the one that it is held against, and what an attacker knows. The last of `sights` decides.

    `rows`: how many rows are permitted, as an answer."""

    stage: Stage
    native: Asking
    client: Client
    permitted: Client
    sights: list[Sight]
    rows: tuple[tuple[Any, ...], ...]

    def readings(self, text: str) -> str:
        """Placeholders as what they are there."""
        known = {"{A}.main.": "sales_iceberg.sales.", "{A}": "sales_iceberg"}
        files = {key: value for key, value in self.stage.knowledge.readings[0].items() if "{A}" not in key}
        for placeholder, value in {**known, **files}.items():
            text = text.replace(placeholder, value)
        return text.replace("{{}}", "{}")

    def judged(self, case: Case) -> Verdict:
        """What came back, held against the permitted rows alone; under other rules, the worst of what came back."""
        if case.parameters:
            return Verdict(kind="not_run", why="it has parameters of the door's")
        if case.policy is None:
            return self._asked(case)
        told = arranged(case.policy, self.stage.fixture.world)
        if told.anew or not told.worlds:
            return Verdict(kind="not_run", why=told.why_not or "it needs other rows")
        return worst([self._under(world, case) for world in told.worlds.values()])

    def _under(self, world: World, case: Case) -> Verdict:
        """Ask the same Trino under other access rules."""
        settings = self.stage.fixture.settings
        varied = variant(self.stage.fixture, settings.root.with_name(f"native-{len(self.sights)}"), world)
        varied.open()  # which builds its snapshot
        self.sights.append(sight_of(varied.settings))
        try:
            return self._asked(case)
        finally:
            self.sights.append(self.sights[0])

    def _asked(self, case: Case) -> Verdict:
        sql = self.readings(case.sql)
        verdict, outcome = self._one(case, sql)
        if case.sql_b is None or verdict.kind not in ("safe", "answered"):
            return verdict
        other, second = self._one(case, self.readings(case.sql_b))
        alike = outcome.error == second.error and (outcome.error is not None or same_rows(outcome.rows, second.rows))
        if not alike and {outcome.error, second.error} <= {"PERMISSION_DENIED", *_OF_NAMES}:
            return _NAMES
        return other if alike else Verdict(kind="leak", why=f"the guesses differ: {outcome.error} and {second.error}")

    def _one(self, case: Case, sql: str) -> tuple[Verdict, Outcome]:
        mine, right = self.client.ask(sql), self._right(sql)
        alike = mine.answered and right.answered and same_rows(mine.rows, self._named(right.rows))
        if not alike and (hits := markers.leaks(mine, sql, case.extra_markers)):
            return Verdict(kind="leak", why="; ".join(hits[:3])), mine
        if named := markers.metadata(mine, sql, self.stage.judge.names) if case.meta else []:
            return Verdict(kind="metadata", why=f"names {', '.join(named)[:200]}"), mine
        # Other rules may show nothing of a table, and let every query of it fail.
        nothing = case.policy is not None and not mine.rows
        if alike or nothing or mine.error == "PERMISSION_DENIED" or (mine.error is not None and not right.answered):
            answered: Kind = "answered" if mine.answered else "refused"
            return Verdict(kind=answered if case.oracle == "benign" else "safe"), mine
        if mine.answered:
            steady = right.answered and not _UNSTEADY.search(sql)
            why = f"{len(mine.rows)} rows, where the permitted rows alone give {right.error or len(right.rows)}"
            return Verdict(kind="wrong" if steady or case.oracle == "must_reject" else "safe", why=why), mine
        if mine.error in ("QUERY_REJECTED", "EXCEEDED_TIME_LIMIT") or _REFUSED in " ".join(mine.texts):
            return Verdict(kind="safe"), mine
        if mine.error in _OF_NAMES:
            return _NAMES, mine
        return Verdict(kind="leak", why=f"fails ({mine.error}) where the permitted rows alone give an answer"), mine

    def _right(self, sql: str) -> Outcome:
        """What the permitted rows alone give. Only what reads is sent: no attack may change what the next is held against."""
        return self.permitted.ask(sql) if is_plain(sql) or _LISTS.match(sql) else Outcome(error="NOT_A_QUERY")

    def require_whole(self) -> None:
        """Raise AssertionError when the permitted rows are not there any more: nothing would be held against them."""
        counted = self.permitted.ask(_COUNT)
        if not self.rows or counted.rows != self.rows:
            raise AssertionError(f"an attack changed what it is held against: {counted.error or counted.rows}")

    def _named(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """With the attacker's own text as it was sent to the one that enforces: an answer may be just that."""
        there = self.client.catalogs["sales"]
        return [
            tuple(v.replace(f"{_PERMITTED}.", f"{there}.") if isinstance(v, str) else v for v in row) for row in rows
        ]


@contextmanager
def attacked(kind: str = "iceberg") -> Iterator[Attacked]:
    """The README's fixture, a Trino that asks its policy server, and one with the permitted rows alone."""
    with staged(kind, engine="trino") as stage:
        folder = stage.ground.folder("native")
        sights = [sight_of(stage.fixture.settings)]
        made = asking(stage.fixture.settings, machine_here(folder / "n"), folder / "o", sight=lambda: sights[-1]())
        native = stage.ground.exits.enter_context(made)
        access = stage.fixture.settings.trino
        assert access is not None
        alone = Trino(access.url)
        _fill(alone, stage)
        there = "postgres" if kind == "postgres" else "iceberg"
        client = Client(
            trino=native.trino,
            user=f"{ANA}+{PURPOSE}",
            catalogs={domain: f"{domain}_{there}" for domain in ("sales", "hr")},
        )
        permitted = Client(trino=alone, user="tester", catalogs=dict.fromkeys(("sales", "hr"), _PERMITTED))
        with watched(native):
            rows = permitted.ask(_COUNT).rows
            yield Attacked(stage=stage, native=native, client=client, permitted=permitted, sights=sights, rows=rows)


def _fill(trino: Trino, stage: Stage) -> None:
    """Let `permitted.sales.orders` hold what ana may see, as the door on DuckDB shows it."""
    table = stage.fixture.world.tables[0]
    columns = ", ".join(f"{name} {_TYPES.get(type_, 'VARCHAR')}" for name, type_ in table.columns.items())
    trino.rows("CREATE CATALOG permitted USING memory")
    trino.rows("CREATE SCHEMA permitted.sales")
    trino.rows(f"CREATE TABLE permitted.sales.orders ({columns})")
    rows = replace(stage.door, engine="duckdb").ask(f"SELECT * FROM {table.product}").rows
    for start in range(0, len(rows), 500):
        values = ", ".join(f"({', '.join(map(_written, row))})" for row in rows[start : start + 500])
        trino.rows(f"INSERT INTO permitted.sales.orders VALUES {values}")


def _written(value: Any) -> str:
    if value is None:
        return "NULL"
    return (
        repr(value) if isinstance(value, int) else f"{value!r}e0" if isinstance(value, float) else literal(str(value))
    )


def attack(corpus: Corpus, on: Attacked) -> dict[str, Any]:
    """Judge every case; what was not safe with its reason."""
    begun, verdicts = time.monotonic(), {case.id: on.judged(case) for case in corpus.cases}
    on.require_whole()
    verdicts |= {name: Verdict(kind="wrong", why=why) for name, why in corpus.malformed.items()}
    kinds = ("leak", "metadata", "wrong", "not_run")
    return {
        "cases": len(verdicts),
        **Counter(verdict.kind for verdict in verdicts.values()),
        "why": {name: f"{each.kind}: {each.why}" for name, each in verdicts.items() if each.kind in kinds},
        "seconds": round(time.monotonic() - begun, 1),
    }


def held(told: Mapping[str, Any]) -> bool:
    """Whether nothing came out. An empty run proves nothing."""
    return bool(told["cases"] > told.get("not_run", 0) and not any(told.get(k) for k in ("leak", "metadata", "wrong")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, attack, print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m tests.redteam.native", description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="a corpus, in the form that shared/redteam/README.md describes")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="ids or categories")
    given = parser.parse_args(arguments)
    with attacked() as on:
        told = attack(read_corpus(given.file, only=given.only), on)
    print(json.dumps(told, indent=1, ensure_ascii=False))
    return 0 if held(told) else 1


if __name__ == "__main__":
    sys.exit(main())
