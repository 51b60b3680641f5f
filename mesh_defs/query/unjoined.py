"""Tokens that cannot join: those of one kind that two versions of an answer have from different keys, as while a key is rotated.

A join by them finds nothing, which looks like an answer. What a query joins by is not judged: it is told whenever both are
shown as tokens.
"""

from collections.abc import Iterable, Iterator, Mapping

from mesh_defs.model.access import View
from mesh_defs.model.version import Pin


def unjoined(pins: Iterable[Pin], views: Mapping[str, View]) -> Iterator[str]:
    """One sentence for each kind of identifier whose tokens were made with several keys."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for pin in pins:
        for column, key in pin.token_keys.items():
            mask = views[pin.product].masks.get(column)
            if mask and mask.kind == "token":
                kinds.setdefault(key.partition(":")[0], {}).setdefault(key, []).append(f"{pin.product}.{column}")
    for kind, keys in kinds.items():
        if len(keys) > 1:
            groups = " and ".join(", ".join(columns) for columns in keys.values())
            yield f"tokens of '{kind}' in {groups} were made with different keys and never join: publish the older ones anew"
