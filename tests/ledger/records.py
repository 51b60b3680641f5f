"""A ledger with its seal in a folder of the test's own, and the ways to tamper with it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from mesh_defs.ledger import Ledger, open_ledger
from mesh_defs.settings import Settings, load_settings
from tests.factories import NOW, write


def settings_in(folder: Path, **given: str) -> Settings:
    write(folder, "mesh.yaml", "format: 1\n")
    return load_settings(given, start=folder)


def filled(ledger: Ledger, count: int = 5) -> Ledger:
    for number in range(count):
        ledger.append("asked" if number % 2 else "allowed", {"number": number}, at=NOW)
    return ledger


def recorded(folder: Path, count: int = 5, **given: str) -> Settings:
    """A signed ledger of some entries."""
    settings = settings_in(folder, **given)
    filled(open_ledger(settings), count)
    return settings


def file_of(settings: Settings) -> Path:
    return settings.home / "ledger.sqlite"


def tamper(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def written_anew(file: Path, scratch: Path, *, start: int = 3) -> None:
    """Replace the entries from `start` on by others whose chain is right: the forger computes all that follows."""
    forger = filled(Ledger(f"sqlite:///{scratch}/forged.sqlite"), start - 1)
    for number in range(start, 6):
        forger.append("allowed", {"number": f"forged {number}"}, at=NOW)
    tamper(
        file,
        f"DELETE FROM ledger_entries WHERE seq >= {start}",
        f"ATTACH '{scratch}/forged.sqlite' AS forged",
        f"INSERT INTO ledger_entries SELECT * FROM forged.ledger_entries WHERE seq >= {start}",
    )
