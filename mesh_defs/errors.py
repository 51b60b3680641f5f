"""Every error a person can meet, as a tree: what happened, where, how to mend it.

    MeshError
    ├── DeclarationError      a file or a decorated function says something wrong (one or more findings)
    ├── NotFoundError         no such product, domain or column
    ├── QueryRejectedError    the SQL is not one governable SELECT
    │   └── AnalysisRejectedError   nor an analysis that the clean room's agreement knows
    ├── AccessDeniedError     the rules do not let this principal read this
    ├── BudgetExhaustedError  what is left of a clean room's privacy budget does not pay for this answer
    ├── StorageError          bytes are missing, torn or refused
    ├── EngineError           the engine failed while it ran an allowed query
    ├── TokenKeyError         the key that joinable tokens are made with was not given, or is none
    └── UnreachableError      something this command needs does not answer
        └── StorageUnreachableError      also a StorageError: the server that has the bytes

A user's fault is a MeshError; our own fault crashes. No message carries a row's value.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

# A longer name is no slip of the pen, and comparing takes the square of its length.
_COMPARED_CHARACTERS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a declaration, and what would mend it."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} — {self.fix}"


class MeshError(Exception):
    """Says what happened, where, and how to mend it. `code` is stable; `retryable` says if trying again can help."""

    code: ClassVar[str] = "mesh"
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what, where, fix)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross processes: without this, unpickling would call the class with other arguments than it takes."""
        return _restored, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head} — {self.fix}" if self.fix else head


class DeclarationError(MeshError):
    """A contract, an access file, a domain or a product's code says something wrong."""

    code = "declaration"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        first = self.findings[0]
        super().__init__(first.what, where=first.where, fix=first.fix)

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings)


class NotFoundError(MeshError):
    """A name that the mesh does not know, or that this principal may not know."""

    code = "not-found"


class QueryRejectedError(MeshError):
    """The SQL is not one SELECT over products, or says what the door cannot govern."""

    code = "query-rejected"


class AnalysisRejectedError(QueryRejectedError):
    """A clean room's agreement does not know such an analysis. Invariant: depends on no row of anybody's."""

    code = "analysis-rejected"


class BudgetExhaustedError(MeshError):
    """What is left of a clean room's privacy budget does not pay for this answer."""

    code = "budget-exhausted"


class AccessDeniedError(MeshError):
    """The rules do not let this principal read this, for this purpose."""

    code = "access-denied"


class StorageError(MeshError):
    """Bytes are missing, torn, or could not be written."""

    code = "storage"


class EngineError(MeshError):
    """The engine failed while it ran an allowed query; the message never carries a value."""

    code = "engine"


class TokenKeyError(MeshError):
    """The key that a product's joinable tokens are made with was not given to this process, or is none."""

    code = "token-key"


class UnreachableError(MeshError):
    """Something that this command needs does not answer or is not installed."""

    code = "unreachable"
    retryable = True


class StorageUnreachableError(StorageError, UnreachableError):
    """The server that has the bytes does not answer; the same try may succeed later."""

    code = "storage-unreachable"


def closest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that `name` was probably meant to be, whatever its case; None when none is near."""
    if len(name) > _COMPARED_CHARACTERS_MAX:
        return None
    names = {each.casefold(): each for each in sorted(known)}
    close = difflib.get_close_matches(name.casefold(), names, n=1, cutoff=cutoff)
    return names[close[0]] if close else None


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the closest known name, else the known names, for the end of a message."""
    names = sorted(known)
    if close := closest(name, names):
        return f"did you mean '{close}'?"
    return f"known: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}" if names else "there are none yet"


def _restored(kind: type[MeshError], args: tuple[Any, ...], state: dict[str, Any]) -> MeshError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
