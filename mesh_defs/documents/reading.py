"""Reads YAML so that every complaint can name its file, line and field. Knows no kind of document.

YAML 1.1 as PyYAML and therefore Dagster and the ODCS tools read it (`yes` and `on` are true), with limits: a parser
recurses, and twenty short lines of aliases can mean more values than fit in memory. Tags are refused: a declaration
holds plain values.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from mesh_defs.errors import DeclarationError, Finding

Field = tuple[str | int, ...]
BYTES_MAX = 1_000_000
# Lists and mappings, one inside the other. libyaml's composer is compiled: beyond some 10,000 it ends the process.
LEVELS_MAX = 64
# With every alias written out.
VALUES_MAX = 100_000
FINDINGS_MAX = 100
SHOWN_CHARACTERS = 60

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KINDS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "map", "seq")
_CORE = "tag:yaml.org,2002:"
_TEXT, _NOTHING, _MERGE = f"{_CORE}str", f"{_CORE}null", f"{_CORE}merge"
# What YAML takes for unprintable, in the file or escaped in a value; terminals and databases choke on it.
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file that still knows where each of its values stood."""

    file: str
    data: dict[str, Any]
    node: yaml.Node

    def finding(self, field: Field, what: str, fix: str) -> Finding:
        """Complain about one field; a field that is missing is reported at the line of its parent."""
        return finding_at(self.file, self._way(field)[-1][0], field, what, fix)

    def written(self, field: Field) -> str:
        """What stands at a field, for the end of "found …": a value as it is written, short."""
        way = self._way(field)
        return shown(way[-1][1]) if len(way) > len(field) else "nothing"

    def _way(self, field: Field) -> list[tuple[yaml.Node, yaml.Node]]:
        """The way to a field, as far as it is there: where each step stands (a mapping's at its key), and its value."""
        way = [(self.node, self.node)]
        for step in field:
            child = _child(way[-1][1], step)
            if child is None:
                break
            way.append(child)
        return way


def read_document(path: Path, *, root: Path) -> Document:
    """Parse a YAML mapping; raises DeclarationError for what is not one. Messages name the file relative to `root`."""
    file = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    text = _text(path, file)
    try:
        _refuse_large(text, file)
        loader = _Loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            what = "empty" if node is None or node.tag == _NOTHING else f"found {shown(node)}, wanted a mapping"
            raise DeclarationError([finding_at(file, node, (), what, "write `field: value` lines")])
        raise_all(_unusable(loader, node, file), file)
        return Document(file, loader.construct_document(node), node)
    except yaml.YAMLError as error:
        raise DeclarationError([_syntax(file, error)]) from None


def finding_at(file: str, node: yaml.Node | yaml.Event | None, field: Field, what: str, fix: str) -> Finding:
    """A finding about a field that stands at a node."""
    line = node.start_mark.line + 1 if node is not None and node.start_mark else 1
    return Finding(where=f"{file}:{line}: {_dotted(field)}", what=what, fix=fix)


def raise_all(findings: Iterable[Finding], file: str) -> None:
    """Raise DeclarationError with the findings, at most FINDINGS_MAX of them; with none, do nothing."""
    listed = list(islice(findings, FINDINGS_MAX + 1))
    if len(listed) > FINDINGS_MAX:
        listed[-1] = Finding(where=file, what="and there is more that is wrong", fix="mend the above first")
    if listed:
        raise DeclarationError(listed)


def shown(node: yaml.Node) -> str:
    """A value as its writer sees it: text in quotes, anything else as it is written."""
    if not isinstance(node, yaml.ScalarNode):
        return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
    if node.tag == _TEXT:
        return repr(_short(node.value))
    return "nothing" if node.tag == _NOTHING else _short(node.value)


def _text(path: Path, file: str) -> str:
    if not path.exists():
        raise _unreadable(file, "there is no such file", "write it, or mend its name")
    if not path.is_file():
        raise _unreadable(file, "not a file", "put a file of YAML in its place")
    try:
        if path.stat().st_size > BYTES_MAX:
            raise _unreadable(file, f"over {BYTES_MAX:,} bytes", "split it")
        raw = path.read_bytes()
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except OSError as error:
        raise _unreadable(file, f"unreadable: {error.strerror}", "mend its rights") from None
    except UnicodeDecodeError as error:
        line = _line(raw[: error.start].decode())
        raise _unreadable(f"{file}:{line}: document", "not UTF-8 text", "save the file as UTF-8") from None
    if unprintable := _UNPRINTABLE.search(text):
        line = _line(text[: unprintable.start()])
        raise _unreadable(f"{file}:{line}: document", "holds a control character", "remove it")
    return text


def _unreadable(where: str, what: str, fix: str) -> DeclarationError:
    return DeclarationError([Finding(where=where, what=what, fix=fix)])


def _line(before: str) -> int:
    return before.count("\n") + 1


@dataclass(slots=True)
class _Opened:
    """A collection whose end was not reached yet, or any value: its size with the aliases written out."""

    anchor: str | None
    values: int = 1
    levels: int = 1


