"""What there is to know of an expectation type: its name, its arguments, and how it becomes a plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quality_checks.arguments import Argument, Kwargs
from quality_checks.columns import Column
from quality_checks.plans import Plan

Columns = Mapping[str, Column]
Planner = Callable[[Kwargs, Columns], Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationType:
    """`plan` may rely on arguments of the right shape and on columns that exist; raises QualityError for the rest."""

    name: str
    arguments: tuple[Argument, ...]
    plan: Planner


def expectation_type(name: str, *arguments: Argument) -> Callable[[Planner], ExpectationType]:
    """Declare the decorated planner as the expectation type `name` of GX."""
    return lambda plan: ExpectationType(name=name, arguments=arguments, plan=plan)
