"""Whether an agreement allows a question, and by which terms. Looks at no row: every refusal here depends on the text, the
agreement, who asks and the time alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from math import prod

from mesh_defs.errors import AccessDeniedError, AnalysisRejectedError, nearest
from mesh_defs.model.room import (
    Agreement,
    Analysis,
    AnalysisRule,
    AnalysisTemplate,
    Control,
    DimensionValue,
    Level,
    Question,
    SharedTable,
)
from mesh_defs.sql.analysis import Arguments, compile_analysis

# From the one that allows most to the one that allows least.
_LEVELS: tuple[Level, ...] = ("threshold", "template", "privacy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a release of one analysis keeps to: the strictest of all rules of all its tables."""

    level: Level
    persons_min: int
    dominance_max: float
    groups_max: int
    waived: tuple[Control, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a party sends: SQL, or the name of a signed template with its arguments. Who asks, who is to have the answer.

    `micro_rho`: what it may cost at the privacy level, in millionths of rho; None for the agreement's share of one release.
    """

    analyst: str
    recipient: str
    sql: str = ""
    template: str | None = None
    arguments: Arguments = field(default_factory=dict)
    micro_rho: int | None = None


def require_valid(agreement: Agreement, now: datetime) -> None:
    """Raise AccessDeniedError before and after the time that the agreement holds."""
    if now < agreement.valid_from:
        raise AccessDeniedError(f"the agreement of '{agreement.id}' begins on {agreement.valid_from:%Y-%m-%d}")
    if now >= agreement.valid_until:
        fix = "agree on a next version, with all parties' signatures"
        raise AccessDeniedError(f"the agreement of '{agreement.id}' has ended", fix=fix)


def question_of(asked: Asked, agreement: Agreement, now: datetime) -> tuple[Question, Terms]:
    """Return what is asked in normal form and the terms of its release.

    AccessDeniedError for who may not ask or have it, AnalysisRejectedError for what the agreement does not allow.
    """
    require_valid(agreement, now)
    _require_named(asked.analyst, agreement.analysts, f"'{asked.analyst}' may not ask in room '{agreement.id}'")
    what = f"'{asked.recipient}' may not have answers of room '{agreement.id}'"
    _require_named(asked.recipient, agreement.recipients, what)
    if asked.template is None:
        question = compile_analysis(asked.sql, agreement)
    else:
        template = _template(asked.template, agreement)
        question = compile_analysis(template.sql, agreement, _arguments(template, asked.arguments, agreement))
    terms = terms_of(question.analysis, agreement, asked.analyst)
    if terms.level == "template" and asked.template is None:
        names = [template.name for template in agreement.templates]
        fix = f"ask one of them: {', '.join(names)}" if names else "agree on one"
        raise AnalysisRejectedError("only signed templates may be asked here", fix=fix)
    if terms.level != "privacy":
        _require_no_weights(asked, question.analysis, agreement)
    return question, terms


def terms_of(analysis: Analysis, agreement: Agreement, analyst: str) -> Terms:
    """Return the strictest of the rules of all its tables. AnalysisRejectedError when they do not allow it."""
    tables = [table for table in agreement.tables if table.name in analysis.tables]
    _require_parties(tables, agreement, analyst)
    rules = list(_rules(tables, agreement))
    functions = set.intersection(*(set(rule.functions) for rule in rules))
    for aggregate in analysis.aggregates:
        if aggregate.function not in functions:
            what = f"{aggregate.function} is not allowed by a rule of these tables"
            raise AnalysisRejectedError(what, fix=f"allowed: {', '.join(sorted(functions)) or 'nothing'}")
    _require_own(analysis, tables, analyst)
    waived = agreement.waived.get("mesh", ())
    terms = Terms(
        level=max((rule.level for rule in rules), key=_LEVELS.index),
        persons_min=max(rule.persons_min for rule in rules),
        dominance_max=1.0 if "dominance" in waived else min(rule.dominance_max for rule in rules),
        groups_max=min(rule.groups_max for rule in rules),
        waived=waived,
    )
    _require_small(analysis, agreement, dimensions_max=min(rule.dimensions_max for rule in rules), terms=terms)
    return terms


def _require_no_weights(asked: Asked, analysis: Analysis, agreement: Agreement) -> None:
    """Who has the exact answer must not know which rows each person adds to it: a count of powers of two names its persons."""
    counted = {table.party for table in agreement.tables if table.name in analysis.tables} - {asked.analyst}
    if asked.recipient in counted:
        what = f"rows of '{asked.recipient}' would count in an answer that it has: it could weigh persons by them"
        raise AnalysisRejectedError(what, fix=f"let '{asked.recipient}' ask for itself, or leave its tables out")


def groups_of(analysis: Analysis, agreement: Agreement) -> Iterator[tuple[DimensionValue, ...]]:
    """Yield the dimensions' values of every group that an analysis can have, known before any row is read."""
    chosen = dict(analysis.filters)
    domains = [chosen.get(each, agreement.domain(each)) for each in analysis.dimensions]
    yield from _product(domains)


def _product(domains: list[tuple[DimensionValue, ...]]) -> Iterator[tuple[DimensionValue, ...]]:
    if not domains:
        yield ()
        return
    for first in domains[0]:
        for rest in _product(domains[1:]):
            yield (first, *rest)


def _require_small(analysis: Analysis, agreement: Agreement, *, dimensions_max: int, terms: Terms) -> None:
    if len(analysis.dimensions) > dimensions_max:
        what = f"{len(analysis.dimensions)} dimensions, of at most {dimensions_max}"
        raise AnalysisRejectedError(what, fix="ask by fewer at once")
    chosen = dict(analysis.filters)
    groups = prod(len(chosen.get(each, agreement.domain(each))) for each in analysis.dimensions)
    if groups > terms.groups_max and "groups_max" not in terms.waived:
        what = f"{groups} groups are possible, of at most {terms.groups_max}"
        raise AnalysisRejectedError(what, fix="ask by fewer dimensions, or filter with IN (…)")


def _require_parties(tables: list[SharedTable], agreement: Agreement, analyst: str) -> None:
    parties = {table.party for table in tables}
    own = [table.name for table in agreement.tables if table.party == analyst]
    if len(parties) < 2 or (own and analyst not in parties):
        fix = f"join one of {', '.join(own)}" if own else "join the tables of two parties"
        raise AnalysisRejectedError("a room answers about the persons whom parties have in common", fix=fix)


def _require_own(analysis: Analysis, tables: list[SharedTable], analyst: str) -> None:
    """Tables of whoever asks choose persons: they are frozen, and add up to nothing."""
    own = {table.name: table for table in tables if table.party == analyst}
    for measure in analysis.measures:
        if measure.table in own:
            fix = "add up the other party's columns; your own rows serve to choose persons"
            raise AnalysisRejectedError(f"{measure} is your own", fix=fix)
    for name, table in own.items():
        if table.digest is None:
            fix = "`mesh room freeze` writes its digest into the agreement, for all to sign"
            raise AnalysisRejectedError(f"{name} is not frozen", fix=fix)


def _rules(tables: Iterable[SharedTable], agreement: Agreement) -> Iterator[AnalysisRule]:
    named = {rule.name: rule for rule in agreement.rules}
    for table in tables:
        if not table.rules:
            what = f"no rule allows to ask about {table.name}"
            raise AnalysisRejectedError(what, fix=f"its party, {table.party}, can propose one")
        yield from (named[name] for name in table.rules)


def _template(name: str, agreement: Agreement) -> AnalysisTemplate:
    for template in agreement.templates:
        if template.name == name:
            return template
    known = [template.name for template in agreement.templates]
    raise AnalysisRejectedError("no such template was signed", fix=nearest(name, known))


def _arguments(template: AnalysisTemplate, given: Arguments, agreement: Agreement) -> Arguments:
    missing, surplus = set(template.parameters) - set(given), set(given) - set(template.parameters)
    if missing or surplus:
        wanted = ", ".join(template.parameters) or "none"
        raise AnalysisRejectedError(
            f"'{template.name}' takes other arguments", fix=f"give each of these once: {wanted}"
        )
    for name, dimension in template.parameters.items():
        domain = agreement.domain(dimension)
        if not any(type(given[name]) is type(value) and given[name] == value for value in domain):
            raise AnalysisRejectedError(f"{name} is no public value of {dimension}", fix=f"known: {_some(domain)}")
    return given


def _some(domain: tuple[DimensionValue, ...]) -> str:
    return ", ".join(map(str, domain[:12])) + (", …" if len(domain) > 12 else "")


def _require_named(name: str, names: tuple[str, ...], what: str) -> None:
    if name not in names:
        raise AccessDeniedError(what, fix=f"the agreement names {', '.join(names)}")