def _refuse_large(text: str, file: str) -> None:
    """Refuse what would take too deep or too long to compose, by its events: they cost no recursion."""
    anchors: dict[str, _Opened] = {}
    opened = [_Opened(None)]
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(_Opened(event.anchor))
            done = None
        elif isinstance(event, yaml.CollectionEndEvent):
            done = opened.pop()
        elif isinstance(event, yaml.ScalarEvent):
            done = _Opened(event.anchor, levels=0)
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == each.anchor for each in opened):
                raise _too_large(file, event, f"*{event.anchor} stands for what it is part of", "write the value out")
            done = anchors.get(str(event.anchor))
        else:
            continue
        if done:
            opened[-1].values += done.values
            opened[-1].levels = max(opened[-1].levels, done.levels + 1)
            if done.anchor:
                anchors[done.anchor] = done
        if len(opened) - 1 + (done.levels if done else 0) > LEVELS_MAX:
            raise _too_large(file, event, f"nested more than {LEVELS_MAX} levels deep", "flatten it")
        if opened[-1].values > VALUES_MAX:
            raise _too_large(file, event, f"holds more than {VALUES_MAX:,} values", "split it, or write fewer aliases")


def _too_large(file: str, event: yaml.Event, what: str, fix: str) -> DeclarationError:
    return DeclarationError([finding_at(file, event, (), what, fix)])


def _unusable(loader: Any, root: yaml.Node, file: str) -> Iterator[Finding]:
    """Keys that are no text or stand twice, and values that are not what they pretend to be."""
    seen: set[int] = set()
    waiting: list[tuple[Field, yaml.Node]] = [((), root)]
    while waiting:
        at, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        kind = node.tag.removeprefix(_CORE)
        if kind not in _KINDS:
            fix = "write a plain value: text in quotes, a number, a list or a mapping"
            yield finding_at(file, node, at, f"a value of the kind '{_short(kind)}'", fix)
        elif isinstance(node, yaml.ScalarNode):
            yield from _unusable_scalar(loader, node, at, file)
        elif isinstance(node, yaml.SequenceNode):
            waiting += [((*at, index), each) for index, each in reversed(list(enumerate(node.value)))]
        elif isinstance(node, yaml.MappingNode):
            yield from _unusable_keys(node, at, file)
            named = [(key.value, each) for key, each in node.value if isinstance(key, yaml.ScalarNode)]
            waiting += [((*at, name), each) for name, each in reversed(named)]


def _unusable_scalar(loader: Any, node: yaml.ScalarNode, at: Field, file: str) -> Iterator[Finding]:
    if node.tag == _TEXT:
        if _UNPRINTABLE.search(node.value):
            yield finding_at(file, node, at, "holds a control character", "remove it")
        return
    try:
        loader.construct_object(node)
    # PyYAML's own constructors raise whatever int() or datetime() does: 2024-13-45, 0b_, !!bool maybe.
    except (ValueError, LookupError, TypeError, AttributeError):
        kind = node.tag.rpartition(":")[2]
        yield finding_at(file, node, at, f"found {shown(node)}, which is no {kind}", "mend it, or put it in quotes")


def _unusable_keys(mapping: yaml.MappingNode, at: Field, file: str) -> Iterator[Finding]:
    names: set[str] = set()
    for key, _ in mapping.value:
        if key.tag == _MERGE:
            continue
        if key.tag != _TEXT:
            what = f"the key {shown(key)} is no text to YAML"
            yield finding_at(file, key, at, what, "put it in quotes, or write a name")
        elif key.value in names:
            yield finding_at(file, key, (*at, key.value), "written twice in one mapping", "keep one of the two")
        else:
            names.add(key.value)


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        # The last one counts: what a merge (`<<`) brings in stands first.
        return next(((key, value) for key, value in reversed(node.value) if key.value == step), None)
    if isinstance(node, yaml.SequenceNode):
        if isinstance(step, int):
            return (node.value[step], node.value[step]) if step < len(node.value) else None
        return next(((item, item) for item in node.value if _names_property(item, step)), None)
    return None


def _names_property(item: yaml.Node, name: str) -> bool:
    """ODCS keeps extensions in lists of `{property, value}`: a step may name one by its property."""
    named = _child(item, "property") if isinstance(item, yaml.MappingNode) else None
    return named is not None and named[1].value == name


def _syntax(file: str, error: yaml.YAMLError) -> Finding:
    mark, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or "unreadable")
    where = f"{file}:{mark.line + 1}: document" if mark else file
    since = f" (begun in line {begun.line + 1})" if mark and begun and begun.line != mark.line else ""
    tabs = "cannot start any token" in problem
    fix = "indent with blanks, not tabs, or quote the value" if tabs else "mend the indentation or quote the value"
    return Finding(where=where, what=f"not YAML: {problem}{since}", fix=fix)


def _dotted(field: Field) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{_short(step)}" for step in field)
    return "".join(steps).lstrip(".") or "document"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
