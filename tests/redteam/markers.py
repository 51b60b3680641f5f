"""What must never come back: values of hidden rows and masked columns, contents of files, and names of the physical world."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.redteam.door import Outcome
from tests.redteam.fixture import Fixture

# LEAKHOME stands in the environment of whoever asks.
HIDDEN = re.compile(r"NOTE-US|NOTE-APAC|s3cr3t|PID-\d|LEAKHIDDEN|LEAKFILE|LEAKMAC|LEAKHOME")
REGIONS = re.compile(r"(?<![A-Za-z0-9_])(US|APAC)(?![A-Za-z0-9_])")
# In a message a marker may be the attacker's own word, quoted back to them.
_WORD = r"[^\s'\"(),;]*"


def leaks(outcome: Outcome, sql: str, extra: tuple[str, ...] = ()) -> list[str]:
    """What of the hidden world is in an outcome, each with where it stands. A region counts when the attacker typed none."""
    values = list(texts_in(outcome.rows))
    found = [f"an answer holds {hit!r}" for hit in _hits(values, sql, typed_words=False, extra=extra)]
    found += [f"a column is called {hit!r}" for hit in _hits(list(outcome.columns), sql, typed_words=True, extra=extra)]
    messages = [*outcome.texts, outcome.said]
    return found + [f"a message holds {hit!r}" for hit in _hits(messages, sql, typed_words=True, extra=extra)]


def metadata(outcome: Outcome, sql: str, names: tuple[str, ...]) -> list[str]:
    """Which names of the physical world are in an outcome, that the attacker did not type."""
    typed = sql.casefold()
    said = "\n".join([*outcome.columns, *texts_in(outcome.rows), *outcome.texts, outcome.said]).casefold()
    return [name for name in names if name.casefold() in said and name.casefold() not in typed]


def physical_names(fixture: Fixture, *, rules: tuple[str, ...]) -> tuple[str, ...]:
    """Paths, aliases, relations, keys, policy text, and products that ana was not granted."""
    root = str(fixture.settings.root)
    names = {root, "hr.salaries", "salaries", "governed_0", "governed_1", "analysts-eu", *rules}
    for pin in fixture.pins().values():
        names |= {pin.relation, pin.relation.removeprefix("pin_"), *pin.locations, pin.version}
        names |= set(pin.tokens.values())
        if pin.scan:
            names.add(pin.scan)
            names |= set(re.findall(r"external_[0-9a-f]{8,}", pin.scan))
    for variables in fixture.spot.secrets.values():
        names |= set(variables.values())
    return tuple(sorted(name for name in names | _keys(fixture) if name))


def _keys(fixture: Fixture) -> set[str]:
    """Every secret that lies below the mesh's own folders of secrets and keys."""
    folders = {fixture.settings.secrets, fixture.settings.home / "keys"}
    files = [file for folder in folders if folder.is_dir() for file in folder.rglob("*") if file.is_file()]
    lines = [line for file in files for line in file.read_text("utf-8", "replace").splitlines()]
    return {value.strip() for line in lines for value in (line, line.partition("=")[2]) if len(value.strip()) >= 16}


def texts_in(value: Any) -> Iterator[str]:
    """Every text within a value, names of struct fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts_in(key)
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)
    elif value is not None:
        yield str(value)


def _hits(texts: list[str], sql: str, *, typed_words: bool, extra: tuple[str, ...]) -> Iterator[str]:
    typed_region = REGIONS.search(sql) is not None
    patterns = [HIDDEN, *map(re.compile, extra), *([] if typed_region else [REGIONS])]
    for text in dict.fromkeys(texts):
        for pattern in patterns:
            for hit in pattern.finditer(text):
                if not (typed_words and _word_around(text, hit) in sql):
                    yield _word_around(text, hit)[:80]
                    break


def _word_around(text: str, hit: re.Match[str]) -> str:
    before = re.search(_WORD + r"$", text[: hit.start()])
    after = re.match(_WORD, text[hit.end() :])
    return (before[0] if before else "") + hit[0] + (after[0] if after else "")
