"""Where evaluations are kept: one GX document each, so that any number may be written at once and a torn one harms no other.

<home>/quality/<product>/<at>-<version>[-<partition>].json. The names sort by time. They are a cache of what steps found: no
verdict depends on them, and no publication fails over them.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mesh_defs.settings import Settings
from mesh_defs.storage import durable
from quality_checks import QualityError, Result
from quality_checks.documents import suite_document
from quality_checks.history import Evaluation, about, evaluation_of

# Per product: a year of daily publications, and what a contract of 10,000 columns takes of a disk.
EVALUATIONS_KEPT_MAX = 400
EVALUATIONS_BYTES_MAX = 256 * 1024 * 1024
_WRITING_SECONDS_MAX = 24 * 3600
_UNSAFE = re.compile(r"[^A-Za-z0-9_.=-]+")
_NAME_CHARACTERS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Evaluations, oldest first; `damaged` are the files that could not be read."""

    evaluations: tuple[Evaluation, ...] = ()
    damaged: tuple[str, ...] = ()


def record_evaluation(
    settings: Settings,
    product: str,
    results: Sequence[Result],
    *,
    at: datetime,
    version: str,
    published: bool,
    partition: str | None = None,
    rows: int | None = None,
    figures: Mapping[str, Mapping[str, float]] | None = None,
) -> str | None:
    """Keep what an audit found, of a version that was published or refused. Durable on return.

    Returns None, or why it could not be kept, for the log: what is published is published, with a history or without.
    `rows` and `figures` (as `figures_of`) are of what was audited: with a `partition`, of that alone.
    """
    meta = about(version=version, partition=partition, published=published, rows=rows, figures=figures or {})
    document = suite_document(results, name=product, meta=meta, evaluated_at=at)
    folder = _folder(settings, product)
    try:
        durable.make_folder(folder)
        durable.replace(folder / _file_name(at, version, partition), _text(document))
        _forget(folder, at)
    except OSError as error:
        return f"the evaluation could not be kept in {folder}: {error.strerror} — mend the rights or the disk"
    return None


def load_history(settings: Settings, product: str, *, newest: int = EVALUATIONS_KEPT_MAX) -> History:
    """Read the newest evaluations of a product; none were kept, or none can be read, is an empty history."""
    found: list[Evaluation] = []
    damaged: list[str] = []
    for file in sorted(_files(_folder(settings, product)))[-newest:]:
        try:
            found.append(evaluation_of(json.loads(file.read_bytes(), parse_constant=str)))
        except FileNotFoundError:  # another writer has just forgotten it
            continue
        except (OSError, ValueError, RecursionError, QualityError):
            damaged.append(str(file))
    return History(evaluations=tuple(sorted(found, key=lambda each: each.at)), damaged=tuple(damaged))


def _folder(settings: Settings, product: str) -> Path:
    return settings.home / "quality" / product


def _files(folder: Path) -> Iterator[Path]:
    """Not those that are being written."""
    with suppress(OSError):
        yield from (file for file in folder.iterdir() if file.suffix == ".json" and not file.name.startswith("."))


def _file_name(at: datetime, version: str, partition: str | None) -> str:
    """Two evaluations never share one, unless they are of the same thing at the same microsecond."""
    told = f"{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{_safe(version)}"
    return f"{told}-{_safe(partition)}.json" if partition is not None else f"{told}.json"


def _safe(text: str) -> str:
    """Text as part of a file's name; what had to be changed for that is told apart by a digest."""
    kept = _UNSAFE.sub("_", text)[:_NAME_CHARACTERS_MAX]
    return kept if kept == text else f"{kept}_{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"


def _text(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def _forget(folder: Path, now: datetime) -> None:
    """Remove the oldest beyond the limits, never the newest, and what a dead writer left; others may be doing the same."""
    for torn in folder.glob(f".*{durable.TEMPORARY}"):
        with suppress(FileNotFoundError):
            if now.timestamp() - torn.stat().st_mtime > _WRITING_SECONDS_MAX:
                torn.unlink()
    held = 0
    for index, file in enumerate(sorted(_files(folder), reverse=True)):
        with suppress(FileNotFoundError):
            held += file.stat().st_size
            if index and (index >= EVALUATIONS_KEPT_MAX or held > EVALUATIONS_BYTES_MAX):
                file.unlink()
