"""How good the data is, as JSON values: the mesh by domain and dimension, and one product check by check.

Counts what readers are given: the checks of the published versions. A candidate that was refused shows in its product's own
page and verdict, and lowers no share.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mesh_defs.catalog.describe import find_product, product_page
from mesh_defs.catalog.health import Health, product_health
from mesh_defs.catalog.quality import EVALUATIONS_KEPT_MAX, History, load_history
from mesh_defs.model.mesh import DataProduct, Mesh
from mesh_defs.model.observation import FRESH
from mesh_defs.settings import Settings
from quality_checks import Expectation, check_names
from quality_checks.dimensions import DIMENSIONS, Dimension, dimension_of
from quality_checks.drift import Drift, drifts
from quality_checks.history import Evaluation, Outcome

# What is drawn of a check's past.
HISTORY_SHOWN_MAX = 30
# What a drift is judged by: 90 days of daily publications, read in 25 ms where all that is kept takes 100.
COMPARED_MAX = 100


class Judged(NamedTuple):
    """One check of what readers see, as the scorecard counts it."""

    dimension: Dimension
    passed: bool
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a product: the state of its pointer, and what was kept of its evaluations."""

    product: DataProduct
    health: Health
    history: History
    now: datetime

    @property
    def newest(self) -> Evaluation | None:
        return self.history.evaluations[-1] if self.history.evaluations else None

    @property
    def published(self) -> Evaluation | None:
        """The newest evaluation of what readers see; of what another system writes, its observation tells more."""
        version = None if self.product.contract.external else self.health.version
        found = (each for each in reversed(self.history.evaluations) if version is not None and each.version == version)
        return next(found, None)

    @property
    def fresh(self) -> bool | None:
        """Whether it is as fresh as promised; None where nothing is promised or published."""
        return {"fresh": True, "late": False}.get(self.health.freshness)


def scorecard(mesh: Mesh, settings: Settings, *, now: datetime) -> dict[str, Any]:
    """Return the domains with the share of passed checks in each dimension, and the products; the weakest first."""
    known = [_known(product, settings, now, newest=COMPARED_MAX) for product in mesh.products.values()]
    judged = {each.product.name: list(_judged(each)) for each in known}
    by_domain: dict[str, list[Judged]] = {name: [] for name in mesh.domains}
    for each in known:
        by_domain.setdefault(each.product.contract.domain, []).extend(judged[each.product.name])
    products = [_summary(each, judged[each.product.name]) for each in known]
    return {
        "dimensions": list(DIMENSIONS),
        "domains": sorted((_domain(name, found) for name, found in by_domain.items()), key=_weakest),
        "products": sorted(products, key=_weakest),
        "damaged": [file for each in known for file in each.history.damaged],
    }


def quality_page(mesh: Mesh, settings: Settings, name: str, *, now: datetime) -> dict[str, Any]:
    """Return each check with its newest verdict and its past, and what drifts. Raises NotFoundError for an unknown name."""
    known = _known(find_product(mesh, name), settings, now)
    newest = known.newest
    return {
        **_summary(known, list(_judged(known))),
        "description": known.product.contract.description,
        "owner": known.product.contract.owner,
        "refused": known.health.refused,
        "trouble": known.health.trouble,
        "evaluation": _evaluation(newest) if newest else None,
        "check_list": list(_checks(known)),
        "drift": [asdict(each) for each in _drifts(known)],
        "evaluations": [_evaluation(each) for each in known.history.evaluations],
        "damaged": list(known.history.damaged),
        "expected_by": product_page(mesh, settings, name)["expected_by"],
    }


def _known(product: DataProduct, settings: Settings, now: datetime, *, newest: int = EVALUATIONS_KEPT_MAX) -> _Known:
    health = product_health(product, settings, now=now)
    history = load_history(settings, product.name, newest=newest)
    return _Known(product=product, health=health, history=history, now=now)


def _judged(known: _Known) -> Iterator[Judged]:
    """The checks of the published version, and its freshness: what was found last, else what its pointer says."""
    if known.fresh is not None:
        yield Judged("timeliness", known.fresh, "warning")
    if (found := known.published) is not None:
        yield from (Judged(each.dimension, each.success, each.expectation.severity) for each in found.checks)
        return
    expectations = known.product.contract.expectations
    dimensions = dict(zip(check_names(expectations), map(dimension_of, expectations), strict=True))
    for seen in known.health.checks:
        if seen["name"] != FRESH:
            yield Judged(dimensions.get(seen["name"], "validity"), bool(seen["passed"]), seen["severity"])


