"""The demo's clean room between organisations: a mesh of its own for each party and for whoever adds up, as real processes.

Each mesh is a folder with its own standards, key, ledger and catalog, and is told of its own domain's storage only: what
`make demo` published stays where it is, and is read there.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import yaml

from demo.room import agreement_text
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.errors import UnreachableError
from mesh_defs.model.mesh import Mesh
from mesh_defs.settings import Settings

NORTHLIGHT, CADENCE, NEUTRAL, ROOM = "northlight", "cadence", "neutral", "spring"
START_SECONDS_MAX = 120.0
_CADENCE_STANDARDS = """format: 1
organisation: Cadence Records
purposes: {collaboration: "Questions that are asked together with a partner, in a clean room, answered in aggregates."}
roles: {analyst: Counts what was sold.}
people: {rosa: {title: Data officer}}
"""
_NEUTRAL_STANDARDS = "format: 1\norganisation: Whom both trust to add up\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """One organisation's mesh. `reads`: its domain and as whom it reads for the room; None for who only adds up."""

    name: str
    root: Path
    standards: str
    domain: str | None = None
    principal: str | None = None
    storage: Path | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process of this organisation is told: where its own things are, and nothing of the others'."""
        told = {"MESH_ROOT": str(self.root), "HOME": str(self.root)}
        return {**told, f"MESH_{self.domain.upper()}_STORAGE": str(self.storage)} if self.domain else told

    @property
    def room(self) -> RoomFolder:
        """Its copy of the room's files."""
        return RoomFolder(self.root / "rooms" / ROOM)

    def command(self, port: int) -> Sequence[str]:
        """What starts its process of the room."""
        return ("room", "party" if self.principal else "join", ROOM, "--port", str(port))


def partners_of(settings: Settings, mesh: Mesh, folder: Path) -> Mapping[str, Partner]:
    """The three of the demo's room, whose products this mesh made; writes nothing."""

    def party(name: str, domain: str, principal: str, standards: str) -> Partner:
        storage = settings.storage_root(domain, mesh.domains[domain].storage)
        return Partner(
            name=name,
            root=folder / name,
            standards=standards,
            domain=domain,
            principal=principal,
            storage=storage,
        )

    standards = (settings.root / "mesh.yaml").read_text(encoding="utf-8")
    return {
        NORTHLIGHT: party(NORTHLIGHT, "events", "clean-room", standards),
        CADENCE: party(CADENCE, "retailer", "service:retailer", _CADENCE_STANDARDS),
        NEUTRAL: Partner(name=NEUTRAL, root=folder / NEUTRAL, standards=_NEUTRAL_STANDARDS),
    }


def write(partner: Partner, domains: Path) -> None:
    """Write its mesh anew: standards, and its own domain's files out of `domains`."""
    shutil.rmtree(partner.root, ignore_errors=True)
    partner.root.mkdir(parents=True)
    (partner.root / "mesh.yaml").write_text(partner.standards, encoding="utf-8")
    if partner.domain is None:
        return
    own = f"domains/{partner.domain}"
    shutil.copytree(domains / partner.domain, partner.root / own, ignore=shutil.ignore_patterns("__pycache__"))
    location = {"relative_path": f"{own}/definitions.py", "location_name": partner.domain}
    (partner.root / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"python_file": location}]}))


def agree(partners: Mapping[str, Partner], keys: Mapping[str, str], urls: Mapping[str, str]) -> None:
    """Put the same unsigned agreement into all three meshes, and each party's seat into its own."""
    agreed = yaml.safe_load(agreement_text(keys))
    for each in (*agreed["parties"], agreed["joins"]):
        each["url"] = urls[each["name"]]
    for partner in partners.values():
        partner.room.path.mkdir(parents=True)
        (partner.room.path / "agreement.yaml").write_text(yaml.safe_dump(agreed, sort_keys=False), encoding="utf-8")
        if partner.principal:
            seat = {partner.name: {"principal": partner.principal, "purpose": "collaboration"}}
            (partner.room.path / "seats.yaml").write_text(yaml.safe_dump({"format": 1, "seats": seat}))


def send(partner: Partner, name: str, others: Mapping[str, Partner]) -> None:
    """Give the others a file of the room, as people would by mail or by a repository."""
    for each in others.values():
        if each != partner:
            file = each.room.path / name
            file.parent.mkdir(exist_ok=True)
            shutil.copyfile(partner.room.path / name, file)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """A process's: of ours only where programs and our code are."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[1]), **own}


@contextmanager
def process(
    command: Sequence[str], own: Mapping[str, str], port: int, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start one process of a room and wait until it listens; end it at the end. UnreachableError when it does not come up."""
    with log.open("wb") if log else nullcontext() as told:
        started = subprocess.Popen(
            [sys.executable, "-m", "mesh_defs.cli.main", *command], env=environment(own), stderr=told
        )
    try:
        _wait_for(port, lambda: started.poll() is None, log)
        yield started
    finally:
        started.terminate()
        started.wait(30)


def _wait_for(port: int, lives: Callable[[], bool], log: Path | None) -> None:
    until = time.monotonic() + START_SECONDS_MAX
    while lives() and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    said = log.read_text(encoding="utf-8").strip() if log else "it says why above"
    raise UnreachableError(f"a process of the room did not start: {said or 'it said nothing'}", where=f"port {port}")
