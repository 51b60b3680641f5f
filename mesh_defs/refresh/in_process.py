"""Materializes the mesh in this process, one Dagster run for each group, on the instance that `make dev` shows.

For development, demos and tests: there is no isolation between domains here, and what is killed is not resumed. Only a
location with an interpreter of its own runs apart, as it could not run otherwise.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial

import dagster as dg

from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.model.mesh import Mesh
from mesh_defs.processes.token_keys import make_token_keys
from mesh_defs.refresh.apart import make_apart
from mesh_defs.refresh.expectations import look_at_others
from mesh_defs.refresh.group import UNMADE, make_group
from mesh_defs.refresh.instance import open_instance
from mesh_defs.refresh.order import ready_groups, selected, stopped_by
from mesh_defs.refresh.outcome import WELL, Outcome, Report
from mesh_defs.refresh.partitions import cut_for, keys_of
from mesh_defs.refresh.rooms import waiting
from mesh_defs.settings import Settings

# Makes products of one location at these keys, noting each outcome.
Maker = Callable[[Sequence[str], Sequence[str | None], Report], None]


def refresh_in_process(
    settings: Settings,
    mesh: Mesh,
    *,
    selections: Collection[str] = (),
    partitions: str | None = None,
    report: Report = lambda outcome: None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Outcome, ...]:
    """Make the selected products in dependency order and return one outcome each. A failure stops only what is downstream.

    `partitions` restricts it to the products that have them; see `refresh.partitions.chosen`. `say` is told what is not
    about one product.
    """
    products, now = mesh.products, datetime.now(UTC)
    make_token_keys(settings, products.values())
    left_out = {} if selections else waiting(settings, products, now)
    for name, why in left_out.items():
        say(f"{name} {why}")
    pending = set(selected(products, selections)) - left_out.keys()
    if partitions is not None:
        pending = set(cut_for(products, sorted(pending), partitions, now))
    outcomes: dict[str, Outcome] = {}

    def note(outcome: Outcome) -> None:
        if outcome.product in pending:
            pending.discard(outcome.product)
            outcomes[outcome.product] = outcome
            report(outcome)

    with open_instance(settings) as instance:
        makers = {each.name: _maker(each, settings, mesh, instance) for each in _locations(settings, mesh, pending)}
        while pending:
            failed = {name for name, outcome in outcomes.items() if outcome.state not in WELL}
            for name in sorted(stopped_by(products, failed, pending)):
                note(Outcome(product=name, state="stopped", told=UNMADE))
            groups = ready_groups(products, pending=pending, blocked=failed)
            if groups:
                wanted = [keys_of(products[name], settings, asked=partitions, now=now) for name in groups[0].products]
                keys = sorted({key for each in wanted for key in each or ()}) if groups[0].cut else (None,)
                makers[groups[0].location](groups[0].products, keys, note)
                continue
            for name in sorted(pending):
                note(Outcome(product=name, state="failed", told="it is part of a cycle; see `mesh validate`"))
        look_at_others(settings, mesh, [name for name, each in outcomes.items() if each.state in WELL], instance, say)
    return tuple(outcomes.values())


def _locations(settings: Settings, mesh: Mesh, names: Collection[str]) -> list[Location]:
    wanted = {mesh.products[name].location for name in names}
    return [location for location in read_workspace(settings.root) if location.name in wanted]


def _maker(location: Location, settings: Settings, mesh: Mesh, instance: dg.DagsterInstance) -> Maker:
    """How a location's products are made; one that does not import fails its own products only."""
    if location.executable is not None:
        return partial(make_apart, location, settings, mesh)
    try:
        definitions = load_definitions(location)
    except Exception as error:  # noqa: BLE001  a domain's import may raise anything
        return partial(_fail, f"{location.name} does not load: {error}")
    return lambda products, keys, note: make_group(products, keys, definitions, instance, note)


def _fail(told: str, products: Sequence[str], keys: Sequence[str | None], note: Report) -> None:
    for name in products:
        note(Outcome(product=name, state="failed", told=told))
