"""What a doctor writes down: one thing that was looked at, and how to mend it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One thing that was looked at. `fix` is empty when it is well."""

    name: str
    found: str
    fix: str = ""
