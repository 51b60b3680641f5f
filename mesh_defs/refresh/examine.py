"""What an operator wants to know of Dagster's instance: where it keeps its records, whether it answers, which daemons live."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from mesh_defs.refresh.instance import open_instance
from mesh_defs.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReport:
    """`storage` and `compute_logs` are kinds; `heartbeats` the seconds since each daemon that there must be was last seen."""

    storage: str
    compute_logs: str
    heartbeats: Mapping[str, float | None]


def examine_instance(settings: Settings) -> InstanceReport:
    """Open the instance and ask it. What its storage raises when it does not answer passes; it may name the host, no password."""
    with open_instance(settings) as instance:
        instance.get_runs(limit=1)
        return InstanceReport(
            storage=_kind(instance.run_storage),
            compute_logs=_kind(instance.compute_log_manager),
            heartbeats=_heartbeats(instance),
        )


def _heartbeats(instance: dg.DagsterInstance) -> dict[str, float | None]:
    seen = instance.get_daemon_heartbeats()
    now = time.time()
    return {kind: now - seen[kind].timestamp if kind in seen else None for kind in instance.get_required_daemon_types()}


def _kind(part: object) -> str:
    return type(part).__name__
