"""What both stories of the demo say to a terminal: `make demo` and `make room`."""

import sys
from collections.abc import Iterable


def say(text: str) -> None:
    """Write it at once: what a command of a process of its own prints comes after."""
    sys.stdout.write(text)
    sys.stdout.flush()


def as_typed(command: Iterable[str]) -> str:
    """A command of `mesh`, as somebody would type it."""
    return "mesh " + " ".join(f'"{word}"' if " " in word else word for word in command)
