"""One real Dagster for all tests of a refresh across locations; and one that has no daemon."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh_defs.query.mesh import open_mesh
from tests.meshes import DAY, HITS, NOT_EMPTY, PERSON, contract, derived, grants, python, settings_of, sql, two_domains
from tests.refresh.stack import Stack, running

WAITS = """@data_product()
def {name}():
    import pathlib, time
    while pathlib.Path({hold!r}).exists():
        time.sleep(0.05)
    return "SELECT 1 AS person_id, 'north' AS region"
"""
TO_SHOP = "{id: shop, principals: ['service:shop'], purposes: [measurement]}"
# Its automation stays off: a sensor's run that comes in between would be joined, and the runs could not be counted.
QUIET = """import dagster as dg
from mesh_defs import domain_definitions


def quiet(whole):
    return dg.Definitions(assets=whole.assets, resources=whole.resources, executor=whole.executor)


defs = quiet(domain_definitions(__file__))
"""
DAYS = (
    "{property: grain, value: [day]}",
    "{property: partitions, value: {start: '2026-11-01', end: '2026-11-04'}}",
)
ONE = "SELECT 1 AS person_id, 'north' AS region"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`people`, `shop` that reads from it, and `broken`, which stopped importing after the catalog had been compiled.

    While the file `hold` lies in the mesh's root, `people.waits` goes on.
    """
    root = Path(tmp_path_factory.mktemp("stack")) / "mesh"
    people = {
        **contract("people.waits"),
        **python("waits", WAITS.format(name="waits", hold=str(root / "hold"))),
        **grants("people.waits", TO_SHOP),
        **contract("people.fails"),
        **sql("fails", "SELECT 1 AS person_id, CAST(NULL AS VARCHAR) AS region"),
        **contract("people.days", columns=(DAY, HITS), granularity="aggregate", quality=(NOT_EMPTY,), custom=DAYS),
        **sql("days", "SELECT $window_start AS day, 1 AS hits WHERE $window_start <> DATE '2026-11-03'"),
    }
    shop = {
        **derived("shop.after", columns=(PERSON,)),
        **sql("after", "SELECT person_id FROM people.waits"),
        **derived("shop.hurt", columns=(PERSON,)),
        **sql("hurt", "SELECT person_id FROM broken.thing"),
        "definitions.py": QUIET,
    }
    broken = {**contract("broken.thing"), **sql("thing", ONE), **grants("broken.thing", TO_SHOP)}
    settings = settings_of(root, {**two_domains(people=people, shop=shop), "broken": broken})
    open_mesh(settings)
    (root / "domains/broken/definitions.py").write_text("import nothing_like_this\n")
    with running(root) as stack:
        yield stack


@pytest.fixture(scope="session")
def stack_without_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A webserver alone: what it is asked to run stays queued."""
    root = Path(tmp_path_factory.mktemp("alone")) / "mesh"
    settings_of(root, {"people": {**contract("people.persons"), **sql("persons", ONE)}})
    with running(root, daemon=False) as stack:
        yield stack
