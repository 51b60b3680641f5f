"""The usual way, to compare with: views with a filter and masks on a hardened, locked DuckDB that has the tables attached.

Questions run in a process of their own, which is made anew when one kills it. `python -m tests.redteam.views FILE ALIAS` is
that process: it reads a question per line, and writes an outcome per line.
"""

import json
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

import duckdb

from tests.redteam.cases import Knowledge
from tests.redteam.data import World
from tests.redteam.door import ROWS_MAX, Outcome, refusal_of, rows_of
from tests.redteam.fixture import Fixture
from tests.redteam.limits import BYTES_MAX, SECONDS_MAX, held

ENDED = "over the limit"
_PEPPER = "4f0c-pepper"
_VIEW = f"""CREATE VIEW sales.orders AS SELECT order_id, region, CAST(NULL AS VARCHAR) AS person_id,
    sha256('{_PEPPER}' || email) AS email, amount, note, CAST(NULL AS STRUCT(email VARCHAR, tier INTEGER)) AS attrs
    FROM {{alias}}.main.orders WHERE region = 'EU'"""
_HARDENED = (
    "SET allow_community_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET catalog_error_max_schemas = 0",
    "SET memory_limit = '1GB'",
    "SET enable_external_access = false",
    "SET disabled_filesystems = 'LocalFileSystem'",
    "SET lock_configuration = true",
)


class Views:
    """Asks through views. The attacker knows the alias, as the README of the corpora says."""

    def __init__(self, fixture: Fixture) -> None:
        self.alias = f"base_{secrets.token_hex(16)}"
        self._folder = fixture.settings.root.with_name("views")
        self._folder.mkdir(exist_ok=True)
        self._database = self._folder / "base.duckdb"
        _write(self._database, fixture.world)
        self._process: subprocess.Popen[str] | None = None

    def knowledge(self, knowledge: Knowledge) -> Knowledge:
        """What the attacker knows here: the same files, and the alias."""
        files = {name: path for name, path in knowledge.readings[0].items() if name != "{A}"}
        return Knowledge(readings=({"{A}": self.alias, **files, "{DB}": str(self._database)},), told={})

    def names(self) -> tuple[str, ...]:
        """The physical names."""
        return (self.alias, str(self._folder), _PEPPER, "salaries", "region = 'EU'")

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Outcome:
        """Ask; a question over the limits, or one that kills the process, ends in a refusal that says so."""
        process = self._running()
        stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        stdin.write(json.dumps({"sql": sql, "parameters": dict(parameters or {})}) + "\n")
        stdin.flush()
        until = time.monotonic() + SECONDS_MAX
        while not select.select([stdout], [], [], 0.02)[0]:
            if time.monotonic() > until or held(process.pid) > BYTES_MAX:
                self.close()
                return Outcome(error="ended", texts=(ENDED,))
        line = stdout.readline()
        if not line.startswith("{"):
            self.close()
            return Outcome(error="crash", texts=("the process crashed",))
        told = json.loads(line)
        rows = tuple(map(tuple, told.pop("rows")))
        return Outcome(
            **{**told, "columns": tuple(told["columns"]), "texts": tuple(told["texts"]), "crashed": False}, rows=rows
        )

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            command = [sys.executable, "-W", "ignore", "-m", "tests.redteam.views", str(self._database), self.alias]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
            cast(IO[str], self._process.stdout).readline()  # it says when it is ready: imports are nobody's question
        return self._process


def _write(database: Path, world: World) -> None:
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        for table in world.tables:
            connection.execute(f"CREATE TABLE {table.name} AS {table.select}")
        connection.execute("CREATE SEQUENCE sq")
        connection.execute("CREATE MACRO mac(x) AS x || 'LEAKMAC'")


def _answer(database: str, alias: str, question: Mapping[str, Any]) -> Outcome:
    """One question on a fresh instance: what an earlier one changed is gone."""
    with duckdb.connect(":memory:", config={"python_enable_replacements": False}) as connection:
        connection.execute(f"ATTACH '{database}' AS {alias} (READ_ONLY)")
        connection.execute("CREATE SCHEMA sales")
        connection.execute(_VIEW.format(alias=alias))
        for statement in _HARDENED:
            connection.execute(statement)
        try:
            found = connection.execute(question["sql"], question["parameters"] or None)
            table = found.to_arrow_table()
            rows = tuple(row for row, _ in zip(rows_of(table), range(ROWS_MAX), strict=False))
            return Outcome(columns=tuple(table.schema.names), rows=rows)
        except Exception as error:  # noqa: BLE001  whatever DuckDB says is what we are here to look at
            return refusal_of(error)


def main() -> int:
    """Answer until the input ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        outcome = _answer(sys.argv[1], sys.argv[2], json.loads(line))
        print(json.dumps(asdict(outcome), default=str), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
