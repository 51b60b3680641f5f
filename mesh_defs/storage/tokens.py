"""Which columns of a part readers are shown: those of tokens lie beside them. Makes no token; `upkeep.tokens` does."""

from collections.abc import Callable, Mapping, Sequence

from mesh_defs.model.names import quoted
from mesh_defs.model.version import Part, token_column


def shown(columns: Mapping[str, str], part: Part) -> dict[str, str]:
    """Return the columns of a part without those of its tokens."""
    hidden = set(map(token_column, part.tokens))
    return {name: type_ for name, type_ in columns.items() if name not in hidden}


def without_tokens(parts: Sequence[Part], read: Callable[[Sequence[Part]], str]) -> str:
    """Return text that may stand after FROM and reads these parts without their tokens.

    `read` gives such text for some of them, which all have the same columns, tokens included. Parts differ when a
    partition was published before its contract declared a token.
    """
    if not any(part.tokens for part in parts):
        return read(parts)
    alike: dict[tuple[str, ...], list[Part]] = {}
    for part in parts:
        alike.setdefault(tuple(sorted(map(token_column, part.tokens))), []).append(part)
    selects = [f"SELECT *{_except(hidden)} FROM {read(some)}" for hidden, some in alike.items()]
    return f"({' UNION ALL '.join(selects)})"


def _except(hidden: Sequence[str]) -> str:
    return f" EXCLUDE ({', '.join(map(quoted, hidden))})" if hidden else ""
