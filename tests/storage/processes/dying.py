"""How a process of a test dies at a chosen point: by its own hand, before its nth change to the world."""

import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

import duckdb

# Killed in the middle of writing rows, when this is a SELECT's number.
IN_THE_ROWS = -1


def die_before(points: Iterable[tuple[Any, str]], number: int) -> None:
    """Patch these (owner, name) functions so that this process is killed just before the nth call of any of them."""
    left = number

    def deadly(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return change(*arguments, **options)

        return call

    for owner, name in points:
        setattr(owner, name, deadly(getattr(owner, name)))


def deadly_select(connection: duckdb.DuckDBPyConnection) -> str:
    """A SELECT of generation 2 that kills this process when most of its rows are written."""

    def die(_: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    connection.create_function("die", die, ["BIGINT"], "BIGINT")
    return "SELECT CASE WHEN range = 250_000 THEN die(range) ELSE 2 END AS g FROM range(300_000)"


def attempt(write: Callable[[], None]) -> int:
    """Run it in a forked child; return that child's exit code. The caller must hold no DuckDB instance: it forks."""
    child = os.fork()
    if child == 0:
        try:
            write()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001  whatever kills it
            os.write(2, repr(error).encode())
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
