"""What a campaign added: the share of buyers among the exposed, less that among the unexposed, with an interval."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """A difference of two shares, and the interval that holds it at 95 %. In shares, not in per cent."""

    difference: float
    low: float
    high: float


def lift_of(exposed_buyers: int, exposed: int, unexposed_buyers: int, unexposed: int) -> Lift:
    """Compare two independent shares p = exposed_buyers / exposed and q = unexposed_buyers / unexposed.

    difference = p - q; with Wilson's score limits (l, u) of each share,
    low = difference - sqrt((p - lp)^2 + (uq - q)^2), high = difference + sqrt((up - p)^2 + (q - lq)^2): method 10 of Newcombe
    1998 (Statistics in Medicine 17, 873-890), which stays within -1 and 1 and holds for small shares. ValueError for an
    empty side, or for more buyers than persons. It says what chance does, not who was chosen: that exposure was drawn at
    random is the asker's to know.
    """
    p, (lp, up) = _wilson(exposed_buyers, exposed)
    q, (lq, uq) = _wilson(unexposed_buyers, unexposed)
    low = p - q - sqrt((p - lp) ** 2 + (uq - q) ** 2)
    high = p - q + sqrt((up - p) ** 2 + (q - lq) ** 2)
    return Lift(difference=p - q, low=low, high=high)


def _wilson(successes: int, trials: int) -> tuple[float, tuple[float, float]]:
    """A share and its score limits (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212)."""
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share = successes / trials
    middle = successes + z * z / 2
    half = z * sqrt(successes * (1 - share) + z * z / 4)
    return share, ((middle - half) / (trials + z * z), (middle + half) / (trials + z * z))
