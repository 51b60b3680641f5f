r"""From the RE2 that `patterns` writes to Postgres's ARE and to Trino's (Java's syntax): the same strings are matched.

`patterns` uses few constructs, all listed in `_TOKEN`; another one is not translated. Greedy or not makes no difference:
only whether there is a match is ever asked. Sources: https://www.postgresql.org/docs/current/functions-matching.html,
https://trino.io/docs/current/functions/regexp.html.
"""

import re
from typing import Literal

# Postgres repeats no atom more often, and refuses what becomes too large when it is spelled out.
_POSTGRES_REPEATS_MAX = 255
_POSTGRES_STATES_MAX = 10_000
_TOKEN = re.compile(
    r"(?P<hex>\\x\{(?P<code>[0-9a-f]{1,6})\})|(?P<end>\\z)|(?P<plain>\\A|\\n|\(\?:|\)|\||[A-Za-z0-9]|\[\^?|\]|-|\?)|"
    r"(?P<repeat>\{(?P<low>\d+),(?P<high>\d*)\})"
)


def regex_for(re2: str, engine: Literal["postgres", "trino"], *, whole: bool) -> str | None:
    """Return the pattern for `engine`, `whole` when it must match a whole value; None when it has no equal."""
    parts, at, size = [], 0, 1
    while at < len(re2):
        found = _TOKEN.match(re2, at)
        if found is None:
            return None
        at = found.end()
        if found["repeat"] and engine == "postgres":
            most = max(int(found["low"]), int(found["high"] or 0))
            size *= max(most, 1)
            if most > _POSTGRES_REPEATS_MAX or size > _POSTGRES_STATES_MAX:
                return None
        parts.append(_postgres(found) if engine == "postgres" else found[0])
    pattern = "".join(parts)
    end = r"\Z" if engine == "postgres" else r"\z"
    return rf"\A(?:{pattern}){end}" if whole else pattern


def _postgres(found: re.Match[str]) -> str:
    if found["hex"]:
        code = int(found["code"], 16)
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    return r"\Z" if found["end"] else found[0]
