"""A document against a pydantic model: what has no place in it, what is of the wrong kind, what is missing.

`build` wants it all right. `build_sound_part` goes on with what is right, so that its meaning can be judged in one go.
"""

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import FINDINGS_MAX, Document, Field, raise_all
from mesh_defs.errors import closest, nearest

Model = TypeVar("Model", bound=BaseModel)
_DECLARED = "declared"
_MAPPING = ("a mapping", "write `field: value` lines under it")
_WHOLE = ("a whole number", "write a whole number")
_NUMBER = ("a number", "write a number")
_YES_OR_NO = ("true or false", "write true or false")
_DATE = ("a date", "write it like 2027-12-31, without quotes")
# pydantic's type of error -> (what was wanted, how to write that)
_WANTED = {
    "string_type": ("text", "put it in quotes"),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": ("a finite number", "write a finite number"),
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
    "date_type": _DATE,
    "date_parsing": _DATE,
    "list_type": ("a list", "write `[…]`, or one `- …` line for each"),
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flaw:
    """One thing that is wrong with the structure. `hides` is a field that it keeps from being there, if any."""

    at: Field
    what: str
    fix: str
    hides: Field | None = None


def build(model: type[Model], document: Document, *, known: Mapping[str, Collection[str]] | None = None) -> Model:
    """Turn a document into `model`, refusing unknown fields at every depth. Raises DeclarationError with all findings.

    `known` are the names that fields made by `known_name` may hold, by kind; a kind that is absent is not judged.
    """
    built, flaws = _judge(model, document, document.data, known or {})
    _raise(flaws, document)
    if built is None:
        raise AssertionError("not built, and nothing wrong with it")
    return built


def build_sound_part(model: type[Model], document: Document) -> tuple[Model, Complaints]:
    """Turn what is right of a document into `model`, all of whose fields are optional; what is wrong is complained of.

    Further complaints about a field that was left out of the model are not taken up: they would only follow from the first.
    """
    built, flaws = _judge(model, document, document.data, {})
    wrong = Complaints(document)
    if len(flaws) > FINDINGS_MAX:
        _raise(flaws, document)
    data = copy.deepcopy(document.data)
    for flaw in flaws:
        wrong.add(flaw.at, flaw.what, flaw.fix)
        wrong.ignore(_without(data, flaw.at))
        if flaw.hides:
            wrong.ignore(flaw.hides)
    if built is None:
        try:
            built = model.model_validate(data)
        except ValidationError:
            wrong.raise_if_any()
            raise
    return built, wrong


def refusal(what: str, fix: str) -> PydanticCustomError:
    """What a validator raises, such that the finding says `what` and how to mend it."""
    return PydanticCustomError(_DECLARED, "{what}", {"what": what, "fix": fix})


def known_name(kind: str, what: str) -> AfterValidator:
    """A validator for names that must be among the `known` ones of a kind; `what` ends "'x' is …"."""

    def check(name: str, info: ValidationInfo) -> str:
        names = (info.context or {}).get(kind)
        if names is not None and name not in names:
            raise refusal(f"'{name}' is {what}", nearest(name, names))
        return name

    return AfterValidator(check)


def _raise(flaws: list[_Flaw], document: Document) -> None:
    raise_all((document.finding(flaw.at, flaw.what, flaw.fix) for flaw in flaws), document.file)


def _judge(
    model: type[Model], document: Document, data: Any, known: Mapping[str, Collection[str]]
) -> tuple[Model | None, list[_Flaw]]:
    flaws = list(islice(_unknown_fields(model, data, ()), FINDINGS_MAX + 1))
    try:
        return model.model_validate(data, context=known), flaws
    except ValidationError as error:
        hidden = {flaw.hides for flaw in flaws}
        found = _invalid(error.errors(include_url=False, include_input=False), document)
        return None, flaws + [flaw for flaw in found if flaw.at not in hidden]


def _unknown_fields(model: type[BaseModel], value: Any, at: Field) -> Iterator[_Flaw]:
    if not isinstance(value, dict):
        return
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for key, child in value.items():
        if key in fields:
            for step, nested, item in _nested(fields[key], child):
                yield from _unknown_fields(nested, item, (*at, key, *step))
            continue
        meant = closest(key, fields)
        hides = (*at, meant) if meant and meant not in value else None
        yield _Flaw(at=(*at, key), what="unknown field", fix=nearest(key, fields), hides=hides)


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
    elif origin is Annotated:
        yield from _nested(arguments[0], value)
    elif origin in (Union, UnionType):
        yield from (found for branch in arguments for found in _nested(branch, value))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(value, dict):
        yield (), annotation, value


def _invalid(problems: list[Any], document: Document) -> list[_Flaw]:
    """One flaw for each field: where a union's branches all failed, what went deepest into the value tells most."""
    fields: dict[tuple[Field, bool], list[Any]] = {}
    for problem in problems:
        is_key = problem["loc"][-1] == "[key]"
        fields.setdefault((_field(problem, document.data), is_key), []).append(problem)
    enclosing = {at[:length] for at, _ in fields for length in range(len(at))}
    return [
        _flaw(at, found, document)
        for (at, is_key), found in fields.items()
        if (is_key or at not in enclosing) and any(each["type"] != "extra_forbidden" for each in found)
    ]


def _field(problem: Any, data: Any) -> Field:
    """pydantic's way to a value also names the branches of unions that it tried; those are no steps in the document."""
    way: list[str | int] = []
    for step in problem["loc"]:
        inside = step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int)
        if inside:
            way.append(step)
            data = data[step]
    return (*way, problem["loc"][-1]) if problem["type"] == "missing" else tuple(way)


def _flaw(at: Field, problems: list[Any], document: Document) -> _Flaw:
    problem = problems[0]
    if problem["type"] == _DECLARED:
        return _Flaw(at=at, what=problem["ctx"]["what"], fix=problem["ctx"]["fix"])
    if problem["type"] == "missing":
        return _Flaw(at=at, what="missing", fix=f"add `{at[-1]}: …`")
    found = f"found {document.written(at)}"
    wanted = [_WANTED[each["type"]] for each in problems if each["type"] in _WANTED]
    if wanted:
        kinds = " or ".join(dict.fromkeys(kind for kind, _ in wanted))
        return _Flaw(at=at, what=f"{found}, wanted {kinds}", fix=wanted[0][1])
    if problem["type"] == "literal_error":
        return _Flaw(at=at, what=found, fix=f"write {problem['ctx']['expected'].replace(chr(39), '')}")
    if problem["type"] == "too_short":
        return _Flaw(at=at, what=f"{found} with nothing in it", fix="write at least one")
    told = problem["msg"].replace("Input should", "it should", 1)
    return _Flaw(at=at, what=f"{found}: {told[:1].lower()}{told[1:]}", fix="write a value that fits")


def _without(data: Any, at: Field) -> Field:
    """Take a flawed field out of `data`, with as much around it as cannot stand without it; return what is gone.

    An item of a list of mappings becomes an empty one, so that the others keep their places.
    """
    holder = data
    for step in at[:-1]:
        holder = holder.get(step) if isinstance(holder, dict) else holder[step]
        if not isinstance(holder, dict | list):
            return at  # gone already, with a flaw around it
    if isinstance(holder, dict):
        holder.pop(at[-1], None)
    elif any(isinstance(each, dict) for each in holder):
        holder[at[-1]] = {}
    else:
        return _without(data, at[:-1])
    return at
