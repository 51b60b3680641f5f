"""What there is to know of an expectation type: its name, its arguments, and how it becomes a plan."""

from collections.abc import Callable
from dataclasses import dataclass

from quality_checks.arguments import CONDITION, Argument, Kwargs
from quality_checks.columns import Columns
from quality_checks.plans import Plan

Planner = Callable[[Kwargs, Columns], Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationType:
    """`plan` may rely on arguments of the right shape and on columns that exist; raises QualityError for the rest."""

    name: str
    arguments: tuple[Argument, ...]
    plan: Planner


def expectation_type(name: str, *arguments: Argument) -> Callable[[Planner], ExpectationType]:
    """Declare the decorated planner, which judges rows or what they add up to, as the expectation type `name` of GX."""
    return lambda plan: ExpectationType(name=name, arguments=(*arguments, *CONDITION), plan=plan)


def schema_type(name: str, *arguments: Argument) -> Callable[[Planner], ExpectationType]:
    """The same for a planner that judges columns, or rows by a query of its own: no condition narrows it."""
    return lambda plan: ExpectationType(name=name, arguments=arguments, plan=plan)
