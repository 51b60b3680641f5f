"""Cases of a room's corpus: what is asked, step by step, under which circumstances. One that cannot be arranged says why."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXPECTED = frozenset(
    {
        "reject",
        "suppress",
        "suppress-complement",
        "allow",
        "allow-cached",
        "reject-last",
        "suppress-last",
        "reject-any",
        "budget",
    }
)
_TEMPLATE = re.compile(r"template:(?P<name>\w+)(?P<edited>@\w+)?\s*(?:\((?P<arguments>.*)\))?\s*", re.DOTALL)
_ARGUMENT = re.compile(r"\s*(\w+)\s*=\s*('(?:[^']|'')*'|[^,]+?)\s*(?:,|$)")
# What a case may say of its agreement, and the change of the file or of its signatures that this is.
AGREEMENTS = ("expired", "not_yet", "revoked", "unsigned", "edited", "one_signature")
ENVIRONMENTS = ("restart the room between steps",)


class NotArrangedError(Exception):
    """The harness cannot make the circumstances of a case."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One question. `template` with its `arguments`, or `sql`; `edited`: the template is not the one that was signed."""

    sql: str = ""
    template: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    edited: bool = False
    run_as: str = "adv"
    recipient: str = "adv"
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RoomCase:
    """One attack, or one benign question. `expected` is any of the outcomes that are right."""

    id: str
    benign: bool
    expected: tuple[str, ...]
    steps: tuple[Step, ...]
    level: str
    agreement: str = ""
    restarts: bool = False
    setup_sql: tuple[str, ...] = ()
    expect_sql: tuple[str, ...] = ()


def read_cases(file: Path) -> tuple[list[RoomCase], dict[str, str]]:
    """Read a corpus; return its cases, and for each that cannot be arranged its reason. OSError, ValueError for what is none."""
    items = json.loads(file.read_text())
    if not isinstance(items, list):
        raise ValueError("a corpus is a list of cases")
    cases, not_run = [], {}
    for number, item in enumerate(items):
        name = str(item.get("id", number)) if isinstance(item, dict) else str(number)
        try:
            cases.append(_case(name, item))
        except NotArrangedError as error:
            not_run[name] = str(error)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            not_run[name] = f"this is no case: {error!r}"
    return cases, not_run


def _case(name: str, item: Mapping[str, Any]) -> RoomCase:
    expected = (str(item["expected"]), *map(str, _listed(item.get("also_ok"))))
    if unknown := set(expected[:1]) - EXPECTED:
        raise NotArrangedError(f"unknown outcome {sorted(unknown)}")
    texts = _listed(item["sql"])
    count = len(texts)
    runs, requests = _per_step(item.get("run_as", "adv"), count), _per_step(item.get("request"), count)
    arguments, params = _per_step(item.get("args"), count), _per_step(item.get("params"), count)
    steps = tuple(
        _step(text, run_as=runs[n], request=requests[n], arguments=arguments[n], params=params[n])
        for n, text in enumerate(texts)
    )
    environment = [str(each) for each in _listed(item.get("env")) if each]
    if unknown := [each for each in environment if each not in ENVIRONMENTS]:
        raise NotArrangedError(f"no such surroundings here: {unknown}")
    return RoomCase(
        id=name,
        benign=bool(item.get("benign")) or item.get("kind") == "benign" or item.get("category") == "benign",
        expected=expected,
        steps=steps,
        level="privacy" if item.get("rule_type") == "dp" else "threshold",
        agreement=_agreement(item.get("agreement")),
        restarts=bool(environment),
        setup_sql=tuple(_listed(item.get("setup_sql"))),
        expect_sql=tuple(_listed(item.get("expect_sql"))),
    )


def _step(text: str, *, run_as: Any, request: Any, arguments: Any, params: Any) -> Step:
    recipient = "adv" if run_as in (None, "adv") else str(run_as)
    if request:
        told = re.fullmatch(r"(?:receiver|recipient)\s*[=:]\s*(\w+)", str(request))
        if not told:
            raise NotArrangedError(f"no such request here: {request!r}")
        recipient = told[1]
    if unknown := set(params or ()) - {"eps_frac", "epsilon"}:
        raise NotArrangedError(f"no such parameters here: {sorted(unknown)}")
    common = {"run_as": str(run_as or "adv"), "recipient": recipient, "params": dict(params or {})}
    found = _TEMPLATE.fullmatch(text)
    if found is None:
        return Step(sql=text, **common)
    given = arguments if isinstance(arguments, dict) else _arguments(found["arguments"] or "")
    return Step(template=found["name"], arguments=given, edited=bool(found["edited"]), **common)


def _arguments(text: str) -> dict[str, Any]:
    return {
        name: value[1:-1].replace("''", "'") if value[0] == "'" else _plain(value)
        for name, value in _ARGUMENT.findall(text)
    }


def _plain(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _agreement(told: Any) -> str:
    text = str(told or "").strip()
    if text and not text.startswith(AGREEMENTS):
        raise NotArrangedError(f"no such agreement here: {text!r}")
    return text


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _per_step(value: Any, count: int) -> list[Any]:
    return list(value) + [None] * (count - len(value)) if isinstance(value, list) else [value] * count
