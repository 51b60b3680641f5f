"""Reads YAML so that every complaint can name its file, line and field. Knows no kind of document."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from mesh_defs.errors import DeclarationError, Finding, nearest

Model = TypeVar("Model", bound=BaseModel)
Field = tuple[str | int, ...]
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file that still knows where each of its values stood."""

    file: str
    data: dict[str, Any]
    node: yaml.Node

    def finding(self, field: Field, what: str, fix: str) -> Finding:
        """Complain about one field; a field that is missing is reported at the line of its parent."""
        return Finding(where=f"{self.file}:{self._line(field)}: {_dotted(field)}", what=what, fix=fix)

    def _line(self, field: Field) -> int:
        node = self.node
        for step in field:
            child = _child(node, step)
            if child is None:
                break
            node = child
        return int(node.start_mark.line) + 1


def read_document(path: Path, *, root: Path) -> Document:
    """Parse a YAML mapping; raises DeclarationError for what is not one. Messages name the file relative to `root`."""
    file = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    text = _text(path, file)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        repeated = list(_repeated_keys(node)) if node is not None else []
        data = loader.construct_document(node) if node is not None and not repeated else None
    except yaml.YAMLError as error:
        raise DeclarationError([_syntax(file, error)]) from None
    except RecursionError:
        raise DeclarationError([Finding(where=file, what="nested too deeply", fix="flatten it")]) from None
    if repeated:
        raise DeclarationError([_repeated(file, key) for key in repeated])
    if not isinstance(data, dict) or node is None:
        raise DeclarationError([Finding(where=file, what="not a YAML mapping", fix="write `field: value` lines")])
    return Document(file, data, node)


def build(model: type[Model], document: Document) -> Model:
    """Turn a document into `model`, refusing unknown fields at every depth. Raises DeclarationError with all findings."""
    findings = list(_unknown_fields(model, document.data, (), document))
    try:
        built = model.model_validate(document.data)
    except ValidationError as error:
        findings += [_invalid(document, problem) for problem in error.errors() if problem["type"] != "extra_forbidden"]
        raise DeclarationError(findings) from None
    if findings:
        raise DeclarationError(findings)
    return built


def _text(path: Path, file: str) -> str:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise DeclarationError([Finding(where=file, what=f"over {BYTES_MAX:,} bytes", fix="split it")])
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        raise DeclarationError([Finding(where=file, what=what, fix="write the file again, as UTF-8")]) from None


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode):
        if isinstance(step, int):
            return node.value[step] if step < len(node.value) else None
        return next((item for item in node.value if _names_property(item, step)), None)
    return None


def _names_property(item: yaml.Node, name: str) -> bool:
    """ODCS keeps extensions in lists of `{property, value}`: a step may name one by its property."""
    named = _child(item, "property") if isinstance(item, yaml.MappingNode) else None
    return named is not None and named.value == name


def _repeated_keys(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if str(key.value) in seen:
                yield key
            seen.add(str(key.value))
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated_keys(value)


def _repeated(file: str, key: yaml.Node) -> Finding:
    where = f"{file}:{key.start_mark.line + 1}: {key.value}"
    return Finding(where=where, what="written twice in one mapping", fix="keep one of the two")


def _syntax(file: str, error: yaml.YAMLError) -> Finding:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "unreadable"
    where = f"{file}:{mark.line + 1}" if mark else file
    return Finding(where=where, what=f"not YAML: {problem}", fix="mend the indentation or quote the value")


def _unknown_fields(model: type[BaseModel], value: Any, at: Field, document: Document) -> Iterator[Finding]:
    if not isinstance(value, dict):
        return
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for key, child in value.items():
        if key not in fields:
            yield document.finding((*at, key), "unknown field", nearest(str(key), fields))
            continue
        for step, nested, item in _nested(fields[key], child):
            yield from _unknown_fields(nested, item, (*at, key, *step), document)


def _nested(annotation: Any, value: Any) -> Iterator[tuple[Field, type[BaseModel], Any]]:
    """The models inside a value, with the way to each: direct, in a list or in a mapping, as the annotation has it.

    Of `Team | list[TeamMember]` the branch of the value's own shape counts.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from (((index, *step), model, each) for step, model, each in _nested(arguments[0], item))
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from (((key, *step), model, each) for step, model, each in _nested(arguments[1], item))
    elif origin in (Union, UnionType):
        yield from (found for branch in arguments for found in _nested(branch, value))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(value, dict):
        yield (), annotation, value


def _invalid(document: Document, problem: Any) -> Finding:
    field: Field = tuple(step for step in problem["loc"] if not _is_union_branch(step))
    if problem["type"] == "missing":
        return document.finding(field, "missing", f"add `{field[-1]}: …`")
    found = _shown(problem.get("input"))
    return document.finding(field, f"found {found}: {_first_lower(problem['msg'])}", _mend(problem))


def _is_union_branch(step: str | int) -> bool:
    return isinstance(step, str) and (step[:1].isupper() or step in ("str", "int", "float", "bool") or "[" in step)


def _mend(problem: Any) -> str:
    expected = str(problem.get("ctx", {}).get("expected", ""))
    known = [word.strip("' ") for word in expected.replace(" or ", ",").split(",") if word.strip()]
    given = problem.get("input")
    close = difflib.get_close_matches(given, known, n=1) if isinstance(given, str) else []
    if close:
        return f"did you mean '{close[0]}'?"
    return f"write one of: {', '.join(known)}" if known else "write a value of that kind"


def _first_lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _dotted(field: Field) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in field).lstrip(".") or "document"
