"""What breaks downstream, by name: products that read what is gone, and expectations that would no longer hold.

Of a SELECT it is known which columns it reads; of Python only which products.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from mesh_defs.access.words import mask_told
from mesh_defs.model.access import service_of
from mesh_defs.model.contract import Contract
from mesh_defs.model.expected import Expected
from mesh_defs.model.lineage import ColumnLineage
from mesh_defs.review.contracts import renamed
from mesh_defs.review.made import Made
from mesh_defs.review.side import Side
from mesh_defs.review.sight import sight_of
from mesh_defs.sql.lineage import column_lineage
from quality_checks import problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """`consumer` is a product, or a domain for what it expects. `sure` False: it may break, nobody can tell from the files.

    `outputs` are the consumer's columns that are made of the changed ones; `further` who reads the consumer, at any distance.
    """

    consumer: str
    file: str
    needs: str
    columns: tuple[str, ...]
    what: str
    sure: bool
    outputs: tuple[str, ...] = ()
    further: tuple[str, ...] = ()


def breaks(before: Side, after: Side, now: datetime) -> tuple[Break, ...]:
    """Everything that still reads today what it will no longer find so; what was mended along is not among it."""
    found: list[Break] = []
    for name, made in sorted(after.made.items()):
        if made.inputs and name in after.contracts:
            reader = _Reader(name=name, made=made, before=before, after=after)
            for wanted in made.inputs:
                found += _of_product(reader, wanted)
                found += _of_access(reader, wanted, now)
    for expected in after.expects:
        found += _of_expected(expected, before, after)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """A product of the newer side, and what it reads."""

    name: str
    made: Made
    before: Side
    after: Side

    @cached_property
    def lineage(self) -> ColumnLineage | None:
        """What its SELECT would read if nothing were gone; None where that cannot be told."""
        inputs = self.made.inputs or ()
        return self._lineage({name: {**self.before.schema(name), **self.after.schema(name)} for name in inputs})

    @cached_property
    def outputs(self) -> frozenset[str]:
        """The columns that it must yield: those it promises, and those that are still named. The rest came by a `*`."""
        inputs = self.made.inputs or ()
        lineage = self._lineage({name: self.after.schema(name) for name in inputs}) or self.lineage
        return frozenset((*self.after.contracts[self.name].column_names, *(lineage.columns if lineage else ())))

    def reads(self, product: str, column: str) -> bool:
        """Whether a column decides any value, or which rows there are. Where nobody can tell, it may."""
        if self.lineage is None:
            return True
        return bool(self._made_of(product, column)) or f"{product}.{column}" in self.lineage.indirect

    def broken(self, product: str, what: str, columns: tuple[str, ...] = (), *, sure: bool = True) -> Break:
        """Say that it will not find a product so any more."""
        promised = self.after.contracts[self.name].column_names
        outputs = {name for column in columns for name in self._made_of(product, column)}
        return Break(
            consumer=self.name,
            file=self.made.file,
            needs=product,
            columns=columns,
            what=what,
            sure=sure,
            outputs=tuple(name for name in promised if name in outputs),
            further=_downstream(self.name, self.after),
        )

    def _made_of(self, product: str, column: str) -> tuple[str, ...]:
        columns = self.lineage.columns.items() if self.lineage else ()
        made = (name for name, sources in columns if any((s.product, s.column) == (product, column) for s in sources))
        return tuple(name for name in made if name in self.outputs)

    def _lineage(self, schemas: Mapping[str, Mapping[str, str]]) -> ColumnLineage | None:
        lineage = column_lineage(self.made.sql, schemas) if self.made.sql else None
        return None if lineage is None or lineage.unknown else lineage


def _downstream(product: str, side: Side) -> tuple[str, ...]:
    """Who reads a product, at any distance."""
    found: dict[str, None] = {}
    waiting = [product]
    for name in waiting:
        for reader, made in sorted(side.made.items()):
            if name in (made.inputs or ()) and reader not in (product, *found):
                found[reader] = None
                waiting.append(reader)
    return tuple(found)


def _of_product(reader: _Reader, wanted: str) -> Iterator[Break]:
    old, new = reader.before.contracts.get(wanted), reader.after.contracts.get(wanted)
    if old and new is None:
        yield reader.broken(wanted, f"{wanted} is gone")
    changed = dict(_changed(old, new)) if old and new else {}
    if changed and reader.lineage is None:
        told = ", ".join(f"{name} {what}" for name, what in changed.items())
        what = f"{wanted} changes: {told}; which columns are read cannot be told"
        yield reader.broken(wanted, what, tuple(changed), sure=False)
        return
    for name, what in changed.items():
        if reader.reads(wanted, name):
            yield reader.broken(wanted, f"{wanted}.{name} {what}", (name,))


def _changed(old: Contract, new: Contract) -> Iterator[tuple[str, str]]:
    for column in old.columns:
        other = new.column(column.name)
        if other is None:
            heir = renamed(column.name, old, new)
            yield column.name, f"is gone, perhaps renamed to {heir}" if heir else "is gone"
        elif other.type != column.type:
            yield column.name, f"was {column.type} and becomes {other.type}"


def _of_access(reader: _Reader, wanted: str, now: datetime) -> Iterator[Break]:
    """A pipeline whose grant is taken away, or that is shown something else in a column that it reads."""
    contract = reader.after.contracts[reader.name]
    sides = (reader.before, reader.after)
    if wanted.startswith(f"{contract.domain}.") or any(wanted not in side.contracts for side in sides):
        return
    service, purpose = service_of(contract.domain), contract.purpose or ""
    was, sees = (sight_of(side, side.principals.get(service), purpose, wanted, now) for side in sides)
    if was.view is None:
        return
    if sees.view is None:
        yield reader.broken(wanted, f"{wanted} may no longer be read by {service} for {purpose}: {sees.reason}")
        return
    turned = [name for name in sees.columns if name in was.columns and was.mask(name) is None and sees.mask(name)]
    columns = tuple(name for name in turned if reader.reads(wanted, name))
    if columns:
        told = ", ".join(f"{name} {mask_told(sees.mask(name))}" for name in columns)
        yield reader.broken(wanted, f"{wanted} shows {service} {told}", columns, sure=reader.lineage is not None)


def _of_expected(expected: Expected, before: Side, after: Side) -> Iterator[Break]:
    """Expectations that could be looked at before, and cannot be now."""
    was, now = (dict(_unmet(expected, side)) for side in (before, after))
    for name, (needs, what) in now.items():
        if name not in was:
            yield Break(
                consumer=expected.consumer,
                file=expected.file,
                needs=needs,
                columns=(),
                what=f"{needs} no longer fits what is expected of it ({name}): {what}",
                sure=True,
            )


def _unmet(expected: Expected, side: Side) -> Iterator[tuple[str, tuple[str, str]]]:
    if expected.product not in side.contracts:
        yield "any of it", (expected.product, "no domain offers it")
        return
    for expectation in expected.expectations:
        name = str(expectation.meta.get("name") or expectation.name)
        for problem in problems(expectation, side.schema(expected.product)):
            yield name, (expected.product, problem.partition(" — ")[0])
        other, column = (str(expectation.kwargs.get(key, "")) for key in ("other_table_name", "other_column"))
        if other and other not in side.contracts:
            yield name, (other, "no domain offers it")
        elif column and column not in side.schema(other):
            yield name, (other, f"there is no column '{column}'")
