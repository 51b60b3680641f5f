"""What all of our own documents are made of: strict parts, names, texts, spans of time."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from mesh_defs.documents.structure import refusal
from mesh_defs.model.names import is_name

_SLUG = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PLACE = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
# What is longer can be neither subtracted from today nor meant.
_SECONDS_MAX = 10 * 366 * 86_400


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise refusal(f"found '{text}'", "write lower case letters, digits, _ and -, a letter first, 63 at most")
    return text


def _place(text: str) -> str:
    if not _PLACE.fullmatch(text):
        fix = "write a folder relative to the state folder, without ..: letters, digits, _, - and /"
        raise refusal(f"found '{text}'", fix)
    return text


def _name(text: str) -> str:
    if not is_name(text):
        raise refusal(f"found '{text}'", "write lower case letters, digits and _, a letter first, 63 at most")
    return text


Slug = Annotated[str, AfterValidator(_slug)]
Name = Annotated[str, AfterValidator(_name)]
Place = Annotated[str, AfterValidator(_place)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=_SECONDS_MAX)]


class Strict(BaseModel):
    """A part of one of our own documents: no unknown fields, and no value that only looks like the wanted one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
