"""What the policy server asks its Trino's coordinator, as the canary's user: its reading, and what somebody has under way.

Trino 476 tells its plugin who asks, not what: no text, no id of a query. Its `/v1/queryState` has the texts.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from trino.auth import BasicAuthentication
from trino.dbapi import connect

from mesh_defs.engine.trino_client import http_session
from mesh_defs.errors import UnreachableError
from mesh_defs.model.place import TrinoAccess

_ANSWER_SECONDS_MAX = 30.0
# Trino begins to analyse a query some microseconds before it lists it.
_LISTED_SECONDS_MAX, _PAUSE_SECONDS = 2.0, 0.02


@dataclass(frozen=True, slots=True)
class Coordinator:
    """`access` is as whom the canary logs in."""

    access: TrinoAccess

    def rows(self, sql: str) -> list[list[object]]:
        """Run one statement. Errors are those of Trino's client, and of `requests`."""
        place, password = urlsplit(self.access.url), self.access.password
        with closing(
            connect(
                host=place.hostname or "",
                port=place.port,
                http_scheme=place.scheme or "http",
                user=self.access.user,
                auth=BasicAuthentication(self.access.user, password) if password is not None else None,
                http_session=http_session(self.access),
                request_timeout=_ANSWER_SECONDS_MAX,
            )
        ) as connection:
            return [list(row) for row in connection.cursor().execute(sql).fetchall()]

    def under_way(self, user: str) -> list[str]:
        """Return the texts of all statements of this user's that have not ended; one at least.

        UnreachableError when there is none, though somebody asks for them.
        """
        deadline = time.monotonic() + _LISTED_SECONDS_MAX
        while True:
            texts = [text for who, text in self._listed() if who == user]
            if texts:
                return texts
            if time.monotonic() > deadline:
                raise UnreachableError("the Trino does not tell which query reads here", fix="ask again")
            time.sleep(_PAUSE_SECONDS)

    def _listed(self) -> list[tuple[str, str]]:
        """Who has what under way; nothing when it does not tell, as in the moment before it can list one of them."""
        user, password = self.access.user, self.access.password
        try:
            with http_session(self.access) as session:
                answer = session.get(
                    f"{self.access.url}/v1/queryState",
                    headers={"X-Trino-User": user},
                    auth=(user, password) if password is not None else None,
                    timeout=_ANSWER_SECONDS_MAX,
                )
            answer.raise_for_status()
            return [(str(each["user"]), str(each["query"])) for each in answer.json()]
        except (OSError, ValueError, KeyError, TypeError):
            return []
