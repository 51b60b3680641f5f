"""Ends what a supervisor leaves behind when it is killed: `python -m mesh_defs.processes.guard`, tied to it by a pipe.

The supervisor writes `+<group>` for each process group that it starts and `-<group>` for each that is gone. However it ends,
the pipe ends too, and what is left of the groups is ended: politely, then not. Code servers' own children are of their groups.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

POLITE_SECONDS = 10.0


def is_alive(group: int) -> bool:
    """Tell whether a process group still has a member; one that nobody has waited for counts."""
    return _signal(group, 0)


def end_groups(
    groups: Iterable[int], *, alive: Callable[[int], bool] = is_alive, polite_seconds: float = POLITE_SECONDS
) -> None:
    """Terminate process groups; kill what is left of them after `polite_seconds`."""
    left = [group for group in groups if _signal(group, signal.SIGTERM)]
    until = time.monotonic() + polite_seconds
    while (left := [group for group in left if alive(group)]) and time.monotonic() < until:
        time.sleep(0.05)
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    """Read until the pipe ends, then end what is left."""
    groups = set(map(int, sys.argv[2:]))  # those that a guard before this one knew
    for line in sys.stdin:
        with suppress(ValueError):
            change, group = line[0], int(line[1:])
            groups = groups | {group} if change == "+" else groups - {group}
    end_groups(groups, polite_seconds=float(sys.argv[1]))


if __name__ == "__main__":
    main()
