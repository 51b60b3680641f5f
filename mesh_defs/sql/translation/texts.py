"""Functions of texts that are translated one by one: what Trino's of that name does otherwise is written out."""

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from mesh_defs.sql.translation.patterns import pattern
from mesh_defs.sql.translation.values import UNKNOWN, Value, call, refused, whole

# What DuckDB's trim takes off: Unicode's blanks. Trino's takes off line ends too, and keeps the ones that do not break.
BLANKS = "\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_SIDES = {"trim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}
_PADDED_MAX = 10_000

Own = Callable[[str, Sequence[Value], exp.Expr], Value]


def texts(arguments: Sequence[Value], node: exp.Expr) -> Sequence[Value]:
    """Return the arguments, which are texts."""
    for each in arguments:
        if each.type not in ("VARCHAR", UNKNOWN):
            raise refused(node, f"this takes texts, not {each.type}", "CAST it to VARCHAR")
    return arguments


def _concat(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """DuckDB passes over NULLs."""
    parts = [call("coalesce", each.tree, _text("")) for each in texts(arguments, node)]
    return _of(call("concat", *parts) if len(parts) > 1 else parts[0])


def _contains(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    one, other = texts(arguments, node)
    found = exp.GT(this=call("strpos", one.tree, other.tree), expression=exp.Literal.number(0))
    return Value(tree=exp.Paren(this=found), type="BOOLEAN")


def _replace(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    if len(arguments) != 3 or not arguments[1].text:
        raise refused(node, "replace looks for a literal that is not empty", "write it as 'text'")
    return _of(call("replace", *(each.tree for each in texts(arguments, node))))


def _lower(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    (text,) = texts(arguments, node)
    return _of(call("lower", text.tree))


def _upper(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """DuckDB knows the one capital of ß; Java knows none of one letter."""
    (text,) = texts(arguments, node)
    return _of(call("upper", call("replace", text.tree, _text("ß"), _text("ẞ"))))


def _trim(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    (text, *others) = texts(arguments, node)
    if len(others) > 1 or any(not each.text for each in others):
        raise refused(node, f"{name} takes off blanks, or the characters of a literal")
    characters = others[0].text if others else BLANKS
    return _of(exp.Trim(this=text.tree, expression=_text(characters or ""), position=_SIDES[name]))


def _substr(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    text, *bounds = arguments
    if name == "left":
        bounds = [Value(tree=whole(1), type="INTEGER", number="1"), *bounds]
    numbers = [each.number or "" for each in bounds]
    if not all(each.isdigit() for each in numbers) or numbers[0] == "0" or len(numbers) > 2:
        raise refused(node, f"{name} takes literal numbers, from 1 on", "write substr(text, 1, 3)")
    (text,) = texts([text], node)
    return _of(call("substr", text.tree, *(whole(int(each)) for each in numbers)))


def _right(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """Of a text that is shorter, all of it."""
    (text,), count = texts(arguments[:1], node), _count(name, arguments[1:], node)
    short = exp.LTE(this=call("length", text.tree), expression=whole(count))
    if not count:
        return _of(call("substr", text.tree, whole(1), whole(0)))
    last = call("substr", text.tree.copy(), whole(-count))
    return _of(exp.Case(ifs=[exp.If(this=short, true=text.tree.copy())], default=last))


def _pad(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    if len(arguments) != 3 or not arguments[2].text:
        raise refused(node, f"{name} pads with a literal that is not empty", f"write {name}(text, 5, '0')")
    (text,), count = texts(arguments[:1], node), _count(name, arguments[1:2], node)
    return _of(call(name, text.tree, whole(count), arguments[2].tree))


def _split_part(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """A part that is not there is an empty text."""
    if len(arguments) != 3 or not arguments[1].text or (count := _count(name, arguments[2:], node)) < 1:
        raise refused(node, f"{name} splits at a literal, and counts from 1", f"write {name}(text, ',', 1)")
    (text,) = texts(arguments[:1], node)
    found = call("coalesce", call("split_part", text.tree, arguments[1].tree, whole(count)), _text(""))
    return _of(_unless_null(text, found))


def _translate(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    if len(arguments) != 3 or any(each.text is None for each in arguments[1:]):
        raise refused(node, f"{name} takes literals", f"write {name}(text, 'abc', 'xyz')")
    before = arguments[1].text or ""
    if len(set(before)) != len(before):
        raise refused(node, f"{name} was not tried with a letter that stands there twice")
    return _of(call("translate", *(each.tree for each in texts(arguments, node))))


def _concat_ws(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    separator, *parts = texts(arguments, node)
    if separator.text is None or not parts:
        raise refused(node, f"{name} takes a literal first", f"write {name}(', ', a, b)")
    return _of(call(name, *(each.tree for each in (separator, *parts))))


def _ends_with(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    text, end = texts(arguments, node)
    if end.text is None:
        raise refused(node, f"{name} looks for a literal", "write it as 'text'")
    last = call("substr", text.tree, whole(-len(end.text))) if end.text else _unless_null(text, _text(""))
    return Value(tree=exp.Paren(this=exp.EQ(this=last, expression=end.tree)), type="BOOLEAN")


def _digest(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    (text,) = texts(arguments, node)
    return _of(call("lower", call("to_hex", call(name, call("to_utf8", text.tree)))))


def _matches(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    text, wanted = _searched(name, arguments, node, most=2)
    whole_ = name == "regexp_full_match"
    pattern_ = pattern(f"^({wanted})$" if whole_ else wanted, node).text
    return Value(tree=call("regexp_like", text.tree, _text(pattern_)), type="BOOLEAN")


def _extract(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """Of a text that does not match, an empty one."""
    text, wanted = _searched(name, arguments, node, most=3)
    found, group = pattern(wanted, node), _count(name, arguments[2:], node) if len(arguments) > 2 else 0
    if group > found.groups:
        raise refused(node, f"there is no group {group} in this regular expression")
    tree = call("regexp_extract", text.tree, _text(found.text), whole(group))
    return _of(_unless_null(text, call("coalesce", tree, _text(""))))


def _regexp_replace(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """All places, that is with the option 'g'; of a match of nothing the engines count apart."""
    text, wanted = _searched(name, arguments, node, most=4)
    found, put = pattern(wanted, node), arguments[2].text if len(arguments) == 4 else None
    if put is None or "\\" in put or arguments[3].text != "g" or found.empty:
        raise refused(node, f"{name} puts a literal, in all places: (text, 'a+', 'b', 'g')")
    return _of(call(name, text.tree, _text(found.text), _text(put.replace("$", "\\$"))))


def _searched(name: str, arguments: Sequence[Value], node: exp.Expr, *, most: int) -> tuple[Value, str]:
    if not 2 <= len(arguments) <= most or arguments[1].text is None:
        raise refused(node, f"{name} takes a literal pattern, and no options", f"write {name}(text, 'a+')")
    (text,) = texts(arguments[:1], node)
    return text, arguments[1].text


def _count(name: str, given: Sequence[Value], node: exp.Expr) -> int:
    if len(given) != 1 or not (given[0].number or "").isdigit() or int(given[0].number or 0) > _PADDED_MAX:
        raise refused(node, f"{name} takes a literal number, {_PADDED_MAX:,} at most")
    return int(given[0].number or 0)


def _unless_null(value: Value, tree: exp.Expr) -> exp.Case:
    known = exp.Is(this=value.tree.copy(), expression=exp.Not(this=exp.Null()))
    return exp.Case(ifs=[exp.If(this=known, true=tree)])


def _text(text: str) -> exp.Expr:
    return exp.Literal.string(text)


def _of(tree: exp.Expr) -> Value:
    return Value(tree=tree, type="VARCHAR")


OWN: Mapping[str, Own] = {
    "concat": _concat,
    "concat_ws": _concat_ws,
    "contains": _contains,
    "replace": _replace,
    **dict.fromkeys(("lower", "lcase"), _lower),
    **dict.fromkeys(("upper", "ucase"), _upper),
    **dict.fromkeys(_SIDES, _trim),
    **dict.fromkeys(("left", "substr", "substring"), _substr),
    "right": _right,
    **dict.fromkeys(("lpad", "rpad"), _pad),
    "split_part": _split_part,
    "translate": _translate,
    **dict.fromkeys(("ends_with", "suffix"), _ends_with),
    **dict.fromkeys(("md5", "sha256"), _digest),
    **dict.fromkeys(("regexp_matches", "regexp_full_match"), _matches),
    "regexp_extract": _extract,
    "regexp_replace": _regexp_replace,
}
