"""A first agreement.yaml out of two parties' contracts, for people to finish. Reads contracts, and no row of anybody.

Values of a dimension come from what a contract promises of the column, or from whoever writes the draft: never from data.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import yaml

from mesh_defs.errors import NotFoundError, nearest
from mesh_defs.model.contract import Column, Contract
from mesh_defs.model.room import DimensionValue

_WHOLE = re.compile(r"U?(TINY|SMALL|BIG)?INT(EGER)?|DECIMAL\(\d+, ?(?P<scale>\d+)\)")
_VALUES_MAX = 100
_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a draft is made of: `shared`: party -> contracts of its products; `asks`: the parties that may ask; public keys by
    party; `values`: (product, column) -> public values that its writer names."""

    room: str
    shared: Mapping[str, Sequence[Contract]]
    asks: Sequence[str]
    joins: str
    keys: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    today: date

    def text(self) -> str:
        """The file, with comments that say what is left to do. NotFoundError for a product without a person, and for values
        of a column that is not shared."""
        columns = {(c.product, each.name) for shared in self.shared.values() for c in shared for each in c.columns}
        for name in self.values.keys() - columns:
            known = [".".join(each) for each in columns]
            raise NotFoundError(f"no column {'.'.join(name)} is shared", fix=nearest(".".join(name), known))
        return "\n".join([*self._head(), *self._tables(), *self._rules(), ""])

    def _head(self) -> Iterator[str]:
        yield "# What the parties of this room agree to. Finish what says TODO, then: `mesh room freeze`, `mesh room sign`."
        yield "format: 1"
        yield f"id: {self.room}"
        yield "title: TODO what is to be found out together"
        yield "# Each with the public key that `mesh room key` prints in its own mesh; `url` where its process listens."
        yield "parties:"
        yield from (f"  - {{name: {party}, key: {self._key(party)}}}" for party in self.shared)
        yield "# Who may ask, and who may have the answers. Their own tables choose persons, and add up to nothing."
        yield f"analysts: [{', '.join(self.asks)}]"
        yield f"recipients: [{', '.join(self.asks)}]"
        yield "# Who runs the process that adds up: best none of those who ask."
        yield f"joins: {{name: {self.joins}, key: {self._key(self.joins)}}}"
        yield f"valid: {{from: {self.today}, until: {self.today + timedelta(days=_DAYS)}}}"

    def _key(self, party: str) -> str:
        return json.dumps(self.keys.get(party, f"TODO the key of {party}"))

    def _tables(self) -> Iterator[str]:
        yield "# Only what is named here exists in the room. Values of dimensions are public: say them, do not count them."
        yield "tables:"
        for party, contracts in self.shared.items():
            for contract in contracts:
                yield from self._table(party, contract)

    def _table(self, party: str, contract: Contract) -> Iterator[str]:
        person = _person(contract)
        yield f"  - name: {party}.{contract.product.partition('.')[2]}"
        yield f"    party: {party}"
        yield f"    product: {contract.product}"
        yield f"    person: {person}"
        columns = [each for each in contract.columns if each.name != person and each.identifies is None]
        known = {each.name: self._known(contract, each) for each in columns}
        yield from _named("dimensions", self._dimensions(known))
        for each in columns:
            if not known[each.name] and each.type == "VARCHAR":
                yield f"    # {each.name}: no public values are promised; name them here, or leave it out"
            elif each.type == "BOOLEAN":
                yield f"    # {each.name}: a truth value is no dimension; publish it as a text, or leave it out"
        measures = [each for each in columns if not known[each.name] and _decimals(each) is not None]
        if party not in self.asks:
            yield from _named("measures", (_measure(each) for each in measures if not each.primary_key))
        yield "    rules: [all]"

    def _known(self, contract: Contract, column: Column) -> Sequence[DimensionValue]:
        named = self.values.get((contract.product, column.name))
        if named is None:
            return promised_values(contract, column.name)
        return [int(each) if _decimals(column) == 0 and _is_whole(each) else each for each in named]

    def _dimensions(self, known: Mapping[str, Sequence[DimensionValue]]) -> Iterator[str]:
        for name, values in known.items():
            if values:
                yield f"{_key(name)}: [{', '.join(json.dumps(each, ensure_ascii=False) for each in values)}]"

    def _rules(self) -> Iterator[str]:
        yield "# What every group keeps to. level: threshold, template (signed questions only) or privacy (noise, and a budget)."
        yield "rules:"
        yield "  - {name: all, level: threshold, persons_min: 25, dominance_max: 0.5, groups_max: 200, dimensions_max: 3}"
        yield "# For level privacy, with `lower` and `upper` of each measure, of one person in one group:"
        yield "# privacy: {rho: 0.5, rho_per_release: 0.05, groups_max: 5, rows_max: 10, delta: 1.0e-6}"


def promised_values(contract: Contract, column: str) -> tuple[DimensionValue, ...]:
    """The values that a contract promises of a column and refuses all others, in its order; none without such a promise."""
    for rule in contract.expectations:
        values = rule.kwargs.get("value_set")
        fits = rule.type == "expect_column_values_to_be_in_set" and rule.kwargs.get("column") == column
        if fits and values and rule.severity == "critical" and rule.kwargs.get("mostly", 1) == 1:
            texts = [each for each in values if isinstance(each, str) or type(each) is int]
            if len(texts) == len(values) <= _VALUES_MAX:
                return tuple(texts)
    cut = contract.partitioning
    return tuple(cut.values) if cut and cut.column == column else ()


def _person(contract: Contract) -> str:
    persons = contract.carrying("person")
    if len(persons) != 1:
        what = f"{contract.product} has {len(persons) or 'no'} columns that identify a person"
        raise NotFoundError(what, where=contract.file, fix="share a product with one: `identifies: person`")
    return persons[0].name


def _measure(column: Column) -> str:
    decimals = _decimals(column)
    return f"{_key(column.name)}: {{functions: [sum, avg]{f', decimals: {decimals}' if decimals else ''}}}"


def _key(name: str) -> str:
    """A name as YAML has it for a text: `no` and `on` are none."""
    return name if yaml.safe_load(name) == name else json.dumps(name)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def _decimals(column: Column) -> int | None:
    found = _WHOLE.fullmatch(column.type)
    return int(found["scale"] or 0) if found else None


def _named(name: str, lines: Iterable[str]) -> Iterator[str]:
    listed = list(lines)
    if listed:
        yield f"    {name}:"
        yield from (f"      {line}" for line in listed)
