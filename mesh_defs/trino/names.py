"""Names of users that only a policy server knows: as whom its canary reads, as whom Trino evaluates rules and masks."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from mesh_defs.errors import DeclarationError, Finding

CANARY, FILTERS = "mesh-canary-", "mesh-filters-"
SECRET_CHARACTERS_MIN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Whoever knows `filters` could read past every rule: it is never printed."""

    canary: str = field(repr=False)
    filters: str = field(repr=False)

    def is_anothers(self, user: str) -> bool:
        """Whether this is such a name, and not ours: another policy server answers the same Trino."""
        return user.startswith((CANARY, FILTERS)) and user not in (self.canary, self.filters)


def names_of(secret: str | None = None, *, canary: str | None = None) -> Names:
    """Draw names anew, or make those that every policy server with this `secret` has: behind one address each may be asked
    what another one said. `canary`: the user whom the canary logs in as, where Trino asks for a password.

    DeclarationError for a secret that could be guessed.
    """
    if secret is not None and len(secret) < SECRET_CHARACTERS_MIN:
        fix = f"give it {SECRET_CHARACTERS_MIN} characters or more: `openssl rand -hex 32`"
        raise DeclarationError([Finding(what="it could be guessed", where="MESH_TRINO_POLICY_SECRET", fix=fix)])
    key = secret.encode() if secret is not None else secrets.token_bytes(32)
    drawn = {kind: kind + hmac.digest(key, kind.encode(), hashlib.sha256).hex()[:32] for kind in (CANARY, FILTERS)}
    return Names(canary=canary or drawn[CANARY], filters=drawn[FILTERS])
