"""Names of products and SQL identifiers: one grammar for both, so that a product's name is also a table's name."""

import re

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def is_name(text: str) -> bool:
    """Tell whether `text` may name a domain, a product or a column: lower case, digits and _, a letter first."""
    return _NAME.fullmatch(text) is not None


def split_product(name: str) -> tuple[str, str]:
    """Return (domain, product) of `domain.product`; raises ValueError for anything else."""
    domain, _, product = name.partition(".")
    if not (is_name(domain) and is_name(product)):
        raise ValueError(f"'{name}' is not a product's name: write domain.product, lower case, digits and _")
    return domain, product


def quoted(identifier: str) -> str:
    """Return a SQL identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a SQL string literal in single quotes."""
    return "'" + text.replace("'", "''") + "'"