def _summary(known: _Known, judged: Sequence[Judged]) -> dict[str, Any]:
    health = known.health
    return {
        "product": known.product.name,
        "domain": known.product.contract.domain,
        "verdict": _verdict(known, judged),
        **_share(each.passed for each in judged),
        "freshness": health.freshness,
        "rows": health.rows,
        "version": health.version,
        "published_at": health.published_at,
        "evaluated_at": known.newest.at if known.newest else health.observed_at,
        "drifted": _drifted(known),
    }


def _verdict(known: _Known, judged: Sequence[Judged]) -> str:
    """In one word, the worst first: what a consumer should know before anything else."""
    if known.health.trouble:
        return "trouble"
    if known.health.refused:
        return "refused"
    if known.health.version is None:
        return "not published"
    failed = {each.severity for each in judged if not each.passed}
    return "failed" if "critical" in failed else "warning" if failed else "passed"


def _drifted(known: _Known) -> int | None:
    """How many figures drifted; None where there is not enough history to say so of any."""
    found = [each for each in _drifts(known) if each.verdict != "not enough history"]
    return sum(1 for each in found if each.verdict == "drifted") if found else None


def _drifts(known: _Known) -> tuple[Drift, ...]:
    return drifts(known.newest, known.history.evaluations[-COMPARED_MAX:]) if known.newest else ()


def _domain(name: str, judged: Sequence[Judged]) -> dict[str, Any]:
    shares = {dim: _share(each.passed for each in judged if each.dimension == dim) for dim in DIMENSIONS}
    return {"domain": name, **_share(each.passed for each in judged), "dimensions": shares}


def _share(judged: Iterable[bool]) -> dict[str, Any]:
    counted = Counter(judged)
    checks = counted.total()
    return {"passed": counted[True], "checks": checks, "share": counted[True] / checks if checks else None}


def _weakest(row: Mapping[str, Any]) -> tuple[float, str]:
    """What was never checked comes last: there is nothing to say of it."""
    share = row["share"]
    return (2.0 if share is None else share, row.get("product") or row["domain"])


def _checks(known: _Known) -> Iterator[dict[str, Any]]:
    """Those of the newest evaluation, then what the contract promises besides, which nobody has evaluated yet."""
    shown = known.history.evaluations[-HISTORY_SHOWN_MAX:]
    pasts = [{check.name: check for check in each.checks} for each in shown]
    done = pasts[-1] if pasts else {}
    for check in done.values():
        yield {
            **_check(check),
            "history": [_point(each, past.get(check.name)) for each, past in zip(shown, pasts, strict=True)],
        }
    stamped = {seen["name"]: bool(seen["passed"]) for seen in known.health.checks} if not pasts else {}
    expectations = known.product.contract.expectations
    for name, expectation in zip(check_names(expectations), expectations, strict=True):
        if name not in done:
            told = Outcome(name=name, expectation=expectation, dimension=dimension_of(expectation), success=False)
            yield {**_check(told), "engine": None, "passed": stamped.get(name), "history": []}
    if known.fresh is not None:
        yield {**_check(_freshness(known)), "engine": None, "history": []}


def _freshness(known: _Known) -> Outcome:
    """The promise of a service level, which no evaluation makes: it is broken by time alone."""
    promised, since = known.product.contract.service_level.freshness_hours_max, known.health.published_at
    told = {"name": "freshness", "description": f"published within the last {promised:g} hours"}
    return Outcome(
        name="freshness",
        expectation=Expectation(type="service level", kwargs={}, severity="warning", meta=told),
        dimension="timeliness",
        success=known.fresh is True,
        observed_value=round((known.now - since) / timedelta(hours=1), 1) if since else None,
    )


def _check(check: Outcome) -> dict[str, Any]:
    return {
        "name": check.name,
        "passed": check.success,
        "severity": check.expectation.severity,
        "dimension": check.dimension,
        "observed_value": check.observed_value,
        "unexpected_count": check.unexpected_count,
        "unexpected_percent": check.unexpected_percent,
        "engine": check.engine,
        "error": check.error,
        "type": check.expectation.type,
        "kwargs": dict(check.expectation.kwargs),
        "description": str(check.expectation.meta.get("description") or "") or None,
    }


def _point(evaluation: Evaluation, check: Outcome | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return {"at": evaluation.at, "partition": evaluation.partition, "passed": check.success, "measure": check.measure}


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "at": evaluation.at,
        "version": evaluation.version,
        "partition": evaluation.partition,
        "published": evaluation.published,
        "rows": evaluation.rows,
        "passed": evaluation.passed,
        "checks": len(evaluation.checks),
    }
