"""Writes digests into an agreement.yaml, and leaves the rest of the file, comments too, as its author has it."""

from collections.abc import Mapping
from typing import Any

import yaml

from mesh_defs.errors import DeclarationError, Finding


def with_digests(text: str, digests: Mapping[str, str]) -> str:
    """Return the text with `digest:` of each of these tables, by name. DeclarationError for a table that is not in it."""
    lines = text.splitlines(keepends=True)
    tables = _child(yaml.compose(text, Loader=yaml.SafeLoader), "tables")
    found = {_child(node, "name").value: node for node in tables.value} if tables else {}
    if missing := sorted(digests.keys() - found.keys()):
        what = f"there is no table {', '.join(missing)}"
        raise DeclarationError([Finding(where="tables", what=what, fix="add it to the agreement")])
    edits = sorted((_edit(found[name], digest) for name, digest in digests.items()), reverse=True)
    for (line, column, end_line, end_column), new in edits:
        before, after = lines[line][:column], lines[end_line][end_column:]
        lines[line : end_line + 1] = [before + new + after]
    return "".join(lines)


def _edit(table: Any, digest: str) -> tuple[tuple[int, int, int, int], str]:
    """Where a digest goes, and the text there: in place of the old one, or behind the table's name."""
    old, name = _child(table, "digest"), _child(table, "name")
    if old is not None:
        start, end = old.start_mark, old.end_mark
        return (start.line, start.column, end.line, end.column), digest
    end = name.end_mark
    indent = " " * table.start_mark.column
    new = f", digest: {digest}" if table.flow_style else f"\n{indent}digest: {digest}"
    return (end.line, end.column, end.line, end.column), new


def _child(node: Any, key: str) -> Any:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)
