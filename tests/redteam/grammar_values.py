"""Random expressions over what is in scope, by type: those that can fail, and those that cannot. Part of `grammar`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

_Choice = TypeVar("_Choice")

TEXTS = (
    "'EU'",
    "'US'",
    "'NOTE-EU-3'",
    "'1'",
    "''",
    "'%-3%'",
    "'AB'",
    "'2024-01-03'",
    "'?'",
    "'u3@s3cr3t.test'",
    "NULL",
    "'é'",
)
INTS = ("0", "1", "3", "-1", "7", "100", "2147483647", "NULL")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A relation in scope: its alias, columns (name -> type), and a column that is unique in it, if any."""

    alias: str
    columns: Mapping[str, str]
    key: str | None = None


@dataclass(kw_only=True)
class Values:
    """Makes expressions, aggregates and windows."""

    random: Random

    def _expression(self, type_: str, scope: Sequence[Source], depth: int) -> str:
        makers: Mapping[str, Callable[[Sequence[Source], int], list[str]]] = {
            "int": self._ints,
            "float": self._floats,
            "text": self._texts,
            "date": self._dates,
            "time": self._times,
            "bool": self._bools,
            "list": self._lists,
        }
        columns = [f"{one.alias}.{quoted(name)}" for one in scope for name, of in one.columns.items() if of == type_]
        if columns and (depth <= 0 or self._chance(0.4)):
            return self._pick(columns)
        if depth <= 0:
            return self._literal(type_)
        return self._pick(makers[type_](scope, depth - 1))

    def _literal(self, type_: str) -> str:
        literals = {
            "int": INTS,
            "float": ("0.0", "1.5", "-3.25", "NULL", "1e10"),
            "text": TEXTS,
            "date": ("DATE '2024-01-05'", "DATE '1983-01-01'", "NULL::DATE"),
            "time": ("TIMESTAMP '2024-01-02 03:04:05'", "NULL::TIMESTAMP"),
            "bool": ("true", "false", "NULL::BOOLEAN"),
            "list": ("['a']", "[]::VARCHAR[]", "['b', NULL]"),
        }
        return self._pick(literals[type_])

    def _ints(self, scope: Sequence[Source], depth: int) -> list[str]:
        a, b, text, list_, date = (self._expression(t, scope, depth) for t in ("int", "int", "text", "list", "date"))
        cast = self._pick(["CAST", "TRY_CAST", "CAST"])
        return [
            *(f"({a} {word} {b})" for word in ("+", "-", "*", "//", "%")),
            f"{cast}({text} AS INTEGER)",
            f"CAST({a} AS {self._pick(['TINYINT', 'SMALLINT', 'UTINYINT', 'BIGINT'])})",
            f"length({text})",
            f"len({list_})",
            f"abs({a})",
            f"CASE WHEN {self._expression('bool', scope, depth)} THEN {a} ELSE {cast}({text} AS INTEGER) END",
            f"coalesce({a}, {b})",
            f"date_part('{self._pick(['year', 'month', 'doy'])}', {date})",
            f"date_diff('day', {date}, {self._expression('date', scope, depth)})",
            f"strpos({text}, {self._literal('text')})",
            f"CAST(json_extract_string({text}, '$.a') AS INTEGER)",
            *(f"{one.alias}.attrs.tier" for one in scope if "attrs" in one.columns),
            f"list_sum(list_transform({list_}, lambda x: CAST(x AS INTEGER)))",
            f"factorial(CAST({a} AS INTEGER))",
        ]

    def _floats(self, scope: Sequence[Source], depth: int) -> list[str]:
        a, b, i = (self._expression(t, scope, depth) for t in ("float", "float", "int"))
        return [
            *(f"({a} {word} {b})" for word in ("+", "-", "*", "/")),
            f"sqrt({a})",
            f"ln({a})",
            f"round({a}, 1)",
            f"CAST({self._expression('text', scope, depth)} AS DOUBLE)",
            f"CAST({a} AS DECIMAL(4, 1))",
            f"greatest({a}, {i})",
            f"asin({a})",
        ]

    def _texts(self, scope: Sequence[Source], depth: int) -> list[str]:
        a, b, i, list_, date, time = (
            self._expression(t, scope, depth) for t in ("text", "text", "int", "list", "date", "time")
        )
        return [
            f"({a} || {b})",
            f"upper({a})",
            f"substring({a}, {self.random.randint(0, 4)}, {self.random.randint(0, 5)})",
            f"CAST({i} AS VARCHAR)",
            f"regexp_extract({a}, '{self._pick(['[0-9]+', '(', '^.', '[A-Z]+-'])}')",
            f"regexp_replace({a}, {self._pick([b, self._literal('text')])}, 'x')",
            f"strftime({date}, '%Y-%m')",
            f"strftime({time}, {self._pick([a, self._literal('text')])})",
            f"array_to_string({list_}, ',')",
            f"{list_}[{self.random.randint(-1, 3)}]",
            f"json_extract_string({a}, '$.a')",
            f"json_type({a})",
            f"CASE WHEN {self._expression('bool', scope, depth)} THEN {a} ELSE {b} END",
            f"coalesce({a}, {b}, 'none')",
            f"printf({self._pick([a, self._literal('text')])}, {b})",
            f"lpad({a}, {self.random.randint(0, 12)}, '.')",
            f"split_part({a}, '-', {self.random.randint(-1, 3)})",
            f"from_base64({a})::VARCHAR",
            *(f"{one.alias}.attrs.email" for one in scope if "attrs" in one.columns),
            *(f"CAST(to_json({one.alias}) AS VARCHAR)" for one in scope),
            f"md5({a})",
            f"typeof({a})",
            f"TRY(CAST({i} AS VARCHAR))",
        ]

    def _dates(self, scope: Sequence[Source], depth: int) -> list[str]:
        date, i, time = (self._expression(t, scope, depth) for t in ("date", "int", "time"))
        return [
            f"CAST({self._expression('text', scope, depth)} AS DATE)",
            f"TRY_CAST({self._expression('text', scope, depth)} AS DATE)",
            f"CAST(date_trunc('{self._pick(['month', 'year', 'week'])}', {date}) AS DATE)",
            f"CAST({date} + INTERVAL 1 DAY AS DATE)",
            f"make_date(2024, {self._pick(['1', '2', i])}, 5)",
            f"last_day({date})",
            f"CAST({time} AS DATE)",
        ]

    def _times(self, scope: Sequence[Source], depth: int) -> list[str]:
        time, date = (self._expression(t, scope, depth) for t in ("time", "date"))
        return [
            f"CAST({date} AS TIMESTAMP)",
            f"({time} + INTERVAL {self.random.randint(0, 90)} HOUR)",
            f"strptime({self._expression('text', scope, depth)}, '%Y-%m-%d')",
            f"try_strptime({self._expression('text', scope, depth)}, '%Y')",
            f"date_trunc('hour', {time})",
        ]

    def _bools(self, scope: Sequence[Source], depth: int) -> list[str]:
        type_ = self._pick(["int", "text", "float", "date"])
        a, b, text, list_ = (self._expression(t, scope, depth) for t in (type_, type_, "text", "list"))
        other = self._expression("bool", scope, depth)
        return [
            *(f"({a} {word} {b})" for word in ("=", "<>", "<", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")),
            f"({text} {self._pick(['LIKE', 'ILIKE', 'NOT LIKE'])} {self._literal('text')})",
            f"({text} IN ({self._literal('text')}, {self._literal('text')}))",
            f"({a} IS {self._pick(['', 'NOT '])}NULL)",
            f"({a} BETWEEN {b} AND {self._expression(type_, scope, depth)})",
            f"(NOT {other})",
            f"({other} {self._pick(['AND', 'OR'])} {self._expression('bool', scope, depth)})",
            f"regexp_matches({text}, '{self._pick(['EU', '^[0-9]+$', 'a|b'])}')",
            f"list_contains({list_}, {self._literal('text')})",
            f"(CAST({text} AS INTEGER) > 0)",
            *(f"({one.alias} IS NOT NULL)" for one in scope),
            *(f"({one.alias}.attrs IS NULL)" for one in scope if "attrs" in one.columns),
        ]

    def _lists(self, scope: Sequence[Source], depth: int) -> list[str]:
        a, text, list_ = (self._expression(t, scope, depth) for t in ("list", "text", "list"))
        return [
            f"[{text}, {self._literal('text')}]",
            f"list_sort({a})",
            f"list_concat({a}, {list_})",
            f"list_transform({a}, lambda x: upper(x))",
            f"list_filter({a}, lambda x: x > {self._literal('text')})",
            f"string_split({text}, '-')",
            f"list_distinct({a})",
            f"regexp_extract_all({text}, '[0-9]')",
        ]

    def _aggregate(self, type_: str, scope: Sequence[Source], seen: Sequence[Source]) -> str:
        i, f, t = (self._expression(each, seen, 1) for each in ("int", "float", "text"))
        filter_ = f" FILTER (WHERE {self._expression('bool', seen, 1)})" if self._chance(0.15) else ""
        made = {
            "int": [
                f"count({t})",
                "count(*)",
                f"count(DISTINCT {t})",
                f"sum({i})",
                f"max({i})",
                f"min(length({t}))",
                f"bit_xor({i})",
            ],
            "float": [
                f"sum({f})",
                f"avg({i})",
                f"max({f})",
                f"median({f})",
                f"quantile_cont({f}, 0.25)",
                f"stddev_samp({i})",
                f"entropy({t})",
            ],
            "text": [
                f"max({t})",
                f"min({t})",
                f"string_agg({t}, '|' ORDER BY {t})",
                f"CAST(histogram({t}) AS VARCHAR)",
            ],
            "list": [f"list({t} ORDER BY {t})", f"array_agg(DISTINCT {t} ORDER BY {t})"],
        }.get(type_, [f"max({self._expression(type_, seen, 1)})"])
        keyed = [f"{one.alias}.{one.key}" for one in scope if one.key]
        if keyed and len(scope) == 1 and type_ in ("int", "text", "float"):
            made.append(f"arg_max({self._expression(type_, seen, 1)}, {keyed[0]})")
            if type_ == "int":
                made.append(f"length(bitstring_agg({keyed[0]}))")
        return self._pick(made) + filter_

    def _window(self, type_: str, scope: Sequence[Source], seen: Sequence[Source]) -> str:
        keys = [f"{one.alias}.{one.key}" for one in scope if one.key]
        if len(keys) != len(scope):
            return f"count(*) OVER (PARTITION BY {self._expression('text', seen, 0)})"
        partition = f"PARTITION BY {self._expression('text', seen, 1)} " if self._chance(0.5) else ""
        frame = self._pick(["", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " ROWS UNBOUNDED PRECEDING"])
        over = f"OVER ({partition}ORDER BY {', '.join(keys)}{frame})"
        plain = f"OVER ({partition}ORDER BY {', '.join(keys)})"
        value = self._expression(type_, seen, 1)
        if type_ == "int":
            return self._pick(
                [
                    f"row_number() {plain}",
                    f"rank() {plain}",
                    f"ntile(3) {plain}",
                    f"count(*) {over}",
                    f"lag({value}) {plain}",
                ]
            )
        return self._pick(
            [
                f"lag({value}) {plain}",
                f"lead({value}, 2) {plain}",
                f"max({value}) {over}",
                f"first_value({value}) {over}",
            ]
        )

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _pick(self, choices: Sequence[_Choice]) -> _Choice:
        return self.random.choice(choices)


def quoted(name: str) -> str:
    """A column's name as SQL has it."""
    return name if name.islower() else f'"{name}"'
