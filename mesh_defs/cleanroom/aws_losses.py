"""What an agreement says that AWS Clean Rooms cannot do: refused, never approximated.

A control that all parties waived for AWS by name is left out there; what nobody can waive has to leave the agreement.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isqrt

from mesh_defs.errors import Finding
from mesh_defs.model.names import is_name
from mesh_defs.model.room import Agreement, AnalysisRule, Control, Field, Function, Level, SharedTable

_MICRO = 1_000_000
EPSILON_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One control that AWS lacks: what the room does, what AWS does, and whether an agreement depends on it."""

    control: Control
    room: str
    aws: str
    needed: Callable[[Agreement], bool]


def losses_of(agreement: Agreement) -> tuple[Loss, ...]:
    """Return the controls that the agreement depends on and AWS lacks, waived or not."""
    return tuple(loss for loss in LOSSES if loss.needed(agreement))


def refusals(agreement: Agreement) -> tuple[Finding, ...]:
    """Return why nothing is planned: controls that are not waived for AWS, and what cannot be waived. Reads no row."""
    waived = agreement.waived.get("aws", ())
    controls = (
        Finding(
            where=loss.control,
            what=f"{loss.room}; AWS: {loss.aws}",
            fix=f"`waived: {{aws: [{loss.control}]}}`, signed by all, or run this room in the parties' own processes",
        )
        for loss in losses_of(agreement)
        if loss.control not in waived
    )
    return (*controls, *_unsayable(agreement))


def askable(agreement: Agreement) -> tuple[SharedTable, ...]:
    """The tables that any question may name."""
    return tuple(table for table in agreement.tables if table.rules)


def rules_of(table: SharedTable, agreement: Agreement) -> tuple[AnalysisRule, ...]:
    """A table's rules; the strictest of them holds."""
    return tuple(rule for rule in agreement.rules if rule.name in table.rules)


def level_of(agreement: Agreement) -> Level:
    """The one level of all tables, once refusals() found nothing."""
    return next(iter(_levels(agreement)))


def functions_of(table: SharedTable, agreement: Agreement) -> set[Function]:
    """What all of a table's rules allow."""
    return set.intersection(*(set(rule.functions) for rule in rules_of(table, agreement)))


