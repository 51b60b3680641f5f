"""What becomes of one question, on record: rejected, denied, refused, allowed, failed, answered.

Literals of a query may be personal data: the ledger keeps the text's digest, not the text.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mesh_defs.engine.told import cancelled
from mesh_defs.errors import MeshError
from mesh_defs.ledger import LedgerEntry
from mesh_defs.model.access import Decision
from mesh_defs.model.query import QueryPlan, QueryRequest, Receipt
from mesh_defs.model.version import Pin
from mesh_defs.query.platform import Platform


class Record:
    """Writes the entries of one question. Each is durable when its method returns, or StorageError is raised."""

    def __init__(self, request: QueryRequest, platform: Platform) -> None:
        self._request, self._platform = request, platform

    def rejected(self) -> None:
        """It is no question that the door can govern."""
        self._append("rejected", self._asked())

    def denied(self, decision: Decision, products: tuple[str, ...]) -> None:
        """The rules do not allow it."""
        self._append("denied", {**self._decided(decision), "products": list(products)})

    def allowed(self, decision: Decision, pins: Mapping[str, Pin], digest: str, plan: QueryPlan) -> LedgerEntry:
        """It may run, as exactly what `digest` names, on exactly these versions."""
        versions = {name: pin.version for name, pin in pins.items()}
        ran = {"versions": versions, "plan_sha256": digest, "engine": plan.engine}
        return self._append("allowed", {**self._decided(decision), **ran})

    @contextmanager
    def refusing(self, decision: Decision) -> Iterator[None]:
        """It is allowed, but cannot be governed or verified."""
        try:
            yield
        except MeshError as error:
            self._append("refused", {**self._decided(decision), "code": error.code})
            raise

    @contextmanager
    def failing(self, allowed: LedgerEntry) -> Iterator[None]:
        """It was allowed, and did not come to an answer: it failed, or whoever asked would not wait."""
        try:
            yield
        except KeyboardInterrupt:
            self._append("failed", {**self._following(allowed), "code": cancelled().code})
            raise
        except MeshError as error:
            self._append("failed", {**self._following(allowed), "code": error.code})
            raise

    def answered(self, allowed: LedgerEntry, moved: Mapping[str, Any]) -> None:
        """What crossed to the asker; with a code, before the answer failed."""
        self._append("failed" if "code" in moved else "answered", {**self._following(allowed), **moved})

    def receipt(self, allowed: LedgerEntry) -> Receipt:
        """What the asker may keep, to ask again on the same versions."""
        request, body = self._request, allowed.body
        return Receipt(
            decision=allowed.seq,
            entry_sha256=allowed.hash,
            at=allowed.at,
            principal=request.principal,
            purpose=request.purpose,
            sql=request.sql,
            parameters=request.parameters,
            versions=body["versions"],
            revision=body["revision"],
            plan_sha256=body["plan_sha256"],
            engine=body["engine"],
        )

    def _following(self, allowed: LedgerEntry) -> dict[str, Any]:
        return {"decision": allowed.seq, "principal": self._request.principal, "versions": allowed.body["versions"]}

    def _asked(self) -> dict[str, Any]:
        request = self._request
        digest = hashlib.sha256(request.sql.encode(errors="surrogatepass")).hexdigest()
        return {"principal": request.principal, "purpose": request.purpose, "sql_sha256": digest}

    def _decided(self, decision: Decision) -> dict[str, Any]:
        return {
            **self._asked(),
            "grants": decision.grants,
            "reasons": list(decision.reasons),
            "generation": self._platform.mesh.snapshot.generation,
            "revision": decision.revision,
        }

    def _append(self, kind: str, body: dict[str, Any]) -> LedgerEntry:
        return self._platform.ledger.append(kind, body, at=self._platform.clock())
