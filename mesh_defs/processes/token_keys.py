"""Keys of joinable tokens, on one machine: made when a contract first declares their kind, and never replaced.

One key per kind, for all domains: so their tokens join. Production brings its own (`MESH_TOKENS_<KIND>`): machines that made
keys each for themselves would make tokens that join with nobody's.
"""

import secrets
from collections.abc import Iterable
from pathlib import Path

from mesh_defs.model.mesh import DataProduct
from mesh_defs.processes.environment import TOKENS
from mesh_defs.settings import Settings, read_secrets, token_variable
from mesh_defs.storage import durable
from mesh_defs.storage.failures import told

KEY_BYTES = 32


def make_token_keys(settings: Settings, products: Iterable[DataProduct]) -> tuple[str, ...]:
    """Add a key to <secrets>/tokens.env for each kind that has none yet; return those kinds. Safe to repeat.

    Does nothing where the environment is another than `local`.
    """
    wanted = {kind for product in products for kind in product.contract.tokens.values()}
    file = settings.secrets / f"{TOKENS}.env"
    if settings.environment != "local" or not _missing(wanted, settings, file):
        return ()
    with told("the keys of tokens could not be written", file):
        return _made(wanted, settings, file)


def _made(wanted: Iterable[str], settings: Settings, file: Path) -> tuple[str, ...]:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with durable.locked(file.with_suffix(".lock")):
        missing = _missing(wanted, settings, file)
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        made = [f"{token_variable(kind)}={secrets.token_hex(KEY_BYTES)}" for kind in missing]
        text = "\n".join([*before.splitlines(), *made, ""])
        durable.replace(file, text.encode(), private=True)
    return missing


def _missing(wanted: Iterable[str], settings: Settings, file: Path) -> tuple[str, ...]:
    known = read_secrets(file) if file.exists() else {}
    return tuple(kind for kind in sorted(wanted) if not (known.get(token_variable(kind)) or settings.token_key(kind)))
