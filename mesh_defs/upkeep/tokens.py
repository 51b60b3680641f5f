"""Joinable tokens, made while a product is staged: what a masked reader joins and counts by, and can read nothing from.

A token is HMAC-SHA-256 of a value's text under the key of its kind, cut to 128 bits: equal values of a kind have equal tokens
in every product, and whoever has no key cannot try values. The key stays in this process's memory: the function that DuckDB
calls holds it, no text of SQL does. Where tokens lie, and who is shown them, others know (`storage.tokens`, `sql.view`).
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import ARROW
from duckdb.sqltypes import VARCHAR

from mesh_defs.errors import TokenKeyError
from mesh_defs.model.contract import Contract
from mesh_defs.model.names import quoted
from mesh_defs.model.version import token_column
from mesh_defs.settings import token_variable

# Hex digits: 128 bits. That two of a billion values share a token has a chance below 10**-20.
TOKEN_LENGTH = 32
_KEY = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """The key of one kind of tokens."""

    kind: str
    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Name kind and key, and tell nothing of the key: tokens of two ids never join."""
        return f"{self.kind}:{hashlib.sha256(self.secret).hexdigest()[:8]}"

    def tokens(self, values: Any) -> Any:
        """Return the tokens of Arrow's texts, nulls for nulls. Each distinct one is computed once: 0.6 million per CPU second.

        DuckDB evaluates the annotations, and understands none of Arrow's.
        """
        # The kind is part of what is digested: one key given to two kinds by mistake links nobody.
        keyed = hmac.new(self.secret, f"{self.kind}\0".encode(), "sha256")
        distinct = values.combine_chunks().dictionary_encode()
        made = [_token(keyed, value) for value in distinct.dictionary.to_pylist()]
        return pa.array(made, pa.string()).take(distinct.indices)


def token_keys(contract: Contract, key_of: Callable[[str], str | None]) -> dict[str, TokenKey]:
    """Return the key of each column that has tokens. TokenKeyError when one is missing: nothing is digested without a key."""
    return {column: _key(kind, key_of(kind), contract.product) for column, kind in contract.tokens.items()}


@contextmanager
def tokenised(
    connection: duckdb.DuckDBPyConnection, select: str, keys: Mapping[str, TokenKey]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield a SELECT that gives the tokens of these columns besides, and the keys' ids, as `Storage.stage` wants them.

    It runs on this connection, until the end of the block.
    """
    with ExitStack() as stack:
        made = [
            f"{stack.enter_context(_function(connection, key))}(CAST({quoted(column)} AS VARCHAR))"
            f" AS {quoted(token_column(column))}"
            for column, key in keys.items()
        ]
        with_tokens = f"SELECT *, {', '.join(made)} FROM (\n{select}\n) AS rows"
        yield with_tokens if made else select, {column: key.id for column, key in keys.items()}


@contextmanager
def _function(connection: duckdb.DuckDBPyConnection, key: TokenKey) -> Iterator[str]:
    """Lend the connection a function for this key, of a name that no product's own SQL can know."""
    name = f"token_{secrets.token_hex(8)}"
    connection.create_function(name, key.tokens, [VARCHAR], VARCHAR, type=ARROW)
    try:
        yield name
    finally:
        with suppress(duckdb.Error):  # of a connection that failed for good, nothing can be taken back
            connection.remove_function(name)


def _key(kind: str, given: str | None, product: str) -> TokenKey:
    variable = token_variable(kind)
    if not given:
        what = f"this process has no key for tokens of the kind '{kind}'"
        fix = f"set {variable}; for the environment local, `mesh up` and `mesh refresh --in-process` make it"
        raise TokenKeyError(what, where=product, fix=fix)
    if not _KEY.fullmatch(given):
        fix = f"set {variable} to 64 hex digits, as `openssl rand -hex 32` prints them"
        raise TokenKeyError(f"{variable} is no key", where=product, fix=fix)
    return TokenKey(kind=kind, secret=bytes.fromhex(given))


def _token(keyed: hmac.HMAC, value: str) -> str:
    digest = keyed.copy()
    digest.update(value.encode())
    return digest.hexdigest()[:TOKEN_LENGTH]
