"""What became of one product in a refresh, wherever it ran. Holds no run and knows nothing of Dagster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["published", "observed", "failed", "stopped"]
# What is downstream of these may be made.
WELL: frozenset[State] = frozenset({"published", "observed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one product. `seconds` is wall time of its step; `told` says why it was not made.

    `stale_inputs` were read as last published, and are older than promised, refused since, or unreadable.
    """

    product: str
    state: State
    seconds: float = 0.0
    told: str = ""
    stale_inputs: tuple[str, ...] = ()


Report = Callable[[Outcome], None]


def together(product: str, partitions: Sequence[Outcome], wanted: Sequence[str | None]) -> Outcome:
    """One outcome for a partitioned product: published when every partition was."""
    published = sum(1 for each in partitions if each.state == "published")
    failed = "; ".join(each.told for each in partitions if each.state == "failed")
    told = f"{published} of {len(wanted)} partitions" + (f" — {failed}" if failed else "")
    seconds = sum(each.seconds for each in partitions)
    state: State = "published" if published == len(wanted) else "failed"
    return Outcome(product=product, state=state, seconds=seconds, told=told)
