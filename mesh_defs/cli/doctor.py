"""`mesh doctor`: what is missing on this machine, and how to mend it."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path

import click

from mesh_defs.cli import doctor_running, doctor_stores
from mesh_defs.cli.examined import Examined
from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import print_json
from mesh_defs.errors import MeshError
from mesh_defs.settings import Settings, load_settings

DISK_BYTES_MIN = 2_000_000_000


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def doctor(as_json: bool) -> None:
    """Look at this machine, and at the stores and processes that it can reach. Exits 1 when something needs mending."""
    examined = list(_examine())
    if as_json:
        print_json([{"name": e.name, "found": e.found, "ok": not e.fix, "fix": e.fix} for e in examined])
    for each in () if as_json else examined:
        mend = f" — {each.fix}" if each.fix else ""
        sys.stdout.write(f"{'✗' if each.fix else '✓'} {each.name:<22} {each.found}{mend}\n")
    if any(each.fix for each in examined):
        raise click.exceptions.Exit(FINDINGS)


def _examine() -> Iterator[Examined]:
    yield _python()
    yield from map(_package, ("dagster", "dagster_webserver", "duckdb", "pyarrow", "great_expectations"))
    yield _duckdb()
    yield from map(_demo_data, ("bokeh_sampledata", "lifetimes"))
    try:
        settings = load_settings()
    except MeshError as error:
        yield Examined(name="mesh", found=error.what, fix=error.fix)
        return
    yield Examined(name="mesh", found=str(settings.root))
    one: tuple[Callable[[Settings], Examined], ...] = (_state, _disk, _catalog, _ledger)
    declared = (doctor_stores.retention, doctor_stores.stores, doctor_stores.clocks)
    machine = (doctor_stores.locks, doctor_stores.secrets, doctor_running.workers, doctor_running.interpreters)
    dagster = (doctor_running.instance, doctor_running.running)
    for check in (*map(_alone, one), *machine, *(declared if settings.snapshot_file.exists() else ()), *dagster):
        yield from _safely(check, settings)


def _alone(check: Callable[[Settings], Examined]) -> Callable[[Settings], Iterator[Examined]]:
    @wraps(check)
    def checks(settings: Settings) -> Iterator[Examined]:
        yield check(settings)

    return checks


def _safely(checks: Callable[[Settings], Iterator[Examined]], settings: Settings) -> Iterator[Examined]:
    """One thing that cannot be looked at hides no other."""
    try:
        yield from checks(settings)
    except MeshError as error:
        yield Examined(name=checks.__name__.strip("_"), found=error.what, fix=error.fix or "see the message")


def _python() -> Examined:
    version = ".".join(map(str, sys.version_info[:3]))
    right = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Examined(name="python", found=version, fix="" if right else "use Python 3.11, 3.12 or 3.13")


def _package(name: str) -> Examined:
    there = importlib.util.find_spec(name) is not None
    return Examined(name=name, found="installed" if there else "missing", fix="" if there else "run `make setup`")


def _demo_data(name: str) -> Examined:
    there = importlib.util.find_spec(name) is not None
    fix = "" if there else "run `make setup`; only the demo's domains need it"
    return Examined(name=name, found="installed" if there else "missing", fix=fix)


def _duckdb() -> Examined:
    import duckdb

    from mesh_defs.storage.extensions import extension_file

    found = [name for name in ("httpfs", "postgres", "delta") if extension_file(name)]
    told = f"{duckdb.__version__}, extensions from wheels: {', '.join(found) or 'none'}"
    return Examined(name="duckdb", found=told, fix="" if duckdb.__version__ == "1.5.5" else "install duckdb==1.5.5")


def _state(settings: Settings) -> Examined:
    """The state folder must be ours to write, on a file system that can lock."""
    nearest_folder = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    writable = os.access(nearest_folder, os.W_OK)
    return Examined(name="state", found=str(settings.home), fix="" if writable else f"make {nearest_folder} writable")


def _disk(settings: Settings) -> Examined:
    folder: Path = settings.home if settings.home.exists() else settings.root
    free = shutil.disk_usage(folder).free
    fix = "" if free > DISK_BYTES_MIN else "free some disk: versions are kept for the retention of mesh.yaml"
    return Examined(name="disk", found=f"{free / 1e9:.1f} GB free", fix=fix)


def _catalog(settings: Settings) -> Examined:
    from mesh_defs.documents.snapshot import load_snapshot

    snapshot = load_snapshot(settings.snapshot_file)
    if snapshot is None:
        return Examined(name="catalog", found="not built yet", fix="run `mesh refresh --catalog`")
    broken = [section.location for section in snapshot.sections if section.error]
    told = f"generation {snapshot.generation}, {sum(len(s.products) for s in snapshot.sections)} products"
    fix = f"{', '.join(broken)} did not load: run `mesh validate`" if broken else ""
    return Examined(name="catalog", found=told, fix=fix)


def _ledger(settings: Settings) -> Examined:
    from mesh_defs.ledger.audit import verify

    told = verify(settings)
    if told.findings:
        first = told.findings[0]
        return Examined(name="ledger", found=f"{first.where}: {first.what}", fix=first.fix)
    if not told.entries:
        return Examined(name="ledger", found="empty: nothing was asked yet")
    return Examined(name="ledger", found=f"{told.entries:,} entries, the chain holds")
