"""Noise on whole numbers by OpenDP's core, and what it costs. The only importer of OpenDP; sees totals, never a person.

Zero-concentrated differential privacy (Bun and Steinke 2016) by the discrete Gaussian (Canonne, Kamath and Steinke 2020),
in integer millionths of rho.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from mesh_defs.errors import AnalysisRejectedError, UnreachableError

MICRO = 1_000_000
# Beyond it noise would say more than any total, and OpenDP's 64 bits could not hold it.
SCALE_MAX = 2.0**50
# Totals are cut here before OpenDP's 64 bits would be full. What comes out beyond half of it is shown as no number, so that
# what was cut is never shown as an answer: noise would have to be 2^11 times its scale.
TOTAL_MAX = 2**62
SHOWN_MAX = 2**61


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Noise for one number of each group. `sensitivity`: by how much one person changes all of them together (L2)."""

    sensitivity: float
    micro_rho: int
    scale: float

    def added(self, totals: Sequence[int]) -> list[int | None]:
        """Return the totals with noise of their own each; None for one that is too large to be shown."""
        cut = [max(-TOTAL_MAX, min(TOTAL_MAX, total)) for total in totals]
        noisy: list[int] = _gaussian(self.scale)(cut)
        return [each if abs(each) <= SHOWN_MAX else None for each in noisy]

    def accuracy(self, alpha: float) -> int:
        """By how much a number is changed at most, but for a share `alpha` of all.

        The continuous Gaussian's, rounded up: it bounds the discrete one's tails (Canonne, Kamath and Steinke 2020,
        proposition 25). OpenDP's own for the discrete one adds up as many terms as the scale has units.
        """
        accuracy: float = _opendp().gaussian_scale_to_accuracy(self.scale, alpha)
        return math.ceil(accuracy)


def l2_of(each: int, groups: int) -> float:
    """Return sqrt(groups) * each, rounded up: how far one person moves who changes so many groups by so much."""
    square = groups * each * each
    found = math.sqrt(square)
    while Fraction(found) ** 2 < square:
        found = math.nextafter(found, math.inf)
    return found


@cache
def noise_of(sensitivity: float, micro_rho: int) -> Noise:
    """Return the least noise that costs no more than that by OpenDP's own account, which rounds up.

    AnalysisRejectedError when that is more noise than any number can bear.
    """
    scale, step = sensitivity / math.sqrt(2 * micro_rho / MICRO), 1e-15
    while scale <= SCALE_MAX:
        if Fraction(_gaussian(scale).map(sensitivity)) <= Fraction(micro_rho, MICRO):
            return Noise(sensitivity=sensitivity, micro_rho=micro_rho, scale=scale)
        scale, step = scale * (1 + step), 2 * step
    fix = "ask for more rho at once, or agree on narrower bounds"
    raise AnalysisRejectedError("so wide bounds and so little rho leave nothing but noise", fix=fix)


@cache
def epsilon_of(micro_rho: int, delta: float) -> float:
    """The epsilon of (epsilon, delta)-differential privacy that so much rho amounts to, by OpenDP; not below the true one."""
    if micro_rho == 0:
        return 0.0
    dp = _opendp()
    rho, scale = Fraction(micro_rho, MICRO), 1 / math.sqrt(2 * micro_rho / MICRO)
    space = dp.atom_domain(T="i64"), dp.absolute_distance(T=float)
    while Fraction((made := dp.m.make_gaussian(*space, scale=scale)).map(1.0)) < rho:
        scale = math.nextafter(scale, 0.0)
    return float(dp.c.make_zCDP_to_approxDP(made).map(1.0).epsilon(delta))


def _gaussian(scale: float) -> Any:
    dp = _opendp()
    return dp.m.make_gaussian(dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float), scale=scale)


@cache
def _opendp() -> Any:
    try:
        import opendp.prelude as dp
    except ImportError:
        raise UnreachableError("noise needs OpenDP, which is not installed", fix="install mesh-defs[room]") from None
    dp.enable_features("contrib")
    return dp