def whole_epsilon_of(micro_rho: int) -> int | None:
    """Return AWS's whole epsilon, 1 to 20, that is exactly a budget of rho; None when there is none.

    Epsilon-DP implies epsilon²/2 zero-concentrated DP (Bun and Steinke 2016, Proposition 1.4): rho 0.5 is epsilon 1, rho 2
    is epsilon 2. The way back, from rho to epsilon and a delta, is never a whole number.
    """
    epsilon = isqrt(2 * micro_rho // _MICRO)
    return epsilon if 1 <= epsilon <= EPSILON_MAX and epsilon**2 * _MICRO == 2 * micro_rho else None


def own_tables(agreement: Agreement) -> tuple[SharedTable, ...]:
    """Askable tables of those who ask."""
    return tuple(table for table in askable(agreement) if table.party in agreement.analysts)


def protected_tables(agreement: Agreement) -> tuple[SharedTable, ...]:
    """Askable tables of the others."""
    return tuple(table for table in askable(agreement) if table.party not in agreement.analysts)


def alias_of(table: str) -> str:
    """A table's name in the collaboration, where names have no dots."""
    return table.replace(".", "_")


def _levels(agreement: Agreement) -> set[Level]:
    order: tuple[Level, ...] = ("threshold", "template", "privacy")
    return {max((rule.level for rule in rules_of(table, agreement)), key=order.index) for table in askable(agreement)}


def _rules(agreement: Agreement) -> Iterator[AnalysisRule]:
    for table in askable(agreement):
        yield from rules_of(table, agreement)


def _counting(agreement: Agreement) -> set[Function]:
    return {function for rule in _rules(agreement) for function in rule.functions}


def _dimensions(agreement: Agreement) -> list[Field]:
    return [Field(table.name, column) for table in askable(agreement) for column in table.dimensions]


def _thresholded(agreement: Agreement) -> bool:
    return _levels(agreement) != {"privacy"}


def _free(agreement: Agreement) -> bool:
    """Whether there is a table about which questions may be asked that nobody signed."""
    return _levels(agreement) != {"template"}


def _private(agreement: Agreement) -> bool:
    return "privacy" in _levels(agreement)


LOSSES: tuple[Loss, ...] = (
    Loss(
        control="dominance",
        room="a group that one person makes up more than an agreed share of is not shown",
        aws="shows it",
        needed=lambda of: _thresholded(of) and any(rule.dominance_max < 1 for rule in _rules(of)),
    ),
    Loss(
        control="complementary",
        room="further groups are hidden until the hidden ones cannot be told from a total",
        aws="hides the small ones only",
        needed=lambda of: _thresholded(of) and bool(_dimensions(of)),
    ),
    Loss(
        control="differencing",
        room="each answer is compared with all that were released",
        aws="forgets what it answered",
        needed=_thresholded,
    ),
    Loss(
        control="one_population",
        room="whoever asks chooses persons by the same tables of their own each time",
        aws="its member may associate any further table, and other rows",
        needed=lambda of: True,
    ),
    Loss(
        control="one_version",
        room="every question is about the versions that the parties agreed on or the first one read",
        aws="reads what is there today: two answers tell of what changed between them",
        needed=lambda of: True,
    ),
    Loss(
        control="validity",
        room="nothing is answered before or after the agreed days",
        aws="ends when a member leaves",
        needed=lambda of: True,
    ),
    Loss(
        control="public_domains",
        room="dimensions have public values, and filters are = and IN on those",
        aws="shows every value that there is, and filters by any comparison",
        needed=lambda of: _free(of) and bool(_dimensions(of)),
    ),
    Loss(
        control="groups_max",
        room="an answer has no more groups than agreed",
        aws="has no such limit",
        needed=lambda of: _free(of) and bool(_dimensions(of)),
    ),
    Loss(
        control="dimensions_max",
        room="a question has no more dimensions than agreed",
        aws="has no such limit",
        needed=lambda of: _free(of) and any(len(_dimensions(of)) > rule.dimensions_max for rule in _rules(of)),
    ),
    Loss(
        control="rows_once",
        room="whoever asks has each person once in each group: repeated rows multiply nothing",
        aws="joins rows as they are",
        needed=lambda of: _free(of) and bool(_counting(of) - {"reach"}),
    ),
    Loss(
        control="count_rows",
        room="count(*) counts rows",
        aws="an AGGREGATION rule counts columns: where waived, count(person), the same number of a join by person",
        needed=lambda of: "threshold" in _levels(of) and "count" in _counting(of),
    ),
    Loss(
        control="values_min",
        room="a sum or average is shown where enough persons have a value; NULL is none",
        aws="counts the persons of the group, with or without a value",
        needed=lambda of: _thresholded(of) and any(table.measures for table in protected_tables(of)),
    ),
    Loss(
        control="persons_min",
        room="every rule has a least number of persons",
        aws="a table has a threshold or differential privacy, not both",
        needed=_private,
    ),
    Loss(
        control="contribution_bounds",
        room="one person adds to so many groups, rows and units at most, all agreed",
        aws="chooses its bounds itself",
        needed=_private,
    ),
    Loss(
        control="budget_per_release",
        room="each release costs an agreed part of the budget",
        aws="its cost follows from a noise in users that the agreement does not name",
        needed=_private,
    ),
)


def _unsayable(agreement: Agreement) -> Iterator[Finding]:
    """What no waiver mends."""
    yield from _who(agreement)
    yield from _named(agreement)
    levels = _levels(agreement)
    if len(levels) > 1:
        what = f"tables of levels {', '.join(sorted(levels))}: AWS answers about tables of one type of rule only"
        yield Finding(where="rules", what=what, fix="give all tables rules of one level")
    if len({frozenset(functions_of(table, agreement)) for table in askable(agreement)}) > 1:
        what = "tables allow different functions: AWS knows what each table allows, not what all of a question's do"
        yield Finding(where="rules", what=what, fix="give all tables the same functions")
    if agreement.templates and levels != {"template"}:
        what = "templates beside questions of one's own: AWS takes templates in place of them only"
        yield Finding(where="templates", what=what, fix="give all rules the level template, or leave the templates out")
    if levels == {"template"} and not agreement.templates:
        yield Finding(where="templates", what="none was signed: nothing may be asked", fix="agree on one")
    if "privacy" in levels:
        yield from _budget(agreement)


def _who(agreement: Agreement) -> Iterator[Finding]:
    if len(agreement.analysts) != 1:
        what = f"{len(agreement.analysts)} parties may ask: a collaboration has one member who can query"
        yield Finding(where="analysts", what=what, fix="make an agreement for each of them")
    if not own_tables(agreement):
        what = "who asks shares no table: AWS cannot demand that a question joins the tables of two parties"
        yield Finding(where="tables", what=what, fix="share a table of theirs too, with a rule")
    for table in own_tables(agreement):
        if table.digest is None:
            what = "who asks has not frozen it: nothing may be asked about it"
            yield Finding(where=f"tables.{table.name}", what=what, fix="`mesh room freeze`")
    counted = {table.party for table in protected_tables(agreement)} if _thresholded(agreement) else set()
    for name in sorted(counted.intersection(agreement.recipients)):
        what = f"rows of '{name}' would count in exact answers that it has: the room refuses those, AWS does not"
        yield Finding(where="recipients", what=what, fix=f"leave '{name}' out of them")
    if not protected_tables(agreement):
        yield Finding(where="tables", what="nothing of the other parties may be asked about", fix="agree on a rule")


def _named(agreement: Agreement) -> Iterator[Finding]:
    for table in askable(agreement):
        for column in table.columns:
            if not is_name(column):
                what = f"'{column}' is no name of AWS's: [a-z0-9_] only"
                yield Finding(where=f"tables.{table.name}", what=what, fix="share a product with another name for it")
    aliases = [alias_of(table.name) for table in askable(agreement)]
    for alias in sorted({each for each in aliases if aliases.count(each) > 1}):
        yield Finding(where="tables", what=f"two tables would be called {alias}", fix="rename one")


def _budget(agreement: Agreement) -> Iterator[Finding]:
    protected = protected_tables(agreement)
    if len({table.party for table in protected}) > 1:
        what = "budgets of several parties: a collaboration has one privacy budget, of one member"
        yield Finding(where="privacy", what=what, fix="make an agreement with each of them")
    if len({table.person for table in protected}) > 1:
        what = "several personal keys: AWS protects one column, by one name"
        yield Finding(where="privacy", what=what, fix="share products that call the person alike")
    micro_rho = agreement.privacy.micro_rho if agreement.privacy else 0
    if whole_epsilon_of(micro_rho) is None:
        what = f"rho {micro_rho / _MICRO:g} is no whole epsilon from 1 to {EPSILON_MAX}"
        yield Finding(where="privacy.rho", what=what, fix="write epsilon²/2 of a whole epsilon: 0.5, 2, 4.5, 8, …")
