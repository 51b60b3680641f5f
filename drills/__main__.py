"""`python -m drills`: breaks the mesh on purpose, prints what was survived and what was lost; exit code 1 for a loss."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence

from drills import adapters, external, machine, places, stores, upkeep, workers
from drills.drill import Drill, Outcome, practise
from drills.ground import Ground

SEED = 7


def every_drill() -> list[Drill]:
    """All drills, in the order in which they run."""
    parts = (workers, places, stores, external, upkeep, machine, adapters)
    return [drill for part in parts for drill in part.drills()]


def run(
    drills: Iterable[Drill], *, seed: int, rounds: int, minutes: float, say: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run them one after the other on one ground; `say` is told of each as it ends."""
    ground, outcomes = Ground(), []
    with ground.exits:
        for drill in drills:
            outcomes.append(practise(drill, ground, seed=seed, rounds=rounds, minutes=minutes))
            say(outcomes[-1])
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, print."""
    told = _parser().parse_args(arguments)
    chosen = [drill for drill in every_drill() if drill.is_one_of(told.only)]

    def say(outcome: Outcome) -> None:
        if not told.json:
            sys.stdout.write(f"{outcome.line(told.seed)}\n")
            sys.stdout.flush()

    outcomes = run(chosen, seed=told.seed, rounds=told.rounds, minutes=told.minutes, say=say)
    lost = [outcome for outcome in outcomes if outcome.lost is not None]
    if told.json:
        listed = [_as_json(outcome) for outcome in outcomes]
        sys.stdout.write(json.dumps({"seed": told.seed, "lost": len(lost), "drills": listed}) + "\n")
    else:
        spent = sum(outcome.seconds for outcome in outcomes)
        sys.stdout.write(
            f"{len(outcomes) - len(lost)} survived, {len(lost)} lost, in {spent:.0f} s (seed {told.seed})\n"
        )
    return 1 if lost or not outcomes else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drills", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="where to strike; the same seed strikes alike")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="names, parts or name/part; * for any")
    parser.add_argument("--rounds", type=int, default=2, help="how often each drill strikes")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long each adapter run lasts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _as_json(outcome: Outcome) -> dict[str, object]:
    drill = outcome.drill
    told = {"name": drill.name, "part": drill.part, "told": drill.told, "survived": outcome.lost is None}
    return {**told, "note": outcome.note, "lost": outcome.lost, "seconds": round(outcome.seconds, 1)}


if __name__ == "__main__":
    sys.exit(main())
