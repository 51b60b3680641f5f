"""A room in plain words: who agreed to what, what may be asked, what came out. Sentences only; nothing here decides."""

from collections.abc import Iterator
from datetime import datetime

from mesh_defs.cleanroom.noise import epsilon_of
from mesh_defs.cleanroom.rules import Asked, question_of
from mesh_defs.cleanroom.signed import Statement, is_genuine
from mesh_defs.documents.room import MICRO, digest_of
from mesh_defs.errors import MeshError
from mesh_defs.model.room import Aggregate, Agreement, Analysis, AnalysisRule, Level, SharedTable, Why

_SHOWN_MAX = 8
_EXAMPLES_MAX = 3
# What a level claims. Only the last is called private.
CLAIMS: dict[Level, str] = {
    "threshold": "large groups only: it bars looking at one person, not one who combines many answers or knows most of a group",
    "template": "only questions that all signed, in large groups: as good as the questions are",
    "privacy": "private: whoever sees all answers learns about the same whether or not one person is in the tables",
}
_WITHHELD: dict[Why, str] = {
    "small": "too few persons",
    "dominated": "one person has most of it",
    "complementary": "hides another group, which could be told from the sum",
    "difference": "too close to what was released before",
}


def parties_told(agreement: Agreement) -> Iterator[str]:
    """Who takes part, and as what."""
    for party in agreement.parties:
        roles = ["asks"] if party.name in agreement.analysts else []
        roles += ["has the answers"] if party.name in agreement.recipients else []
        tables = [f"{table.name} ({table.product})" for table in agreement.tables if table.party == party.name]
        yield f"{party.name} {' and '.join(roles) or 'asks nothing'}; it shares {', '.join(tables) or 'nothing'}"
    yield f"{agreement.joins.name} runs the process that adds up, and sees no name of a person"


def standing_told(agreement: Agreement, statements: tuple[Statement, ...], now: datetime) -> Iterator[str]:
    """Who signed and revoked this very version, and whether it holds now."""
    digest = digest_of(agreement)
    for party in agreement.parties:
        own = [each for each in statements if each.party == party.name]
        this = {each.kind: each for each in own if each.agreement == digest and is_genuine(each, party)}
        if "revoked" in this:
            yield f"{party.name} revoked it on {this['revoked'].at[:10]}: nothing may be asked any more"
        elif "signed" in this:
            yield f"{party.name} signed it on {this['signed'].at[:10]}"
        else:
            yield f"{party.name} has not signed this version" + (", but another one" if own else "")
    last = f"{agreement.valid_until:%Y-%m-%d %H:%M} UTC"
    if now < agreement.valid_from:
        yield f"it holds from {agreement.valid_from:%Y-%m-%d} until {last}"
    else:
        yield f"it held until {last}" if now >= agreement.valid_until else f"it holds until {last}"


def table_told(table: SharedTable, agreement: Agreement) -> Iterator[str]:
    """What may be asked of one table."""
    yield f"{table.name}: {table.party}'s {table.product}, joined by {table.person}"
    if not table.rules:
        yield "  no rule allows to ask about it"
    for name, values in table.dimensions.items():
        more = f", … ({len(values)} in all)" if len(values) > _SHOWN_MAX else ""
        yield f"  by {name}: {', '.join(map(str, values[:_SHOWN_MAX]))}{more}"
    for name, measure in table.measures.items():
        bounds = f", one person's part of a group taken as {measure.lower} to {measure.upper}"
        yield f"  {' and '.join(measure.functions)} of {name}{bounds if measure.lower is not None else ''}"
    if table.party in agreement.analysts:
        frozen = f"frozen as {table.digest[:12]}…" if table.digest else "not frozen yet: it cannot be asked with"
        yield f"  chooses persons, whoever asks; {frozen}"


def rule_told(rule: AnalysisRule, agreement: Agreement) -> str:
    """What every group keeps to."""
    tables = [table.name for table in agreement.tables if rule.name in table.rules]
    return (
        f"'{rule.name}' for {', '.join(tables) or 'no table'}: groups of at least {rule.persons_min} persons, none of whom has "
        f"more than {rule.dominance_max:.0%} of it; at most {rule.groups_max} groups by {rule.dimensions_max} dimensions; "
        f"{', '.join(rule.functions)}. {rule.level.capitalize()}: {CLAIMS[rule.level]}"
    )


def waived_told(agreement: Agreement) -> Iterator[str]:
    """Controls that all agreed to do without."""
    for target, controls in agreement.waived.items():
        if controls:
            yield f"not held to on {target}, as all agreed: {', '.join(controls)}"


def budget_told(agreement: Agreement, micro_rho: int) -> str:
    """What is left of the budget; `micro_rho`: reserved so far."""
    budget = agreement.privacy
    if budget is None:
        return "no answer is private here, so there is no budget"
    left = max(budget.micro_rho - micro_rho, 0)
    return (
        f"rho {left / MICRO:g} of {budget.micro_rho / MICRO:g} is left, which is epsilon {epsilon_of(left, budget.delta):.2f} of "
        f"{epsilon_of(budget.micro_rho, budget.delta):.2f} at delta {budget.delta:g}; "
        f"an answer takes {budget.micro_rho_per_release / MICRO:g}"
    )


def analysis_told(analysis: Analysis) -> str:
    """What was asked, in a line."""
    what = ", ".join(_aggregate(each) for each in analysis.aggregates)
    by = f" by {', '.join(map(str, analysis.dimensions))}" if analysis.dimensions else ""
    where = " and ".join(f"{field} in ({', '.join(map(str, values))})" for field, values in analysis.filters)
    return f"{what}{by} of {' with '.join(analysis.tables)}" + (f" where {where}" if where else "")


def withheld_told(why: Why) -> str:
    """Why a group was not shown, for a protected party."""
    return _WITHHELD[why]


def examples(agreement: Agreement, now: datetime) -> tuple[str, ...]:
    """Questions that this agreement allows, each of which compiles; none where it allows none now."""
    analyst, recipient = agreement.analysts[0], agreement.recipients[0]
    found = []
    for sql in _candidates(agreement, analyst):
        try:
            question_of(Asked(analyst=analyst, recipient=recipient, sql=sql), agreement, now)
        except MeshError:
            continue
        found.append(sql)
        if len(found) == _EXAMPLES_MAX:
            break
    return tuple(found)


def _candidates(agreement: Agreement, analyst: str) -> Iterator[str]:
    own = [table for table in agreement.tables if table.party == analyst]
    others = [table for table in agreement.tables if table.party != analyst]
    pairs = [(one, other) for one in own or others for other in others if one.party != other.party]
    for one, other in pairs:
        joined = f"FROM {one.name} AS a JOIN {other.name} AS b ON a.{one.person} = b.{other.person}"
        reach = f"count(DISTINCT a.{one.person}) AS persons"
        yield f"SELECT {reach} {joined}"
        for name in one.dimensions:
            yield f"SELECT a.{name}, {reach} {joined} GROUP BY a.{name}"
            break
        for name, measure in other.measures.items():
            shown = f"{measure.functions[0]}(b.{name}) AS {name}"
            yield f"SELECT {shown} {joined}"
            for dimension, values in other.dimensions.items():
                value = repr(values[0]) if isinstance(values[0], str) else values[0]
                yield f"SELECT {reach}, {shown} {joined} WHERE b.{dimension} = {value}"
                break
            break


def _aggregate(aggregate: Aggregate) -> str:
    if aggregate.field is None:
        return {"count": "rows", "reach": "persons"}[aggregate.function]
    return f"{aggregate.function} of {aggregate.field}"
