"""A receipt as a file: what an answer was made of, kept by its asker."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mesh_defs.errors import NotFoundError, StorageError
from mesh_defs.model.query import Receipt

FORMAT = 1


def dump_receipt(receipt: Receipt) -> dict[str, Any]:
    """As JSON values; a parameter that JSON does not have, such as a date, as text."""
    body: dict[str, Any] = TypeAdapter(Receipt).dump_python(receipt, mode="json")
    return {"format": FORMAT, **body}


def write_receipt(file: Path, receipt: Receipt) -> None:
    """Raises StorageError when it cannot be written."""
    try:
        file.write_text(json.dumps(dump_receipt(receipt), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"the receipt cannot be written: {error.strerror}", where=str(file), fix="name another file"
        ) from None


def read_receipt(file: Path) -> Receipt:
    """Raises NotFoundError when there is none, StorageError for what is no receipt of this format."""
    fix = "give the file that `mesh query --receipt FILE` wrote"
    try:
        body = json.loads(file.read_bytes())
        known = isinstance(body, dict) and body.pop("format", None) == FORMAT
        receipt: Receipt | None = TypeAdapter(Receipt).validate_python(body) if known else None
    except OSError as error:
        raise NotFoundError(f"there is no receipt: {error.strerror}", where=str(file), fix=fix) from None
    except (ValueError, RecursionError, ValidationError):
        receipt = None
    if receipt is None:
        raise StorageError(f"this is no receipt of format {FORMAT}", where=str(file), fix=fix)
    return receipt
