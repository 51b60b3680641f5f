"""One product as one decision shows it: the SELECT over its pin that stands wherever a query names the product."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sqlglot import exp

from mesh_defs.errors import AccessDeniedError, QueryRejectedError
from mesh_defs.model.access import Mask, View
from mesh_defs.model.version import Pin
from mesh_defs.sql.row_rule import check_rule, condition
from mesh_defs.sql.tokens import DIALECT
from mesh_defs.sql.tree import reads_back, write
from mesh_defs.sql.uniform import call

TOKEN_TYPE = "VARCHAR"


@dataclass(frozen=True, slots=True)
class Guard:
    """The text of what stands for a product in a question, and the names of the columns that it shows."""

    text: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Wanted:
    shown: Hashable
    private: str
    pin: Pin = field(compare=False)
    view: View = field(compare=False)


def guard_of(pin: Pin, view: View, private: str) -> Guard:
    """As `view_select`, made once for all questions that see the same of the product."""
    return _guard(_Wanted(shown_by(pin, view), private, pin, view))


def shown_by(pin: Pin, view: View) -> Hashable:
    """All that the text of a guard depends on, but for the private alias."""
    masks = tuple((column, mask.kind, repr(mask.value)) for column, mask in sorted(view.masks.items()))
    rules = tuple((rule.source, rule.bound) for rule in view.rules)
    return pin.product, rules, masks, pin.kind, tuple(pin.columns.items()), tuple(pin.tokens.items())


@lru_cache(maxsize=256)
def _guard(wanted: _Wanted) -> Guard:
    select = view_select(wanted.pin, wanted.view, wanted.private)
    text = write(select.copy())
    if not reads_back(select, text):
        what = f"what may be shown of {wanted.pin.product} has a form whose meaning may change when it is written"
        raise QueryRejectedError(what, fix="ask its owner to put brackets around mixed operators of its rule")
    return Guard(text, tuple(shown.alias_or_name for shown in select.expressions))


def view_select(pin: Pin, view: View, private: str) -> exp.Select:
    """Every column is qualified with the private alias, so that no name of the asker's can stand in for a lost one.

    Raises AccessDeniedError when the pinned version lacks a column of a rule, or has it with another type.
    """
    shown = shown_columns(pin.columns, pin.tokens, view, private)
    if not shown:
        raise AccessDeniedError(f"no column of {pin.product} is left to be shown", fix="ask its owner for a grant")
    relation = exp.Table(this=_quoted(pin.relation), alias=exp.TableAlias(this=_quoted(private)))
    select = exp.Select(expressions=shown, from_=exp.From(this=relation))
    if view.rules:
        _require_columns(pin, view)
        select.set("where", exp.Where(this=exp.and_(*(condition(r.bound, private) for r in view.rules), wrap=False)))
    return select


def shown_types(view: View, types: Mapping[str, str]) -> dict[str, str]:
    """The columns that a view shows of these and the type of each: a token is text, whatever it is made of."""
    masks = {name: view.masks.get(name) for name in types}
    return {
        name: TOKEN_TYPE if mask and mask.kind == "token" else types[name]
        for name, mask in masks.items()
        if not mask or mask.kind != "deny"
    }


def shown_columns(
    columns: Mapping[str, str], tokens: Mapping[str, str], view: View, private: str
) -> list[exp.Column | exp.Alias]:
    """Each column that is shown: qualified as it is, or its mask under its name. `tokens`: column -> where its tokens are."""
    return list(_columns(columns, tokens, view, private))


def _columns(
    columns: Mapping[str, str], tokens: Mapping[str, str], view: View, private: str
) -> Iterator[exp.Column | exp.Alias]:
    for name, type_ in columns.items():
        raw = exp.Column(this=_quoted(name), table=_quoted(private))
        mask = view.masks.get(name)
        if mask is None and view.rules and type_.startswith("ENUM("):
            yield exp.Alias(this=_cast(raw, type_), alias=_quoted(name))
        elif mask is None:
            yield raw
        elif mask.kind != "deny":
            yield exp.Alias(this=_masked(raw, mask, type_, tokens.get(name)), alias=_quoted(name))


def _masked(raw: exp.Column, mask: Mask, type_: str, token: str | None) -> exp.Expr:
    """What is shown instead. A token that this version was published without cannot be shown."""
    if mask.kind == "token":
        return exp.Column(this=_quoted(token), table=_quoted(raw.table)) if token else _cast(exp.Null(), TOKEN_TYPE)
    if mask.kind == "truncate" and isinstance(mask.value, int):
        return call("left", raw, exp.Literal.number(mask.value))
    if mask.kind == "truncate":
        return _cast(call("date_trunc", exp.Literal.string(str(mask.value)), raw), type_)
    if mask.kind == "constant":
        number = isinstance(mask.value, int)
        return _cast(exp.Literal.number(mask.value) if number else exp.Literal.string(str(mask.value)), type_)
    return _cast(exp.Null(), type_)


def _require_columns(pin: Pin, view: View) -> None:
    for rule in view.rules:
        try:
            check_rule(rule.bound, pin.columns)
        except QueryRejectedError as error:
            what = f"the published version of {pin.product} does not fit the rule of {rule.source}: {error.what}"
            raise AccessDeniedError(what, fix="materialize the product anew, or mend the rule") from None


def _cast(value: exp.Expr, type_: str) -> exp.Cast:
    """An ENUM's type would tell of every value that it has."""
    to = exp.DataType.build("VARCHAR" if type_.startswith("ENUM(") else type_, dialect=DIALECT)
    for name in to.find_all(exp.Identifier):
        name.set("quoted", True)
    return exp.Cast(this=value, to=to)


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
