"""What a version keeps of each of its partitions, so that the whole can be judged and watched without reading it again.

`stamp["states"]` says, by the candidate that a part was staged for, the state of that part's rows. A part never changes, so
neither does its state; one that a race between two publications left out is absent, never wrong, and leaves the whole
undecided. Only of partitioned products: the audit of any other has judged the whole. Costs one scan of the new partition, a
tenth of its staging and auditing (`quality_checks.state_scan`).

Absent on purpose: sketches, which take kilobytes and seconds; every value of a column that is confidential, restricted, or
names a person or a device.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import duckdb

from mesh_defs.model.contract import Contract
from mesh_defs.model.version import Candidate, Part, Version
from mesh_defs.storage.base import Storage
from mesh_defs.storage.partitions import staged_for
from quality_checks import QualityError, Result, TableState, merged, read_state, state_document, state_of, verdicts

# Every read of the pointer reads them: about 1 kB for ten columns, so some 250 partitions. The oldest are left out.
STATES_BYTES_MAX = 256 * 1024
_WITHHELD = ("confidential", "restricted")


def kept_states(
    connection: duckdb.DuckDBPyConnection,
    storage: Storage,
    candidate: Candidate,
    contract: Contract,
    current: Version | None,
) -> dict[str, Any]:
    """Return `states` for the stamp under which the candidate is about to be published; nothing for a whole product."""
    if candidate.partition is None:
        return {}
    states: dict[str, Any] = {}
    with suppress(QualityError):  # a state is a convenience: what cannot be computed is absent
        states[candidate.id] = _document(_of_part(connection, storage, candidate.parts), contract)
    staying = [part for part in current.parts if part.partition != candidate.partition] if current else []
    known = current.stamp.get("states", {}) if current else {}
    newest_first = sorted(staying, key=lambda part: part.partition or "", reverse=True)
    states |= {id: known[id] for part in newest_first if (id := staged_for(part)) in known}
    return {"states": _bounded(states)} if states else {}


def verdicts_on_whole(version: Version, contract: Contract) -> list[Result] | None:
    """Judge the whole version by its contract without reading a row; None when a part's state was not kept.

    A result with an `error` is one that states cannot decide.
    """
    states = [_kept(version, part) for part in version.parts]
    known = [state for state in states if state is not None]
    try:
        return verdicts(merged(known), contract.expectations) if known and len(known) == len(states) else None
    except QualityError:  # parts of other columns
        return None


def _of_part(connection: duckdb.DuckDBPyConnection, storage: Storage, parts: Sequence[Part]) -> TableState:
    relation = storage.relation(connection, parts)
    try:
        return state_of(connection, relation, through=storage.remote(connection, parts))
    finally:
        storage.release(connection, parts)


def _kept(version: Version, part: Part) -> TableState | None:
    """Return what is kept of a part, when that can be believed."""
    document = version.stamp.get("states", {}).get(staged_for(part))
    try:
        state = read_state(document)
    except QualityError:
        return None
    return state if state.rows == part.rows and list(state.columns) == list(version.columns) else None


def _document(state: TableState, contract: Contract) -> dict[str, Any]:
    silent = {column.name for column in contract.columns if column.identifies or column.classification in _WITHHELD}
    columns = {
        name: replace(column, low=None, high=None, total=None, squares=None) if name in silent else column
        for name, column in state.columns.items()
    }
    return state_document(replace(state, columns=columns))


def _bounded(states: Mapping[str, Any]) -> dict[str, Any]:
    """The first of them, as many as fit."""
    kept: dict[str, Any] = {}
    left = STATES_BYTES_MAX
    for id, state in states.items():
        left -= len(json.dumps(state))
        if left < 0:
            break
        kept[id] = state
    return kept
