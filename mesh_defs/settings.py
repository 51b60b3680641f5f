"""The only reader of the environment. Everything else takes a `Settings` as an argument.

MESH_ROOT               folder that holds mesh.yaml             default: found by walking up
MESH_HOME               state: snapshot, ledger, storage        default: <root>/.mesh
MESH_ENV                which of a contract's servers is meant  default: local
MESH_PRINCIPAL          who asks, when a command does not say   default: nobody
MESH_PURPOSE            what for, when a command does not say   default: none
MESH_<DOMAIN>_STORAGE   a domain's storage root                 default: <home>/<domain.yaml's storage>
MESH_<DOMAIN>_WAREHOUSE a domain's private DuckDB file          default: in memory
DAGSTER_HOME            Dagster's instance                      default: <home>/dagster

A relative path is meant from the root, wherever a command runs; an empty value counts as none.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from mesh_defs.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the mesh and its state lie, and who asks by default."""

    root: Path
    home: Path
    environment: str = "local"
    principal: str | None = None
    purpose: str | None = None
    dagster_home: Path
    overrides: Mapping[str, str] = field(default_factory=dict)

    def storage_root(self, domain: str, place: str) -> Path:
        """Return the folder under which a domain keeps its products; `place` is what its domain.yaml says."""
        override = self.overrides.get(storage_variable(domain))
        return _path(self.root, override) if override else self.home / place

    @property
    def snapshot_file(self) -> Path:
        """The compiled catalog that the door binds against."""
        return self.home / "catalog" / "snapshot.json"

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return f"sqlite:///{quote(str(self.home / 'ledger.sqlite'))}"


def storage_variable(domain: str) -> str:
    """Name of the environment variable that moves a domain's storage root."""
    return f"MESH_{domain.upper()}_STORAGE"


def warehouse_variable(domain: str) -> str:
    """Name of the environment variable that gives a domain a private DuckDB file to work in."""
    return f"MESH_{domain.upper()}_WAREHOUSE"


def load_settings(environ: Mapping[str, str] | None = None, *, start: Path | None = None) -> Settings:
    """Read the settings; `start` is where the search for mesh.yaml begins. Raises NotFoundError outside a mesh."""
    given = {name: value for name, value in (os.environ if environ is None else environ).items() if value}
    root = _given_root(given["MESH_ROOT"]) if "MESH_ROOT" in given else find_root(start or Path.cwd())
    home = _path(root, given.get("MESH_HOME", ".mesh"))
    return Settings(
        root=root,
        home=home,
        environment=given.get("MESH_ENV", "local"),
        principal=given.get("MESH_PRINCIPAL"),
        purpose=given.get("MESH_PURPOSE"),
        dagster_home=_path(root, given["DAGSTER_HOME"]) if "DAGSTER_HOME" in given else home / "dagster",
        overrides={name: value for name, value in given.items() if name.startswith("MESH_")},
    )


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that holds a mesh.yaml."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "mesh.yaml").is_file():
            return folder
    raise NotFoundError(
        f"no mesh.yaml at or above {start}", fix="run this inside a mesh, or set MESH_ROOT to the folder that holds one"
    )


def _given_root(text: str) -> Path:
    root = Path(os.path.expanduser(text)).resolve()  # noqa: PTH111  Path.expanduser raises for an unknown ~user
    if not (root / "mesh.yaml").is_file():
        raise NotFoundError(f"MESH_ROOT is {root}, which holds no mesh.yaml", fix="set it to the folder that holds one")
    return root


def _path(root: Path, text: str) -> Path:
    return (root / os.path.expanduser(text)).resolve()  # noqa: PTH111
