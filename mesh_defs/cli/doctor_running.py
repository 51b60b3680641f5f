"""The part of `mesh doctor` that looks at what runs: interpreters, code servers, Dagster's instance, webserver and daemons."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator

from mesh_defs.cli.examined import Examined
from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.engine.confine import SCOPES_SINCE, TCP_SINCE, landlock
from mesh_defs.errors import MeshError
from mesh_defs.settings import Settings

HEARTBEAT_SECONDS_MAX = 120.0
_VERSION = "import importlib.metadata as m; print(m.version('dagster'), m.version('mesh-defs'))"


def interpreters(settings: Settings) -> Iterator[Examined]:
    """Each Python that is not the platform's: there, and with the same Dagster as the webserver that talks to it."""
    for location in read_workspace(settings.root):
        if location.executable:
            yield _interpreter(location, settings)


def workers(settings: Settings) -> Iterator[Examined]:
    """Whether the kernel confines the processes that run queries; without it DuckDB's own lock and the limits still hold."""
    name, version = "query workers", landlock()
    if version:
        gaps = [f"not {what}" for what, since in (("TCP", TCP_SINCE), ("signals", SCOPES_SINCE)) if version < since]
        told = f"confined to their files by Landlock {version}{''.join(f', {gap}' for gap in gaps)}"
        yield Examined(name=name, found=told)
        return
    fix = "let the kernel (Linux 5.13 or later) or the container allow Landlock" if sys.platform == "linux" else ""
    yield Examined(name=name, found="locked and limited, not confined: no Landlock here", fix=fix)


def instance(settings: Settings) -> Iterator[Examined]:
    """Where Dagster keeps its records, and whether they can be reached."""
    name = "dagster instance"
    if not (settings.dagster_home / "dagster.yaml").exists():
        yield Examined(name=name, found="not made yet", fix="run `make demo` or `make dev`")
        return
    from mesh_defs.refresh.examine import examine_instance

    try:
        report = examine_instance(settings)
    except Exception as error:  # noqa: BLE001  whatever a configured storage raises
        fix = f"see {settings.dagster_home}/dagster.yaml; is what it names reachable, and in the environment?"
        yield Examined(name=name, found=f"does not open: {type(error).__name__}", fix=fix)
        return
    local = "Sqlite" in report.storage or report.storage.startswith("Kept")
    yield Examined(name=name, found=f"{report.storage}{': one machine only' if local else ''}, {settings.dagster_home}")
    yield Examined(name="compute logs", found=report.compute_logs)
    if running_at(settings) or not local:
        yield from (_heartbeat(kind, age) for kind, age in report.heartbeats.items())


def running(settings: Settings) -> Iterator[Examined]:
    """What `mesh up` started here, and what the watchdog says of the webserver, wherever that is."""
    from mesh_defs.processes.programs import code_server_answers, read_ports, workspace_file

    url = running_at(settings)
    if url is None:
        yield Examined(name="mesh up", found="does not run here")
        return
    yield Examined(name="mesh up", found=url)
    for name, port in read_ports(workspace_file(settings)).items():
        well = code_server_answers(port)
        fix = "" if well else f"see {settings.home}/logs/{name}.log"
        yield Examined(name=f"code server {name}", found="answers" if well else "does not answer", fix=fix)
    yield from _watched(settings, url)


def running_at(settings: Settings) -> str | None:
    """URL of the webserver of the `mesh up` that runs on this state, if one does."""
    from mesh_defs.processes.machine import url_of_running

    return url_of_running(settings)


def _interpreter(location: Location, settings: Settings) -> Examined:
    from mesh_defs.processes.apart import loading_environment
    from mesh_defs.processes.interpreter import interpreter_of

    name = f"python of {location.name}"
    try:
        python = str(interpreter_of(location, settings.root))
        command = [python, "-c", _VERSION]
        done = subprocess.run(
            command, env=loading_environment(settings), capture_output=True, text=True, timeout=60, check=False
        )
    except MeshError as error:
        return Examined(name=name, found=error.what, fix=error.fix)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Examined(name=name, found=f"{location.executable}: {type(error).__name__}", fix="make it anew")
    if done.returncode:
        return Examined(name=name, found=f"{python} has no Dagster or no mesh-defs", fix="install mesh-defs there")
    theirs, ours = done.stdout.split()[0], importlib.metadata.version("dagster")
    fix = "" if theirs == ours else f"install dagster=={ours} there: webserver and code servers speak one version"
    return Examined(name=name, found=f"{python}, dagster {theirs}", fix=fix)


def _heartbeat(kind: str, age: float | None) -> Examined:
    well = age is not None and age <= HEARTBEAT_SECONDS_MAX
    told = "never seen" if age is None else f"seen {age:.0f} s ago"
    return Examined(
        name=f"daemon {kind.lower()}", found=told, fix="" if well else "start the daemon: `make dev`, or its unit"
    )


def _watched(settings: Settings, url: str) -> Iterator[Examined]:
    from dataclasses import replace

    from mesh_defs.refresh.watchdog import watch

    findings = watch(replace(settings, dagster_url=url))
    for finding in findings:
        yield Examined(name=finding.where, found=finding.what, fix=finding.fix)
    if not findings:
        yield Examined(name="watchdog", found="everything that should fire does")
