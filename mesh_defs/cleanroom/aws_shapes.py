"""A request against AWS's own service model, in full: botocore sees to types and what is required, and lets through values that
no enumeration names, numbers, texts and lists beyond their limits, and texts of another pattern.

What is unknown is refused: a kind of shape, a pattern that cannot be read.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape

# Unicode classes, which `re` lacks. Narrower than AWS: letters and digits of ASCII alone.
_CLASSES = {r"\p{L}": "A-Za-z", r"\p{M}": "", r"\p{N}": "0-9", r"\p{Pc}": "_", r"\p{Pd}": r"\-", r"\p{Zs}": " "}


def faults(operation: str, request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what AWS would not take of a request to e.g. "CreateMembership", a line each. Reads no network; 1 ms."""
    return tuple(_faults(_operation(operation).input_shape, request, operation))


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("cleanrooms")


def _operation(name: str) -> OperationModel:
    return _model().operation_model(name)


def _faults(shape: Shape, value: Any, at: str) -> Iterator[str]:
    walk = _KINDS.get(shape.type_name)
    if walk is None:
        yield f"{at}: a {shape.type_name} is nothing that is planned"
        return
    kind, further = walk
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        yield f"{at}: {type(value).__name__} in place of a {shape.type_name}"
        return
    yield from further(shape, value, at)


def _structure(shape: Any, value: Mapping[str, Any], at: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield f"{at}.{name} is missing"
    if shape.is_tagged_union and len(value) != 1:
        yield f"{at} is one of {', '.join(shape.members)}, not {len(value)} of them"
    for name, each in value.items():
        if name not in shape.members:
            yield f"{at}.{name} is unknown"
        else:
            yield from _faults(shape.members[name], each, f"{at}.{name}")


def _list(shape: Any, value: list[Any], at: str) -> Iterator[str]:
    yield from _sized(shape, len(value), at, "entries")
    for index, each in enumerate(value):
        yield from _faults(shape.member, each, f"{at}[{index}]")


def _map(shape: Any, value: Mapping[str, Any], at: str) -> Iterator[str]:
    yield from _sized(shape, len(value), at, "entries")
    for name, each in value.items():
        yield from _faults(shape.key, name, f"{at}: key")
        yield from _faults(shape.value, each, f"{at}.{name}")


def _text(shape: Any, value: str, at: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{at}: {value!r} is none of {', '.join(shape.enum)}"
    sizes = list(_sized(shape, len(value), at, "characters"))
    yield from sizes
    pattern = shape.metadata.get("pattern")
    # A text of the wrong length is not matched: some patterns take exponential time on long ones.
    if pattern and not sizes and not _pattern(pattern).fullmatch(value):
        yield f"{at}: {value!r} is not of the form {pattern}"


def _number(shape: Any, value: float, at: str) -> Iterator[str]:
    yield from _sized(shape, value, at, "")


def _flag(shape: Any, value: bool, at: str) -> Iterator[str]:
    yield from ()


def _sized(shape: Any, size: float, at: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{at}: {size} {what}".rstrip() + f", of at least {least}"
    if most is not None and not size <= most:
        yield f"{at}: {size} {what}".rstrip() + f", of at most {most}"


_KINDS: dict[str, tuple[Any, Any]] = {
    "structure": (Mapping, _structure),
    "list": (list, _list),
    "map": (Mapping, _map),
    "string": (str, _text),
    "integer": (int, _number),
    "long": (int, _number),
    "double": (int | float, _number),
    "float": (int | float, _number),
    "boolean": (bool, _flag),
}


@cache
def _pattern(text: str) -> re.Pattern[str]:
    for name, characters in _CLASSES.items():
        text = text.replace(name, characters)
    return re.compile(text.replace(_NESTED, _FLAT), re.ASCII)


# The one pattern of the model that takes exponential time, and its equal that does not.
_NESTED, _FLAT = "(([a-zA-Z0-9_]+)*([a-zA-Z0-9_]+))?", "[a-zA-Z0-9_]*"
