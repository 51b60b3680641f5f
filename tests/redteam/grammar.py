"""Random SELECTs over governed and forbidden products. The same seed gives the same ones.

Left out, because two runs over the same rows may differ: sampling, random numbers, the clock, LIMIT without an order that
is total, aggregates that take the first of equals, and sketches. Everything else that can tell of a row is here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.redteam.grammar_values import INTS, TEXTS, Source, Values, quoted

# name -> type of what ana sees. `key` columns tell rows apart.
ORDERS = {
    "order_id": "int",
    "region": "text",
    "person_id": "text",
    "email": "text",
    "amount": "float",
    "note": "text",
    "attrs": "struct",
}
VISITS = {
    "visit_id": "int",
    "order_id": "int",
    "seen_on": "date",
    "at": "time",
    "price": "float",
    "tags": "list",
    "payload": "text",
    "score": "int",
    "flag": "bool",
    "comment": "text",
    "born": "date",
    "code": "text",
}
PRODUCTS: Mapping[str, tuple[Mapping[str, str], str]] = {
    "sales.orders": (ORDERS, "order_id"),
    "sales.visits": (VISITS, "visit_id"),
}
_COMPARED = ("=", "=", "=", "IS NOT DISTINCT FROM", "<=")
FORBIDDEN = {"who": "text", "pay": "float"}


@dataclass(kw_only=True)
class Grammar(Values):
    """Makes one query after the other."""

    _made: int = 0
    _ctes: list[Source] = field(default_factory=list)

    def query(self) -> str:
        """One whole question."""
        self._made, self._ctes = 0, []
        with_ = self._with() if self._chance(0.25) else ""
        body, columns = self._set_operation() if self._chance(0.15) else self._select(depth=2)
        if self._chance(0.06):
            body = self._broken(body)
        if columns and self._chance(0.2):
            limit = f" LIMIT {self.random.randint(0, 9)}" + (
                f" OFFSET {self.random.randint(0, 5)}" if self._chance(0.3) else ""
            )
            body = f"SELECT * FROM ({body}) AS whole ORDER BY ALL{limit}"
        return with_ + body

    # ------------------------------------------------------------- where rows come from

    def _with(self) -> str:
        parts = []
        for _ in range(self.random.randint(1, 2)):
            name = self._name("w")
            text, columns = self._select(depth=1, named=True)
            kind = self._pick(["", "", "MATERIALIZED ", "NOT MATERIALIZED "])
            parts.append(f"{name} AS {kind}({text})")
            self._ctes.append(Source(alias=name, columns=columns))
        if self._chance(0.15):
            name = self._name("r")
            step = self._pick(
                [
                    f"n + 1 FROM {name} WHERE n < 6",
                    f"o.order_id FROM {name} JOIN sales.orders AS o ON o.order_id = n + 3 WHERE n < 30",
                ]
            )
            parts.append(f"{name}(n) AS (SELECT 3 AS n UNION ALL SELECT {step})")
            self._ctes.append(Source(alias=name, columns={"n": "int"}))
            return f"WITH RECURSIVE {', '.join(parts)} "
        return f"WITH {', '.join(parts)} "

    def _relation(self, depth: int, outer: Sequence[Source]) -> tuple[str, Source]:
        alias = self._name("t")
        choice = self.random.random()
        if self._ctes and choice < 0.2:
            cte = self._pick(self._ctes)
            return f"{cte.alias} AS {alias}", Source(alias=alias, columns=cte.columns)
        if depth > 0 and choice < 0.35:
            text, columns = self._select(depth=depth - 1, named=True)
            return f"({text}) AS {alias}", Source(alias=alias, columns=columns)
        if choice < 0.42:
            values = ", ".join(f"({self._pick(INTS)}, {self._pick(TEXTS)})" for _ in range(self.random.randint(1, 4)))
            return f"(VALUES {values}) AS {alias}(n, s)", Source(alias=alias, columns={"n": "int", "s": "text"})
        if choice < 0.46:
            return f"range({self.random.randint(0, 12)}) AS {alias}(n)", Source(
                alias=alias, columns={"n": "int"}, key="n"
            )
        if choice < 0.49:
            return f"hr.salaries AS {alias}", Source(alias=alias, columns=FORBIDDEN)
        if choice < 0.53:
            return self._reshaped(alias)
        product = self._pick(list(PRODUCTS))
        offered, key = PRODUCTS[product]
        return f"{self._spelt(product)} AS {alias}", Source(alias=alias, columns=offered, key=key)

    def _reshaped(self, alias: str) -> tuple[str, Source]:
        if self._chance(0.5):
            text = "PIVOT sales.orders ON region IN ('EU', 'US') USING count(*) AS n GROUP BY order_id"
            pivoted = {"order_id": "int", "EU_n": "int", "US_n": "int"}
            return f"({text}) AS {alias}", Source(alias=alias, columns=pivoted, key="order_id")
        name = self._pick(["note, region", "person_id, email", "note, person_id"])
        text = f"UNPIVOT (SELECT order_id, note, region, person_id, email FROM sales.orders) ON {name} INTO NAME kind VALUE cell"
        return f"({text}) AS {alias}", Source(alias=alias, columns={"order_id": "int", "kind": "text", "cell": "text"})

    def _spelt(self, product: str) -> str:
        if self._chance(0.9):
            return product
        domain, _, name = product.partition(".")
        return self._pick([f'"{domain}"."{name}"', product.upper(), f"{domain} . {name}"])

    def _from(self, depth: int, outer: Sequence[Source]) -> tuple[str, list[Source]]:
        text, source = self._relation(depth, outer)
        scope = [source]
        while len(scope) < 3 and self._chance(0.35):
            if self._chance(0.15) and depth > 0:
                alias = self._name("l")
                inner, columns = self._select(depth=depth - 1, outer=[*outer, *scope], named=True)
                text += f", LATERAL ({inner}) AS {alias}"
                scope.append(Source(alias=alias, columns=columns))
                continue
            other, joined = self._relation(depth, outer)
            kind = self._pick(
                ["JOIN", "JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN", "SEMI JOIN", "ANTI JOIN", "CROSS JOIN"]
            )
            on = "" if kind == "CROSS JOIN" else f" ON {self._join_condition(scope, joined)}"
            text += f" {kind} {other}{on}"
            if kind not in ("SEMI JOIN", "ANTI JOIN"):
                scope.append(joined)
        return text, scope

    def _join_condition(self, scope: Sequence[Source], joined: Source) -> str:
        pairs = [
            f"{one.alias}.{quoted(mine)} {self._pick(_COMPARED)} {joined.alias}.{quoted(theirs)}"
            for one in scope
            for mine, type_ in one.columns.items()
            for theirs, other in joined.columns.items()
            if type_ == other and type_ in ("int", "text", "date")
        ]
        both = [*scope, joined]
        return self._pick(pairs) if pairs and self._chance(0.8) else self._expression("bool", both, 1)

    # ------------------------------------------------------------- SELECT

    def _select(self, *, depth: int, outer: Sequence[Source] = (), named: bool = False) -> tuple[str, dict[str, str]]:
        from_, scope = self._from(depth, outer)
        seen = [*outer, *scope] if self._chance(0.7) else scope
        if self._chance(0.08) and not named:
            star = self._pick(["*", f"{scope[0].alias}.*", self._star(scope[0])])
            return f"SELECT {star} FROM {from_}{self._where(seen, depth)}", {}
        if self._chance(0.35):
            return self._aggregated(from_, scope, seen, depth)
        types = [
            self._pick(["int", "text", "float", "date", "bool", "list", "time", "text", "int"])
            for _ in range(self.random.randint(1, 3))
        ]
        columns = {f"c{number}": type_ for number, type_ in enumerate(types)}
        shown = ", ".join(f"{self._projection(type_, scope, seen, depth)} AS {name}" for name, type_ in columns.items())
        distinct = "DISTINCT " if self._chance(0.12) else ""
        qualify = (
            f" QUALIFY {self._window('int', scope, seen)} <= {self.random.randint(0, 20)}" if self._chance(0.08) else ""
        )
        return f"SELECT {distinct}{shown} FROM {from_}{self._where(seen, depth)}{qualify}", columns

    def _star(self, source: Source) -> str:
        name = quoted(self._pick(list(source.columns)))
        pattern = self._pick(["'.*'", "'[a-m].*'", "'.*(id|token|secret).*'", "lambda c: c LIKE '%e%'"])
        return self._pick(
            [
                f"* EXCLUDE ({name})",
                f"* REPLACE (1 AS {name})",
                f"COLUMNS({pattern})",
                f"min(COLUMNS({pattern}))",
                f"{source.alias}",
            ]
        )

    def _aggregated(
        self, from_: str, scope: Sequence[Source], seen: Sequence[Source], depth: int
    ) -> tuple[str, dict[str, str]]:
        keys = [
            self._expression(self._pick(["text", "int", "bool", "date"]), scope, 1)
            for _ in range(self.random.randint(0, 2))
        ]
        grouping = self._pick(["", "", "", "ROLLUP ", "CUBE "]) if keys else ""
        group = (
            f" GROUP BY {grouping}({', '.join(keys)})" if grouping else f" GROUP BY {', '.join(keys)}" if keys else ""
        )
        types = [self._pick(["int", "float", "text", "list"]) for _ in range(self.random.randint(1, 2))]
        columns = {f"c{number}": type_ for number, type_ in enumerate(types)}
        shown = ", ".join(f"{self._aggregate(type_, scope, seen)} AS {name}" for name, type_ in columns.items())
        having = f" HAVING {self._aggregate('int', scope, seen)} > {self._pick(INTS)}" if self._chance(0.2) else ""
        return f"SELECT {shown} FROM {from_}{self._where(seen, depth)}{group}{having}", columns

    def _projection(self, type_: str, scope: Sequence[Source], seen: Sequence[Source], depth: int) -> str:
        choice = self.random.random()
        if choice < 0.12 and type_ in ("int", "float", "text"):
            return self._window(type_, scope, seen)
        if choice < 0.2 and depth > 0:
            return self._scalar_subquery(type_, seen)
        return self._expression(type_, seen, 2)

    def _where(self, seen: Sequence[Source], depth: int) -> str:
        if not self._chance(0.55):
            return ""
        parts = [self._expression("bool", seen, 2) for _ in range(self.random.randint(1, 2))]
        if depth > 0 and self._chance(0.25):
            product, columns, key = self._product()
            inner = Source(alias=self._name("s"), columns=columns, key=key)
            both = [*seen, inner]
            condition, number = self._expression("bool", both, 1), self._expression("int", seen, 1)
            parts.append(
                self._pick(
                    [
                        f"EXISTS (SELECT 1 FROM {product} AS {inner.alias} WHERE {condition})",
                        f"{number} NOT IN (SELECT {key} FROM {product} AS {inner.alias} WHERE {condition})",
                        f"{number} > ALL (SELECT {key} FROM {product} AS {inner.alias} WHERE {condition})",
                    ]
                )
            )
        return f" WHERE {self._pick([' AND ', ' OR ']).join(f'({part})' for part in parts)}"

    def _scalar_subquery(self, type_: str, seen: Sequence[Source]) -> str:
        product, columns, key = self._product()
        inner = Source(alias=self._name("s"), columns=columns, key=key)
        where = self._expression("bool", [*seen, inner], 1)
        shown = self._aggregate(type_, [inner], [inner]) if self._chance(0.8) else self._expression(type_, [inner], 1)
        return f"(SELECT {shown} FROM {product} AS {inner.alias} WHERE {where})"

    def _set_operation(self) -> tuple[str, dict[str, str]]:
        word = self._pick(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "UNION ALL BY NAME"])
        one, columns = self._select(depth=1, named=True)
        other, more = self._select(depth=1, named=True)
        return f"SELECT c0 FROM ({one}) AS a {word} SELECT c0 FROM ({other}) AS b", {"c0": columns["c0"], **more}

    def _product(self) -> tuple[str, Mapping[str, str], str]:
        product = self._pick(list(PRODUCTS))
        return product, *PRODUCTS[product]

    def _broken(self, body: str) -> str:
        """A question with a mistake: each kind of error must be the same on both sides."""
        return self._pick(
            [
                body.replace("SELECT ", "SELECT nothing, ", 1),
                body.replace(" FROM ", " FRM ", 1),
                f"{body} WHERE",
                body.replace("sales.orders", "sales.order"),
                f"SELECT who FROM hr.salaries WHERE pay > {self._literal('int')}",
                f"SELECT nosuch({self._literal('int')}) FROM sales.orders",
                f"SELECT error(note) FROM sales.orders WHERE note <> {self._literal('text')}",
                f"SELECT sum(note) FROM sales.orders WHERE person_id = {self._literal('text')}",
                f"SELECT secret FROM sales.visits WHERE score > {self._literal('int')}",
                f"SELECT * FROM sales.orders WHERE governed_0.region = {self._literal('text')}",
                f"SELECT * FROM pin_sales__orders WHERE note = {self._literal('text')}",
                f"DESCRIBE {body}",
                f"EXPLAIN {body}",
                f"SUMMARIZE SELECT order_id, amount, note FROM sales.orders WHERE amount > {self._literal('int')}",
            ]
        )

    def _name(self, letter: str) -> str:
        self._made += 1
        return f"{letter}{self._made}"
