"""How a mask is written, in access files and in mesh.yaml: `token`, `null`, `deny`, `{truncate: 3}`, `{constant: "?"}`;
each also as a mapping with `unless: [purposes that see the value]`."""

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, model_validator

from mesh_defs.documents.strict import Strict
from mesh_defs.documents.structure import known_name, refusal
from mesh_defs.model.access import DatePart, Mask
from mesh_defs.model.contract import Column

_WAYS = "write token, null, deny, {truncate: 3}, {truncate: month} or {constant: '?'}"


def _cut(given: Any) -> Any:
    """Pydantic would tell of every branch of a union at once."""
    characters = isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= 1000
    if given is not None and not characters and given not in get_args(DatePart):
        raise refusal("cuts to what is no length and no part of a date", _WAYS)
    return given


def _constant(given: Any) -> Any:
    if given is not None and (isinstance(given, bool) or not isinstance(given, int | str)):
        raise refusal("the constant is neither a text nor a whole number", _WAYS)
    return given


def _way(given: Any) -> Any:
    if given not in (None, "token", "null", "deny"):
        raise refusal(f"'{given}' is no mask", _WAYS)
    return given


class MaskForm(Strict):
    """One mask as it is written."""

    mask: Annotated[Any, BeforeValidator(_way)] = None
    truncate: Annotated[Any, BeforeValidator(_cut)] = None
    constant: Annotated[Any, BeforeValidator(_constant)] = None
    unless: list[Annotated[str, known_name("purposes", "no purpose of mesh.yaml")]] = Field(default=[])

    @model_validator(mode="after")
    def _one_way(self) -> "MaskForm":
        if sum(way is not None for way in (self.mask, self.truncate, self.constant)) != 1:
            raise refusal("a mask masks in one way", _WAYS)
        return self

    def value(self) -> Mask:
        """As the model has it."""
        unless = tuple(self.unless)
        if self.mask is not None:
            return Mask(kind=self.mask, unless=unless)
        if self.truncate is not None:
            return Mask(kind="truncate", value=self.truncate, unless=unless)
        return Mask(kind="constant", value=self.constant, unless=unless)


def _spelled_out(given: Any) -> Any:
    if given is None or isinstance(given, str):
        return {"mask": "null" if given is None else given}
    if isinstance(given, dict) and given.get("mask", "") is None:
        return {**given, "mask": "null"}
    return given


MaskField = Annotated[MaskForm, BeforeValidator(_spelled_out)]


def misfit(mask: Mask, column: Column) -> tuple[str, str] | None:
    """What is wrong with a mask on a column, and how to mend it; None when it fits."""
    if mask.kind == "token" and column.token is None:
        return f"{column.name} has no tokens", "declare its kind in the contract: {property: token, value: …}"
    if mask.kind == "truncate":
        fits = (
            column.type == "VARCHAR" if isinstance(mask.value, int) else column.type.startswith(("DATE", "TIMESTAMP"))
        )
        return (
            None if fits else (f"a {column.type} cannot be cut so", "cut text by characters, dates by a part of them")
        )
    if mask.kind == "constant" and not _holds(column.type, mask.value):
        return f"a {column.type} cannot hold that constant", "use null instead"
    return None


def _holds(type_: str, value: str | int | None) -> bool:
    if isinstance(value, int):
        return type_ in ("INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT")
    return type_ == "VARCHAR"
