"""What a change does to contracts: each difference, breaking or not, and whether the version says so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mesh_defs.documents.compatibility import Change, compare, demanded_version, is_enough
from mesh_defs.errors import Finding
from mesh_defs.model.contract import Contract
from mesh_defs.review.made import Made
from mesh_defs.review.side import Side

Kind = Literal["added", "removed", "unreadable", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChange:
    """One product whose files changed. Versions are the contract's; `demanded` is the lowest that may carry the changes.

    `made` says that it is computed otherwise, `hint` what else to know.
    """

    product: str
    kind: Kind
    before: str | None
    after: str | None
    changes: tuple[Change, ...] = ()
    demanded: str | None = None
    made: str = ""
    hint: str = ""

    @property
    def breaking(self) -> bool:
        """Whether a consumer's query or trust can break."""
        return self.kind in ("removed", "unreadable") or any(change.breaking for change in self.changes)

    @property
    def enough(self) -> bool:
        """Whether the contract's version says what the changes demand."""
        return not (self.after and self.demanded) or is_enough(self.after, self.demanded)


def contract_changes(before: Side, after: Side) -> tuple[ProductChange, ...]:
    """Every product that changed, by name."""
    found = []
    for product in sorted({*before.contracts, *after.contracts}):
        old, new = before.contracts.get(product), after.contracts.get(product)
        if old and new:
            changed = _changed(old, new, before.made.get(product), after.made.get(product))
            found += [changed] if changed.changes or changed.made else []
        elif new:
            found.append(ProductChange(product=product, kind="added", before=None, after=new.version))
        elif old:
            found.append(_gone(old, before, after))
    return tuple(found)


def renamed(name: str, old: Contract, new: Contract) -> str | None:
    """The new column that a removed one probably became: the only one of its type and mark that was not there before."""
    lost, column = {*old.column_names} - {*new.column_names}, old.column(name)
    gained = [each for each in new.columns if each.name not in old.column_names]
    alike = [
        each.name for each in gained if column and (each.type, each.identifies) == (column.type, column.identifies)
    ]
    rivals = [each for each in lost if (other := old.column(each)) and column and other.type == column.type]
    return alike[0] if len(alike) == 1 and len(rivals) == 1 else None


def _changed(old: Contract, new: Contract, was: Made | None, now: Made | None) -> ProductChange:
    changes = compare(old, new)
    told = [f"{name} became {other}" for name in old.column_names if (other := _renamed(name, old, new))]
    return ProductChange(
        product=old.product,
        kind="changed",
        before=old.version,
        after=new.version,
        changes=changes,
        demanded=demanded_version(old.version, changes),
        made=_made(was, now),
        hint=f"perhaps {' and '.join(told)}" if told else "",
    )


def _renamed(name: str, old: Contract, new: Contract) -> str | None:
    return None if new.column(name) else renamed(name, old, new)


def _made(was: Made | None, now: Made | None) -> str:
    if was is None or now is None or was.code == now.code:
        return ""
    before, after = set(was.inputs or ()), set(now.inputs or ())
    told = [f"reads {name} as well" for name in sorted(after - before)]
    told += [f"no longer reads {name}" for name in sorted(before - after)]
    return "; ".join((f"computed otherwise ({now.file})", *told))


def _gone(old: Contract, before: Side, after: Side) -> ProductChange:
    broken = next(iter(_about(old.file, after.problems)), None)
    heir = next((name for name, each in after.contracts.items() if _follows(old, each, before)), None)
    return ProductChange(
        product=old.product,
        kind="unreadable" if broken else "removed",
        before=old.version,
        after=None,
        hint=str(broken) if broken else f"perhaps it became {heir}" if heir else "",
    )


def _about(file: str, problems: Sequence[Finding]) -> Iterator[Finding]:
    return (each for each in problems if each.where.partition(":")[0] == file)


def _follows(old: Contract, new: Contract, before: Side) -> bool:
    """A product that was not there, and has the id or the very columns of the one that is gone."""
    alike = old.id == new.id or old.columns == new.columns
    return new.product not in before.contracts and alike
