"""Compiles the snapshot: `python -m mesh_defs.catalog.build [--everything]`. One forked child loads each location.

A location that fails to load keeps its last known good declarations, marked with the error, and harms no other.
"""

import multiprocessing
import sys
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import dagster  # noqa: F401  imported before the forks, so that it is paid for once

from mesh_defs.catalog.loader import load_section, with_hash
from mesh_defs.documents.snapshot import dump_section, load_snapshot, parse_section, store_snapshot, writing
from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.errors import MeshError, StorageError
from mesh_defs.model.mesh import Section, Snapshot
from mesh_defs.settings import Settings, load_settings

LOAD_SECONDS_MAX = 120.0


def build(settings: Settings, *, everything: bool = False) -> Snapshot:
    """Load the locations whose files changed since the last build, or all of them; write the next generation.

    Concurrent builders wait for one another; the later ones find nothing left to do and return what is there.
    """
    file = settings.snapshot_file
    with writing(file):
        before = _previous(file)
        known = {section.location: section for section in before.sections} if before else {}
        locations = [location for location in read_workspace(settings.root) if location.is_domain]
        stale = [each for each in locations if everything or _is_stale(each, known, settings.root)]
        same_places = before is not None and list(known) == [location.name for location in locations]
        if before is not None and same_places and not stale:
            return before
        loaded = {each.name: _load_apart(each, known.get(each.name), settings.root) for each in stale}
        sections = tuple(loaded.get(each.name) or known[each.name] for each in locations)
        return store_snapshot(file, sections, previous=before.generation if before else 0)


def _is_stale(location: Location, known: dict[str, Section], root: Path) -> bool:
    section = known.get(location.name)
    return section is None or section.fingerprint != location.fingerprint(root)


def _previous(file: Path) -> Snapshot | None:
    """A snapshot that cannot be read is replaced by one of a later generation than any that was seen."""
    try:
        return load_snapshot(file)
    except StorageError:
        return None


def _load_apart(location: Location, last_good: Section | None, root: Path) -> Section:
    """Load in a forked child: whatever the domain's code does on import, it does it to itself."""
    here, there = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_child, args=(location, root, there))
    child.start()
    there.close()
    try:
        answer = here.recv_bytes() if here.poll(LOAD_SECONDS_MAX) else None
    except EOFError:
        answer = None
    if answer is None:
        child.kill()
    child.join()
    if answer is not None and answer[:1] == b"+":
        return parse_section(answer[1:])
    told = answer[1:].decode() if answer else f"loading ended without an answer (exit code {child.exitcode})"
    return _kept(location, last_good, told, root)


def _child(location: Location, root: Path, pipe: Connection) -> None:
    try:
        section = load_section(location, root=root, now=datetime.now(UTC))
        pipe.send_bytes(b"+" + dump_section(section))
    except BaseException as error:  # noqa: BLE001  a domain's import may raise anything, SystemExit included
        pipe.send_bytes(b"-" + _told(error).encode())


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, MeshError) else f"{type(error).__name__}: {error}"


def _kept(location: Location, last_good: Section | None, error: str, root: Path) -> Section:
    """The last known good declarations, under today's fingerprint so that they are not tried again until a file changes."""
    section = Section(
        location=location.name,
        domain=last_good.domain if last_good else None,
        products=last_good.products if last_good else (),
        grants=last_good.grants if last_good else (),
        fingerprint=location.fingerprint(root),
        hash="",
        loaded_at=last_good.loaded_at if last_good else datetime.now(UTC),
        error=error,
    )
    return with_hash(section)


def main() -> None:
    """Build and say on stderr which locations did not load."""
    snapshot = build(load_settings(), everything="--everything" in sys.argv[1:])
    for section in snapshot.sections:
        if section.error:
            sys.stderr.write(f"{section.location}: {section.error}\n")


if __name__ == "__main__":
    main()
