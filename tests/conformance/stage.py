"""One mesh, its products in each storage that both engines read, and three ways to ask it."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from psycopg.conninfo import conninfo_to_dict
from trino.exceptions import Error as TrinoError

from mesh_defs.errors import MeshError
from mesh_defs.model.query import EngineName, QueryRequest
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.query.run import run_query
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.config import Sizing, config_of
from mesh_defs.trino.server import Machine
from tests.conformance.shapes import PURPOSES, Shape, odd_shapes, shapes
from tests.conformance.values import KINDS, ODD, Kind, select
from tests.meshes import contract, refresh, settings_of, sql
from tests.servers import new_database
from tests.trino_server import Asking, Trino, asking, catalogs, watched

STORAGES = {"pond": "iceberg", "shelf": "postgres"}
KEY = (
    "{name: row_id, logicalType: integer, primaryKey: true, customProperties: [{property: identifies, value: person}]}"
)
ALWAYS = ("whole", "seven", "hidden-tokens", "odd-whole")
TOKENS = {"u": "person", "k": "person"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Columns (name -> DuckDB type, where it is known) and rows; or why there is none."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The door on both engines, and a Trino that enforces by itself."""

    platform: Platform
    native: Asking
    shapes: Sequence[Shape]
    places: Mapping[str, str]

    def door(self, text: str, who: str, purpose: str, engine: EngineName) -> Answer:
        request = QueryRequest(sql=text, principal=who, purpose=purpose, engine=engine)
        try:
            with run_query(request, self.platform) as answer:
                table = answer.table()
        except MeshError as error:
            return Answer(refused=f"{error.code}: {error.what}")
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return Answer(columns=tuple(table.schema.names), rows=rows)

    def client(self, text: str, who: str, purpose: str) -> Answer:
        """Ask as Trino's own client does: the same text, the product under its name there."""
        for product, place in self.places.items():
            text = text.replace(product, place)
        try:
            columns, rows = self.native.trino.table(text, f"{who}+{purpose}")
        except TrinoError as error:
            return Answer(refused=getattr(error, "message", None) or str(error))
        return Answer(columns=tuple(columns), rows=rows)


@contextmanager
def staged(
    folder: Path,
    machine: Machine,
    door: Trino,
    postgres: str,
    *,
    seed: int,
    rows: int,
    drawn: int,
    sample: int | None = None,
) -> Iterator[Stage]:
    """Publish, and start what is asked; `drawn` shapes besides those that are always there, of all of which only a `sample`
    is kept. Takes 30 s and more."""
    dice = random.Random(seed)
    made = [*shapes(dice, drawn), *odd_shapes()]
    if sample is not None:
        others = [each for each in made if each.id not in ALWAYS]
        made = [*(each for each in made if each.id in ALWAYS), *dice.sample(others, sample)]
    selects = {"edges": select(KINDS, rows, dice), "odd": select(ODD, 12, dice)}
    with ExitStack() as stack:
        domains = {domain: _domain(domain, storage, made, selects) for domain, storage in STORAGES.items()}
        settings = settings_of(folder / "mesh", domains)
        (settings.root / "mesh.yaml").write_text(_standards(made))
        settings.secrets.mkdir(parents=True, exist_ok=True)
        for domain in STORAGES:
            told = conninfo_to_dict(stack.enter_context(new_database(postgres)))
            url = f"postgresql://{told['user']}@{told['host']}:{told['port']}/{told['dbname']}"
            (settings.secrets / f"{domain}.env").write_text(f"MESH_{domain.upper()}_POSTGRES={url}\n")
        settings = load_settings({"MESH_ROOT": str(settings.root), "MESH_TRINO_URL": door.url})
        errors = [each.error for each in open_mesh(settings).snapshot.sections if each.error]
        assert errors == []
        outcomes = refresh(settings)
        assert {each.state for each in outcomes.values()} == {"published"}, outcomes
        platform = open_platform(settings)
        stack.callback(platform.engine.close)
        stack.enter_context(catalogs(door, settings))
        native = stack.enter_context(asking(settings, machine, folder / "out"))
        stack.enter_context(watched(native))
        yield Stage(platform=platform, native=native, shapes=made, places=_places(platform, settings))


def _places(platform: Platform, settings: Settings) -> dict[str, str]:
    reached = config_of(platform.mesh, settings, Sizing()).reached
    return {each.product: f"{each.catalog.name}.{each.schema}.{each.table}" for each in reached}


def _domain(domain: str, storage: str, made: Sequence[Shape], selects: Mapping[str, str]) -> dict[str, str]:
    files: dict[str, str] = {}
    for name, kinds in (("edges", KINDS), ("odd", ODD)):
        product = f"{domain}.{name}"
        columns = (KEY, *(_column(column, kind) for column, kind in kinds.items()))
        granularity = "audience" if kinds is KINDS else "aggregate"
        files |= contract(product, columns=columns, storage=storage, granularity=granularity)
        files |= sql(name, selects[name])
        grants = [_grant(shape) for shape in made if shape.kinds is kinds]
        access = {"format": 1, "product": product, "grants": grants}
        files[f"access/{name}.access.yaml"] = yaml.safe_dump(access, allow_unicode=True)
    return files


def _column(name: str, kind: Kind) -> str:
    told: dict[str, Any] = {"name": name, "logicalType": kind.logical, "physicalType": kind.type}
    if name in TOKENS:
        told["customProperties"] = [{"property": "token", "value": TOKENS[name]}]
    return json.dumps(told)


def _grant(shape: Shape) -> dict[str, Any]:
    return {"id": shape.id, "principals": list(shape.people), "purposes": ["measurement"], **shape.grant}


def _standards(made: Sequence[Shape]) -> str:
    people = {
        name: {"attributes": {k: list(v) for k, v in told.items()}}
        for shape in made
        for name, told in shape.people.items()
    }
    return yaml.safe_dump(
        {
            "format": 1,
            "organisation": "Conformance",
            "purposes": {
                "measurement": "Measuring.",
                "reach": {"meaning": "Reaching.", "within": "measurement"},
                "other": "No.",
            },
            "roles": {"reader": "Reads."},
            "people": {"ada": {}, **people},
            "identifiers": {"person": "Made up."},
            "row_rules": [
                {
                    "name": "consent",
                    "why": "They agreed.",
                    "granularity": "audience",
                    "rows": {PURPOSES[1]: "consent IS TRUE"},
                }
            ],
        },
        allow_unicode=True,
    )
