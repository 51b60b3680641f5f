"""Attacks the one door with a corpus: `python -m tests.redteam.sql FILE.json [--storage KIND] [--engine ENGINE] [--json]`.

Exit code 0 only when nothing leaked, nothing was answered wrongly, and 95 % of the benign queries were answered.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesh_defs.model.query import EngineName
from tests.redteam.cases import Corpus, read_corpus
from tests.redteam.door import listening
from tests.redteam.run import run, staged
from tests.redteam.storages import KINDS
from tests.redteam.verdict import Verdict

BENIGN_ANSWERED_MIN = 0.95


def summary(corpus: Corpus, verdicts: Mapping[str, Verdict], *, storage: str, seconds: float) -> dict[str, Any]:
    """The one JSON object of the README, and what stands behind each name in it."""
    optional = {case.id for case in corpus.cases if case.optional}
    benign = [case.id for case in corpus.cases if case.oracle == "benign" and not case.optional]

    def those(kind: str, *, apart: bool = False) -> list[str]:
        return [name for name, verdict in verdicts.items() if verdict.kind == kind and (name in optional) is apart]

    return {
        "cases": len(corpus.cases) + len(corpus.malformed),
        "safe": len(those("safe")),
        "leaks": those("leak"),
        "metadata_leaks": those("metadata"),
        "wrong": those("wrong"),
        "benign": len(benign),
        "benign_answered": len([name for name in benign if verdicts[name].kind == "answered"]),
        "benign_refused": those("refused"),
        "not_run": {name: verdicts[name].why for name in (*those("not_run"), *those("not_run", apart=True))},
        "optional": {
            kind: found
            for kind in ("safe", "answered", "refused", "leak", "metadata", "wrong")
            if (found := those(kind, apart=True))
        },
        "why": {name: each.why for name, each in verdicts.items() if each.why and each.kind != "not_run"},
        "storage": storage,
        "seconds": round(seconds, 1),
    }


def passed(told: Mapping[str, Any]) -> bool:
    """Whether the door held: an empty run proves nothing."""
    ran = told["cases"] - len(told["not_run"])
    enough = told["benign_answered"] >= BENIGN_ANSWERED_MIN * told["benign"]
    return bool(ran and enough and not (told["leaks"] or told["metadata_leaks"] or told["wrong"]))


def table(told: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [f"{name:16} {told[name]}" for name in ("storage", "cases", "safe", "leaks", "metadata_leaks", "wrong")]
    lines.append(
        f"{'benign':16} {told['benign_answered']} of {told['benign']} answered, refused: {told['benign_refused']}"
    )
    lines += [f"{'optional':16} {told['optional']}"] if told["optional"] else []
    lines += [f"  {name}: {why}" for name, why in told["why"].items()]
    lines += [f"  {name} was not run: {why}" for name, why in told["not_run"].items()]
    return "\n".join([*lines, f"{'passed' if passed(told) else 'FAILED'} in {told['seconds']} s"])


def attack(file: Path, storage: str, engine: EngineName = "duckdb", *, only: Sequence[str] = ()) -> dict[str, Any]:
    """Run a corpus in a fixture of its own; progress goes to stderr."""
    corpus = read_corpus(file, only=only)
    with listening() as (ears, progress), staged(storage, ears, engine) as stage:
        for placeholder, known in stage.knowledge.told.items():
            progress.write(f"{placeholder}: {known}\n")
        verdicts, seconds = run(corpus, stage, lambda line: print(line, file=progress))
        return {
            **summary(corpus, verdicts, storage=storage, seconds=seconds),
            "engine": engine,
            "placeholders": dict(stage.knowledge.told),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, attack, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.redteam.sql", description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="a corpus, in the form that shared/redteam/README.md describes")
    parser.add_argument("--storage", choices=KINDS, help="parquet; with --engine trino: iceberg")
    parser.add_argument(
        "--engine", choices=("duckdb", "trino"), default="duckdb", help="Trino reads iceberg and postgres"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="ids or categories")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    given.storage = given.storage or ("iceberg" if given.engine == "trino" else "parquet")
    try:
        told = attack(given.file, given.storage, given.engine, only=given.only)
    except (OSError, ValueError) as error:
        print(f"{given.file}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(told, ensure_ascii=False, default=str) if given.json else table(told))
    return 0 if passed(told) else 1


if __name__ == "__main__":
    sys.exit(main())
