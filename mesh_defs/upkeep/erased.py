"""Who was erased, so that no later publication brings them back. Keeps salted digests of keys, never a key.

Holding such a list is what an erasure needs: the sources that a product is made from may name the person for ever.
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mesh_defs.errors import StorageError
from mesh_defs.model.names import literal, quoted
from mesh_defs.storage import durable

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedKeys:
    """Digests of the keys of erased persons, and when the last of them was erased."""

    salt: str
    digests: tuple[str, ...] = ()
    last_at: datetime | None = None

    def without(self, select: str, columns: Sequence[str]) -> str:
        """Return the SELECT less the rows that name an erased person in one of these columns."""
        if not self.digests or not columns:
            return select
        listed = ", ".join(map(literal, self.digests))
        kept = [
            f"coalesce(sha256({literal(self.salt)} || CAST({quoted(name)} AS VARCHAR)) NOT IN ({listed}), true)"
            for name in columns
        ]
        return f"SELECT * FROM (\n{select}\n) AS rows WHERE {' AND '.join(kept)}"


def load_erased(home: Path) -> ErasedKeys:
    """Read the list; an empty one with a new salt when nobody was erased yet. StorageError when it cannot be read."""
    file = _file(home)
    try:
        body = json.loads(file.read_bytes())
        if body["format"] != FORMAT:
            what = f"is of format {body['format']}, this release knows {FORMAT}"
            raise StorageError(what, where=str(file), fix="upgrade mesh-defs here")
        last_at = datetime.fromisoformat(body["last_at"])
        return ErasedKeys(salt=body["salt"], digests=tuple(body["digests"]), last_at=last_at)
    except FileNotFoundError:
        return ErasedKeys(salt=secrets.token_hex(16))
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = f"the list of erased persons cannot be read ({type(error).__name__})"
        raise StorageError(what, where=str(file), fix="restore it: without it erased persons would come back") from None


def add_erased(home: Path, key: str, *, now: datetime) -> ErasedKeys:
    """Add a person's key to the list, durably, before anything is rewritten: what is published from now on lacks them."""
    file = _file(home)
    durable.make_folder(file.parent)
    with durable.locked(file.with_suffix(".lock")):
        before = load_erased(home)
        digest = hashlib.sha256((before.salt + key).encode()).hexdigest()
        after = ErasedKeys(salt=before.salt, digests=tuple(sorted({*before.digests, digest})), last_at=now)
        body = {"format": FORMAT, "salt": after.salt, "digests": after.digests, "last_at": now.isoformat()}
        durable.replace(file, json.dumps(body, indent=1).encode(), private=True)
    return after


def _file(home: Path) -> Path:
    return home / "erased" / "persons.json"
