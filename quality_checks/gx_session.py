"""The one door to great_expectations: its own code judges a pandas frame, quietly, one caller at a time.

Imported within, for GX takes 5 s and 275 MB. Nothing it says of a row passes: no samples, messages or logs.
"""

import builtins
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quality_checks.expectation import Expectation

if TYPE_CHECKING:
    import pandas as pd

# GX keeps one "current project" per process, and warnings and log levels are the process's too.
# (Threads that share a GX context get one another's numbers: 52 of 60, GX 1.24.1.)
_ONE_AT_A_TIME = threading.Lock()

# GX tells their metrics apart by column only: in one batch, the second gets the first one's numbers (GX 1.24.1, which
# adds the quantiles after it has made the metric's id).
_ALONE = "expect_column_quantile_values_to_be_between"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What GX found: `result` as its BASIC format has it; `failure` is the kind of error that kept it from judging."""

    success: bool
    result: dict[str, Any]
    failure: str | None = None


def verdicts(frame: "pd.DataFrame", expectations: Sequence[Expectation]) -> list[Verdict]:
    """Return GX's verdict on each expectation, in order; nothing that GX raises passes."""
    together = [at for at, each in enumerate(expectations) if each.type != _ALONE]
    batches = [together, *([at] for at, each in enumerate(expectations) if each.type == _ALONE)]
    found: dict[int, Verdict] = {}
    for batch in batches:
        found |= zip(batch, _verdicts(frame, [expectations[at] for at in batch]), strict=True)
    return [found[at] for at in range(len(expectations))]


def _verdicts(frame: "pd.DataFrame", expectations: Sequence[Expectation]) -> list[Verdict]:
    """Judge in one batch; one by one when GX cannot even take them together."""
    if not expectations:
        return []
    with _quiet_gx() as gx:
        try:
            return _validated(gx, frame, expectations)
        except Exception as error:  # noqa: BLE001  # whatever GX or pandas raise is no verdict, and may quote a row
            kind = type(error).__name__
    if len(expectations) == 1:
        return [Verdict(success=False, result={}, failure=kind)]
    return [verdict for each in expectations for verdict in _verdicts(frame, [each])]


def declared(expectation: Expectation) -> list[str]:
    """Return what GX's own models refuse of an expectation's kwargs."""
    with _quiet_gx():
        from great_expectations.compatibility.pydantic import ValidationError

        try:
            _as_gx(expectation)
        except ValidationError as error:
            found: dict[str, list[str]] = {}
            for each in error.errors():  # one for each type that an argument could have been
                found.setdefault(".".join(map(str, each["loc"])), []).append(str(each["msg"]))
            return [f"'{name}': {', '.join(why)}" for name, why in found.items()]
        except Exception as error:  # noqa: BLE001  # a model may raise anything at all; no data was touched
            return [f"its arguments: {type(error).__name__}: {error}"]
    return []


def _as_gx(expectation: Expectation, **meta: Any) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    return ExpectationConfiguration(
        type=expectation.type, kwargs=dict(expectation.kwargs), meta=meta or None
    ).to_domain_obj()


def _validated(gx: Any, frame: "pd.DataFrame", expectations: Sequence[Expectation]) -> list[Verdict]:
    context = context_of(gx)
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": frame})
    # GX sorts its results by column: `at` finds the order again, and tells equal expectations apart.
    suite = gx.ExpectationSuite(name="rows", expectations=[_as_gx(each, at=at) for at, each in enumerate(expectations)])
    found = {each.expectation_config.meta["at"]: each for each in batch.validate(suite, result_format="BASIC").results}
    return [_verdict(found[at]) for at in range(len(expectations))]


def context_of(gx: Any) -> Any:
    """Return a context of its own: in memory, without Data Docs (and so without a temporary folder) or progress bars."""
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    config = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
    context = gx.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = {"globally": False}
    return context


def _verdict(found: Any) -> Verdict:
    raised = next(_raised(found.exception_info or {}), None)
    if raised is not None or found.success is None:
        return Verdict(success=False, result={}, failure=_kind(str((raised or {}).get("exception_traceback") or "")))
    return Verdict(success=bool(found.success), result=dict(found.result))


def _raised(info: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the failures in either of GX's two forms: one, or one for each metric."""
    for each in (info, *info.values()):
        if isinstance(each, dict) and each.get("raised_exception"):
            yield each


def _kind(traceback: str) -> str:
    """Return the class of the first error of a chain; only what is a class, for a message may look like one."""
    names: list[str] = re.findall(r"^([A-Za-z_][\w.]*)(?::|$)", traceback, re.MULTILINE)
    for name in names:
        module, _, short = name.rpartition(".")
        found = getattr(sys.modules.get(module), short, None) if module else getattr(builtins, short, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            return short
    return "an error"


@contextmanager
def _quiet_gx() -> Iterator[Any]:
    """Give GX, alone in this process and silent; the caller's own GX project is put back afterwards."""
    with _ONE_AT_A_TIME, warnings.catch_warnings(), _silenced(logging.getLogger("great_expectations")):
        warnings.simplefilter("ignore")
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        import great_expectations as gx
        from great_expectations.data_context.data_context.context_factory import project_manager
        from great_expectations.exceptions.exceptions import DataContextRequiredError
        from great_expectations.validator import validation_graph

        graph: Any = validation_graph
        bar = graph.tqdm
        try:
            before = project_manager.get_current_project()
        except DataContextRequiredError:
            before = None
        try:
            # KL divergence shows its bar whatever the context says.
            graph.tqdm = lambda **given: bar(**{**given, "disable": True})
            yield gx
        finally:
            graph.tqdm = bar
            project_manager.set_project(before)


@contextmanager
def _silenced(logger: logging.Logger) -> Iterator[None]:
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False  # for those of its modules that set a level of their own
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
