"""From a parsed SELECT and a decision to SQL that is governed and verified. Verified texts are kept, decisions never."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from mesh_defs.engine.session import Session
from mesh_defs.model.access import View
from mesh_defs.model.query import GovernedSQL, QueryRequest
from mesh_defs.model.version import Pin
from mesh_defs.sql.bounded import are_short
from mesh_defs.sql.parse import SelectStatement
from mesh_defs.sql.rewrite import govern, inlined, repinned
from mesh_defs.sql.statements import Statement, parse_statement
from mesh_defs.sql.verify import verify_plan, verify_text
from mesh_defs.sql.view import shown_by

KEPT_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What runs, and the digest of it (SHA-256) that records and receipts name."""

    governed: GovernedSQL
    digest: str


@lru_cache(maxsize=KEPT_MAX)
def parsed(sql: str) -> Statement:
    """Parse a question once; nobody changes what comes of it. Raises QueryRejectedError."""
    return parse_statement(sql)


class Preparer:
    """Safe for many threads. What it keeps depends on nothing that time or a revocation changes: each question is decided
    anew, and a text that was verified for one view of its products is used again for the very same view alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._verified: OrderedDict[Hashable, Prepared] = OrderedDict()  # the last used at the end

    def prepare(
        self,
        request: QueryRequest,
        statement: SelectStatement,
        pins: Mapping[str, Pin],
        views: Mapping[str, View],
        session: Session,
    ) -> Prepared:
        """Rewrite and verify. Raises QueryRejectedError or AccessDeniedError when either cannot be done."""
        key = (
            request.sql,
            are_short(request.parameters),
            *(shown_by(pins[name], views[name]) for name in statement.products),
        )
        kept = self._kept(key)
        if kept is not None:
            governed = repinned(kept.governed, tuple(pins[name] for name in statement.products))
            return Prepared(governed=governed, digest=kept.digest)
        governed = govern(statement, pins, views, request.parameters)
        trees = session.trees(inlined(governed, request.parameters))
        verify_text(trees.parsed, governed)
        verify_plan(trees.plan, trees.guards)
        prepared = Prepared(governed=governed, digest=hashlib.sha256(governed.text.encode()).hexdigest())
        self._keep(key, prepared)
        return prepared

    def _kept(self, key: Hashable) -> Prepared | None:
        with self._lock:
            if key in self._verified:
                self._verified.move_to_end(key)
            return self._verified.get(key)

    def _keep(self, key: Hashable, prepared: Prepared) -> None:
        with self._lock:
            self._verified[key] = prepared
            if len(self._verified) > KEPT_MAX:
                self._verified.popitem(last=False)
