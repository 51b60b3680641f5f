"""A plan as a JSON object: everything that it holds."""

from dataclasses import asdict
from typing import Any

from mesh_defs.model.access import Mask, PolicyTest
from mesh_defs.review.access import AccessChange
from mesh_defs.review.contracts import ProductChange
from mesh_defs.review.plan import Plan
from mesh_defs.review.sight import Sight
from mesh_defs.review.told import summary

FORMAT = 1


def as_document(plan: Plan) -> dict[str, Any]:
    """Return JSON values; dates are left to the writer."""
    return {
        "format": FORMAT,
        "summary": summary(plan),
        "to_approve": list(plan.to_approve),
        "base": asdict(plan.base),
        "products": [_product(each) for each in plan.products],
        "breaks": [asdict(each) for each in plan.breaks],
        "exposed": list(plan.exposed),
        "access": [_access(each) for each in plan.access if each.offer is None],
        "requestable": [_access(each) for each in plan.access if each.offer is not None],
        "quiet": list(plan.quiet),
        "tests": {
            "removed": [_test(each) for each in plan.tests_removed],
            "added": [_test(each) for each in plan.tests_added],
        },
        "standards": list(plan.standards),
        "governance_dropped": list(plan.dropped),
        "answerers": list(plan.answerers),
        "findings": [asdict(each) for each in plan.findings],
        "unread": {
            "before": [asdict(each) for each in plan.unread_before],
            "now": [asdict(each) for each in plan.unread_now],
        },
    }


def _product(change: ProductChange) -> dict[str, Any]:
    changes = [{"level": each.level, "breaking": each.breaking, "what": each.what} for each in change.changes]
    return {**asdict(change), "breaking": change.breaking, "enough": change.enough, "changes": changes}


def _access(change: AccessChange) -> dict[str, Any]:
    return {
        "product": change.product,
        "principals": list(change.principals),
        "via": dict(zip(change.principals, change.via, strict=True)),
        "purposes": list(change.purposes),
        "offer": change.offer,
        "gains": change.gains,
        "loses": change.loses,
        "differences": [asdict(each) for each in change.differences],
        "test_rows": [asdict(each) for each in change.tried],
        "because": list(change.because),
        "before": _sight(change.before),
        "after": _sight(change.after),
    }


def _sight(sight: Sight) -> dict[str, Any]:
    if sight.view is None:
        return {"allowed": False, "reason": sight.reason}
    return {
        "allowed": True,
        "grant": sight.view.grant,
        "columns": {name: _mask(sight.mask(name)) for name in sight.columns},
        "rows": [asdict(rule) for rule in sight.rules],
        "until": sight.view.until,
        "terms": None if sight.terms is None else {"days_max": sight.terms[0], "instant": sight.terms[1]},
    }


def _mask(mask: Mask | None) -> dict[str, Any] | None:
    return None if mask is None else {"kind": mask.kind, "value": mask.value}


def _test(test: PolicyTest) -> dict[str, Any]:
    return {"product": test.product, "name": test.name, "where": test.where, "principal": test.principal.name}
