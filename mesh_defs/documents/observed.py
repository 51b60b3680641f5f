"""What was last seen of each external product, and by each consumer that expects something, as files.

<home>/observed/<product>.json and <home>/expected/<product>/<consumer>.json: the catalog reads them without Dagster. Replaced
whole, so that a reader sees one look or the next, never a mixture.
"""

import os
import secrets
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mesh_defs.errors import StorageError
from mesh_defs.model.observation import Observation

FORMAT = 1
_MEND = "observe the product again: `mesh refresh --select PRODUCT --in-process`"
_adapter = cache(TypeAdapter)


def observation_file(home: Path, product: str) -> Path:
    """Where the last observation of a product lies."""
    return home / "observed" / f"{product}.json"


def expected_file(home: Path, product: str, consumer: str) -> Path:
    """Where it lies what a consumer last saw when it looked at a product for what it expects of it."""
    return home / "expected" / product / f"{consumer}.json"


def load_observation(file: Path) -> Observation | None:
    """Read the last observation; None when nobody looked yet. Raises StorageError when it cannot be read."""
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"the observation is unreadable: {error.strerror}", where=str(file), fix=_MEND) from None
    try:
        found: Observation = _adapter(Observation).validate_json(text)
    except ValidationError:
        raise StorageError("the observation is damaged", where=str(file), fix=_MEND) from None
    if found.format != FORMAT:
        what = f"the observation has format {found.format}, this platform reads {FORMAT}"
        raise StorageError(what, where=str(file), fix=_MEND)
    return found


def store_observation(file: Path, observation: Observation) -> None:
    """Write it in one step. Raises StorageError when it cannot be written."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as out:
            out.write(_adapter(Observation).dump_json(observation, indent=1))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        what = f"the observation could not be written: {error.strerror}"
        raise StorageError(what, where=str(file), fix="mend the rights or the disk of the state folder") from None
