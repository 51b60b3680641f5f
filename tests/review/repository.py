"""A mesh in a real git repository, committed on main, and a change to it."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.scratch import make_mesh
from mesh_defs.review.plan import Plan, make_plan
from mesh_defs.review.text import as_text
from tests.factories import write
from tests.meshes import contract, derived, python, sql

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MESH = """format: 1
organisation: Northlight
purposes: {measurement: Counting., planning: Deciding., delivery: Showing ads.}
roles: {analyst: Measures., planner: Plans., steward: Answers.}
people:
  ada: {roles: [analyst], attributes: {region: [north]}}
  bob: {roles: [analyst], attributes: {region: [south]}}
  max: {roles: [planner]}
  grace: {roles: [steward]}
masks:
  restricted: {mask: null, unless: [delivery]}
identifiers: {person: A person's key.}
row_rules:
  - {name: consent, why: Asked first., granularity: audience, rows: {measurement: consented}}
governance:
  - {rule: described_columns, why: Somebody answers., mend: Name one.}
"""
PERSON = (
    "{name: person_id, logicalType: integer, primaryKey: true, classification: confidential,"
    " customProperties: [{property: identifies, value: person}, {property: token, value: person}]}"
)
COLUMNS = (
    PERSON,
    "{name: email, logicalType: string, classification: restricted}",
    "{name: region, logicalType: string, required: true}",
    "{name: consented, logicalType: boolean}",
)
ACCESS = """format: 1
product: people.persons
grants:
  - id: analysts
    roles: [analyst]
    purposes: [measurement]
    expires: 2027-12-31
    rows: region = ${principal.region}
    masks: {person_id: token}
  - {id: steward, principals: [grace], purposes: [planning], columns: [person_id, region]}
  - {id: shop, principals: ["service:shop"], purposes: [measurement]}
requestable:
  - {id: planners, roles: [planner], purposes: [planning], days_max: 30, columns: [region]}
tests:
  - name: analysts see their region
    as: {principal: ada, purpose: measurement}
    given:
      - {person_id: 1, email: a@example.org, region: north, consented: true}
      - {person_id: 2, email: b@example.org, region: south, consented: true}
      - {person_id: 3, email: c@example.org, region: north, consented: false}
    expect:
      - {person_id: {token: 1}, email: null, region: north, consented: true}
  - {name: planners do not, as: {principal: max, purpose: planning}, expect: denied}
"""
EXPECTS = """format: 1
product: people.persons
purpose: measurement
expectations:
  - {name: known_region, type: expect_column_values_to_not_be_null, kwargs: {column: region}}
"""
PEOPLE, SHOP = "domains/people/", "domains/shop/"
PERSONS, GRANTS = f"{PEOPLE}contracts/persons.odcs.yaml", f"{PEOPLE}access/persons.access.yaml"
REGION = "{name: region, logicalType: string, required: true}"
COUNT = "{name: persons, logicalType: integer, required: true}"
REGIONS = "SELECT region, count(*) AS persons FROM people.persons GROUP BY region"


def domains() -> dict[str, dict[str, str]]:
    """`people.persons`; `shop.regions`, made of it by SQL; `shop.sample`, by Python; `shop.top`, of regions."""
    people = {
        **contract("people.persons", columns=COLUMNS),
        **sql("persons", "SELECT 1 AS person_id, 'a' AS email, 'north' AS region, TRUE AS consented"),
        "access/persons.access.yaml": ACCESS,
    }
    shop = {
        **derived("shop.regions", grain="region", columns=(REGION, COUNT), granularity="aggregate"),
        **sql("regions", REGIONS),
        **derived("shop.top", grain="region", columns=(REGION,), granularity="aggregate"),
        **sql("top", "SELECT region FROM shop.regions"),
        **derived("shop.sample", grain="region", columns=(REGION,), granularity="aggregate"),
        **python("sample", '@data_product("people.persons")\ndef sample(persons):\n    raise RuntimeError'),
        "expects/persons.expects.yaml": EXPECTS,
    }
    return {"people": people, "shop": shop}


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A clone whose `root` holds a mesh."""

    folder: Path
    root: Path

    def git(self, *command: str) -> str:
        """Run git as somebody."""
        names = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**{n: v for n, v in os.environ.items() if not n.startswith("GIT_")}, **names}
        done = subprocess.run(
            ["git", *command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self) -> str:
        """Commit everything; its id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "x")
        return self.git("rev-parse", "HEAD")

    def put(self, path: str, text: str) -> None:
        """Write a file of the mesh."""
        write(self.root, path, text)

    def change(self, path: str, *changes: tuple[str, str]) -> None:
        """Replace words that stand once in a file."""
        text = (self.root / path).read_text()
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
            text = text.replace(old, new)
        self.put(path, text)

    def plan(self, base: str | None = None, *, now: datetime = NOW) -> Plan:
        """What the change does."""
        return make_plan(self.root, base, now=now)

    def text(self, base: str | None = None) -> str:
        """The same for a terminal, without what it was compared with."""
        first, _, *rest = as_text(self.plan(base)).splitlines()
        return "\n".join((first, *rest)) + "\n"


def a_repository(folder: Path, made: Mapping[str, Mapping[str, str]] | None = None, *, below: str = "") -> Repository:
    """A repository with the mesh committed on main; `below` is the folder of the mesh in it."""
    root = folder / below
    make_mesh(root, domains() if made is None else made)
    write(root, "mesh.yaml", MESH)
    repository = Repository(folder=folder, root=root)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.commit()
    return repository
