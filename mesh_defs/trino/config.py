"""The folder that a Trino is configured by, as text: its nodes, limits, catalogs, and who it asks what may be read.

Everything comes from the contracts, the standards and where products are served from. Holds no secret: what is one is
named as `${ENV:NAME}`, and `Config.secrets` says what the variable must be. Pure, but for reading where products are.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mesh_defs.errors import StorageError
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.query.mesh import served_from
from mesh_defs.settings import Settings
from mesh_defs.storage.reach import Catalog, Reached, reach
from mesh_defs.trino.rights import DOOR

HEADER = "# Written by `mesh trino config`: change contracts or mesh.yaml, and run it again."
# Trino keeps 0.3 of the heap for what it does not account for; a query may have what is left, and a little for others.
_QUERY_PART_OF_HEAP = 0.6
# Past these, a query waits; past ten times as many, it is refused.
_RUNNING_MAX, _RUNNING_OF_ONE_MAX = 20, 5
# What no selector knows is refused: EXPLAIN tells of rules and of hidden rows. The door has its own use for it. EXPLAIN ANALYZE
# passes, as the SELECT in it: the policy server refuses it.
_ANSWERED = ("SELECT", "DESCRIBE")
_JVM = """
-XX:+ExitOnOutOfMemoryError
-XX:+ExplicitGCInvokesConcurrent
-XX:-OmitStackTraceInFastThrow
-XX:ReservedCodeCacheSize=256M
-XX:+EnableDynamicAgentLoading
-Djdk.attach.allowAttachSelf=true
-Djdk.nio.maxCachedBufferSize=2000000
-Dfile.encoding=UTF-8
-Duser.timezone=UTC
--enable-native-access=ALL-UNNAMED
--sun-misc-unsafe-memory-access=allow
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What the mesh does not know of the Trino: the coordinator's URL, the policy server's, the heap of a node."""

    discovery_url: str = "http://127.0.0.1:8080"
    policy_url: str = "http://127.0.0.1:8181"
    heap_megabytes: int = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """`files` by path in the folder; each product is in `reached` or, with the reason, in `refused`."""

    files: Mapping[str, str]
    reached: tuple[Reached, ...]
    refused: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)


def config_of(mesh: Mesh, settings: Settings, sizing: Sizing) -> Config:
    """Return the folder for all products that a Trino can reach, by the stores that readers are given."""
    found: list[Reached] = []
    refused: dict[str, str] = {}
    for product in mesh.products.values():
        try:
            found.append(reached(product, mesh, settings))
        except StorageError as error:
            refused[product.name] = f"{error.what} — {error.fix}"
    catalogs = _catalogs(found)
    files = {
        **_nodes(mesh, sizing, settings.trino_user),
        **{f"etc/catalog/{each.name}.properties": _properties(each.properties) for each in catalogs},
    }
    secrets = {name: value for each in catalogs for name, value in each.secrets.items()}
    return Config(files=files, reached=tuple(found), refused=refused, secrets=secrets)


def reached(product: DataProduct, mesh: Mesh, settings: Settings) -> Reached:
    """Return where Trino finds a product, by the store that its readers are given. StorageError when it does not."""
    access = settings.access(product.contract.domain, product.storage, write=False)
    server = served_from(product.contract, settings).server
    return reach(product.contract, server, access, seconds_max=mesh.standards.query_seconds_max)


def _catalogs(reached: Iterable[Reached]) -> tuple[Catalog, ...]:
    found = {each.catalog.name: each.catalog for each in sorted(reached, key=lambda each: each.product)}
    return tuple(found[name] for name in sorted(found))


def _nodes(mesh: Mesh, sizing: Sizing, door: str) -> dict[str, str]:
    memory, seconds = mesh.standards.query_memory_bytes_max, f"{mesh.standards.query_seconds_max:.0f}s"
    on_a_node = min(memory, int(sizing.heap_megabytes * 2**20 * _QUERY_PART_OF_HEAP))
    both = {
        "http-server.http.port": str(_port(sizing.discovery_url)),
        "discovery.uri": sizing.discovery_url,
        "query.max-memory-per-node": f"{on_a_node}B",
    }
    coordinator = {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "false",
        **both,
        "query.max-memory": f"{memory}B",
        "query.max-execution-time": seconds,
        "query.max-run-time": f"{2 * mesh.standards.query_seconds_max:.0f}s",
        "sql.forced-session-time-zone": "UTC",
        # As the door does: `SELECT *` shows what may be seen, and does not fail for the rest.
        "hide-inaccessible-columns": "true",
        # It shows everybody the plans of their queries, with the rules in them.
        "web-ui.enabled": "false",
    }
    policy = {
        "access-control.name": "opa",
        "opa.policy.uri": f"{sizing.policy_url}/allow",
        "opa.policy.batched-uri": f"{sizing.policy_url}/batch",
        "opa.policy.row-filters-uri": f"{sizing.policy_url}/row-filters",
        "opa.policy.batch-column-masking-uri": f"{sizing.policy_url}/column-masks",
    }
    return {
        "etc/jvm.config": f"-Xmx{sizing.heap_megabytes}M{_JVM}",
        "etc/config.properties": _properties(coordinator),
        "etc/worker.properties": _properties({"coordinator": "false", **both}),
        "etc/access-control.properties": _properties(policy),
        "etc/resource-groups.properties": _properties(
            {
                "resource-groups.configuration-manager": "file",
                "resource-groups.config-file": "etc/resource-groups.json",
            }
        ),
        "etc/resource-groups.json": _json(_groups(door)),
    }


def _groups(door: str) -> object:
    one = {
        "name": "${USER}",
        "softMemoryLimit": "50%",
        "hardConcurrencyLimit": _RUNNING_OF_ONE_MAX,
        "maxQueued": 10 * _RUNNING_OF_ONE_MAX,
    }
    whole = {
        "name": "mesh",
        "softMemoryLimit": "80%",
        "hardConcurrencyLimit": _RUNNING_MAX,
        "maxQueued": 10 * _RUNNING_MAX,
        "schedulingPolicy": "fair",
        "subGroups": [one],
    }
    # A name that only begins like the door's is denied by the policy server, whatever it asks.
    answered = [{"user": f"{re.escape(door)}|{DOOR}.*"}, *({"queryType": kind} for kind in _ANSWERED)]
    return {"rootGroups": [whole], "selectors": [{**each, "group": "mesh.${USER}"} for each in answered]}


def _port(url: str) -> int:
    told = urlsplit(url)
    return told.port or (443 if told.scheme == "https" else 80)


def _properties(told: Mapping[str, str]) -> str:
    """Java's format, which knows no letters beyond Latin-1 and reads a backslash as an escape."""
    lines = (f"{name}={_escaped(value)}" for name, value in told.items())
    return "\n".join((HEADER, *lines)) + "\n"


def _escaped(value: str) -> str:
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)


def _json(body: object) -> str:
    return json.dumps(body, indent=2) + "\n"
