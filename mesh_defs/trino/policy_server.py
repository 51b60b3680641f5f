"""The policy server that a Trino asks: an ASGI app that speaks its OPA plugin's protocol. It answers, and holds nothing.

    POST /allow          {"result": true}              may this be done?
    POST /batch          {"result": [0, 2]}            which of these may be listed?
    POST /row-filters    {"result": [{"expression": …}]}
    POST /column-masks   {"result": [{"index": 0, "viewExpression": {…}}]}

Default deny: what fails while deciding is denied, or, of filters and masks, answered with an error, for which Trino fails
the query. Each reading of a product is on record before it is allowed.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mesh_defs.errors import MeshError
from mesh_defs.query.platform import Platform
from mesh_defs.sql.translation.native import NativeView
from mesh_defs.sql.translation.plain import is_plain
from mesh_defs.trino.asked import Asked, asked, each_asked
from mesh_defs.trino.canary import Canary
from mesh_defs.trino.names import Names
from mesh_defs.trino.rights import Place, Rights

_LOG = logging.getLogger(__name__)
_NOTHING, _NULL = "FALSE", "NULL"
_LISTS = "information_schema"
# A condition that nothing fulfils and Trino quotes, since no column is called so: the statement fails before it is planned.
_TOLD = (
    "only queries are answered here: no EXPLAIN ANALYZE, no SHOW STATS, no EXECUTE by name, nor beside such a statement"
)
# Read as one text, in memory.
BODY_BYTES_MAX = 4_000_000

Sight = Callable[[], tuple[Platform, Mapping[Place, str]]]


@dataclass(frozen=True)
class PolicyServer:
    """Answers by what `sight` gives at each question: the mesh as it is declared now, and where its products are.

    `under_way`: the texts of what a user has Trino do at the moment."""

    sight: Sight
    canary: Canary
    names: Names
    under_way: Callable[[str], Sequence[str]]
    door: str | None = field(default=None, repr=False)

    def app(self) -> Starlette:
        """The ASGI app."""
        answers = {
            "/allow": self.allow,
            "/batch": self.batch,
            "/row-filters": self.row_filters,
            "/column-masks": self.column_masks,
        }
        return Starlette(routes=[Route(path, _endpoint(answer), methods=["POST"]) for path, answer in answers.items()])

    def allow(self, body: Mapping[str, Any]) -> object:
        """One thing: allowed or not. Reading a product is recorded, and refused when that cannot be."""
        return self._allows(asked(body))

    def batch(self, body: Mapping[str, Any]) -> object:
        """Many things: the places, in the question, of those that are allowed."""
        rights = self._rights()
        return [index for index, each in enumerate(each_asked(body)) if self._lists(each, rights)]

    def row_filters(self, body: Mapping[str, Any]) -> object:
        """The conditions that a row must fulfil; for a table that is no product's, or is not shown, no row does."""
        question = asked(body)
        if self.canary.concerns(question):
            return self.canary.row_filters()
        if question.schema == _LISTS:
            return []
        rights = self._rights()
        if question.user == self.names.filters or rights.is_door(question):
            return []
        shown = rights.shown(question)
        if shown is None:
            # Trino asks for filters first: whoever is denied the whole catalog would not be on record otherwise.
            self._record(question, rights, allowed=False)
            return [{"expression": _NOTHING}]
        if not self._is_plain(question):
            self._record(question, rights, allowed=False, because=_TOLD)
            return [{"expression": f'"{_TOLD}"'}]
        return [{"expression": shown.rule, "identity": self.names.filters}] if shown.rule is not None else []

    def column_masks(self, body: Mapping[str, Any]) -> object:
        """What stands in columns, by their places in the question; those without a mask are left out."""
        rights, seen = self._rights(), dict[Place, NativeView | None]()
        masks = ((index, self._mask(each, rights, seen)) for index, each in enumerate(each_asked(body)))
        return [
            {"index": index, "viewExpression": {"expression": mask, "identity": self.names.filters}}
            for index, mask in masks
            if mask is not None
        ]

    def _lists(self, question: Asked, rights: Rights) -> bool:
        return self.canary.concerns(question) or (self.canary.trusted and rights.allows(question))

    def _is_plain(self, question: Asked) -> bool:
        """Whether a rule may be let out: Trino takes EXPLAIN ANALYZE for the SELECT in it, and would show it the rule.

        It does not tell which of a user's statements asks, so all that they have under way must be plain queries.
        """
        return all(map(is_plain, self.under_way(question.user)))

    def _mask(self, question: Asked, rights: Rights, seen: dict[Place, NativeView | None]) -> str | None:
        """`seen`: what was found for other columns of the same table, by the same asker."""
        if self.canary.concerns(question):
            return self.canary.mask(question)
        if question.schema == _LISTS or question.user == self.names.filters:
            return None
        if rights.is_door(question):
            return None
        if question.place not in seen:
            seen[question.place] = rights.shown(question)
        shown = seen[question.place]
        (column,) = question.columns
        return shown.columns.get(column, _NULL) if shown else _NULL

    def _allows(self, question: Asked) -> bool:
        if self.canary.concerns(question):
            return True
        if self.names.is_anothers(question.user):
            _LOG.error("another policy server answers the same Trino: give all of them one MESH_TRINO_POLICY_SECRET")
        if not self.canary.trusted:
            return False
        rights = self._rights()
        allowed = rights.allows(question)
        own = question.user == self.names.filters or rights.is_door(question)
        if question.operation == "SelectFromColumns" and not own:
            self._record(question, rights, allowed=allowed)
        return allowed

    def _record(self, question: Asked, rights: Rights, *, allowed: bool, because: str | None = None) -> None:
        product = rights.places.get(question.place)
        if product is None:
            return
        decision, platform = rights.decided(question, product), rights.platform
        principal, _, purpose = question.user.rpartition("+")
        body = {
            "principal": principal,
            "purpose": purpose,
            "products": [product],
            "columns": sorted(question.columns),
            "grants": decision.grants if decision is not None else {},
            "reasons": [because] if because else list(rights.reasons(question)),
            "generation": platform.mesh.snapshot.generation,
            "revision": rights.policy.revision,
            "trino_query": question.query,
        }
        platform.ledger.append("allowed" if allowed else "denied", body, at=platform.clock())

    def _rights(self) -> Rights:
        platform, places = self.sight()
        return Rights(platform, platform.policy(), places, self.names.filters, self.door)


def _endpoint(answer: Callable[[Mapping[str, Any]], object]) -> Callable[[Request], Any]:
    async def respond(request: Request) -> JSONResponse:
        if int(request.headers.get("content-length", "0")) > BODY_BYTES_MAX:
            return JSONResponse({"error": "too long"}, status_code=413)
        body = await request.json()
        try:
            return JSONResponse({"result": await run_in_threadpool(answer, body)})
        except Exception as error:  # noqa: BLE001  a surface: Trino denies, or fails the query, on any error
            _LOG.error(
                "a question of Trino failed: %s", error if isinstance(error, MeshError) else type(error).__name__
            )
            return JSONResponse({"error": "this could not be decided"}, status_code=500)

    return respond
