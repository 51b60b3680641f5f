"""Compiles the snapshot: `python -m mesh_defs.catalog.build [--everything]`. Each location is loaded in a process of its own.

A forked child, or with `--location NAME` the location's own interpreter; neither is given a secret. A location that fails
to load keeps its last known good declarations, marked with the error, and harms no other.
"""

import multiprocessing
import os
import subprocess
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
from mesh_defs.processes.apart import forget_secrets, loading_environment
from mesh_defs.processes.interpreter import interpreter_of
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
        loaded = {each.name: _load_apart(each, known.get(each.name), settings) for each in stale}
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


def _load_apart(location: Location, last_good: Section | None, settings: Settings) -> Section:
    """Whatever the domain's code does on import, it does to a process of its own."""
    load = _in_fork if location.executable is None else _by_own_interpreter
    answer, ending = load(location, settings)
    if answer[:1] == b"+":
        try:
            return parse_section(answer[1:])
        except ValueError:
            ending = "its interpreter has another version of the platform: install this one there"
    told = answer[1:].decode(errors="replace") if answer[:1] == b"-" else ending
    return _kept(location, last_good, told, settings.root)


def _in_fork(location: Location, settings: Settings) -> tuple[bytes, str]:
    """Return the child's answer, and how it ended for the case that it gave none."""
    here, there = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_child, args=(location, settings, there))
    child.start()
    there.close()
    try:
        answer = here.recv_bytes() if here.poll(LOAD_SECONDS_MAX) else b""
    except EOFError:
        answer = b""
    if not answer:
        child.kill()
    child.join()
    return answer, _ended(child.exitcode)


def _child(location: Location, settings: Settings, pipe: Connection) -> None:
    forget_secrets(settings)
    pipe.send_bytes(_answer(location, settings))


def _by_own_interpreter(location: Location, settings: Settings) -> tuple[bytes, str]:
    try:
        command = [
            str(interpreter_of(location, settings.root)),
            "-m",
            "mesh_defs.catalog.build",
            "--location",
            location.name,
        ]
        done = subprocess.run(
            command, env=loading_environment(settings), capture_output=True, timeout=LOAD_SECONDS_MAX, check=False
        )
    except MeshError as error:
        return b"", str(error)
    except (OSError, subprocess.TimeoutExpired) as error:
        return b"", f"its interpreter {location.executable} did not load it: {type(error).__name__}"
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return done.stdout, "; ".join((_ended(done.returncode), *last))


def _ended(code: int | None) -> str:
    return f"loading ended without an answer (exit code {code})"


def _answer(location: Location, settings: Settings) -> bytes:
    """The section after a +, or why there is none after a -."""
    try:
        return b"+" + dump_section(load_section(location, root=settings.root, now=datetime.now(UTC)))
    except BaseException as error:  # noqa: BLE001  a domain's import may raise anything, SystemExit included
        return b"-" + _told(error).encode(errors="replace")


def _load_here(name: str, settings: Settings) -> None:
    """Answer on stdout, which nothing else can reach: what the domain prints while it loads goes to stderr."""
    location = next(each for each in read_workspace(settings.root) if each.name == name)
    answers = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(answers, "wb") as out:
        out.write(_answer(location, settings))


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, MeshError) else f"{type(error).__name__}: {error}"


def _kept(location: Location, last_good: Section | None, error: str, root: Path) -> Section:
    """The last known good declarations, under today's fingerprint so that they are not tried again until a file changes."""
    section = Section(
        location=location.name,
        domain=last_good.domain if last_good else None,
        products=last_good.products if last_good else (),
        access=last_good.access if last_good else (),
        fingerprint=location.fingerprint(root),
        hash="",
        loaded_at=last_good.loaded_at if last_good else datetime.now(UTC),
        error=error,
    )
    return with_hash(section)


def main() -> None:
    """Build, and say on stderr which locations did not load; or load one location for the builder that called."""
    settings = load_settings(loading_environment(load_settings()))
    if sys.argv[1:2] == ["--location"]:
        _load_here(sys.argv[2], settings)
        return
    snapshot = build(settings, everything="--everything" in sys.argv[1:])
    for section in snapshot.sections:
        if section.error:
            sys.stderr.write(f"{section.location}: {section.error}\n")


if __name__ == "__main__":
    main()
