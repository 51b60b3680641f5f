"""What several answers tell together: sums and differences of counts that come down to a few persons (Chin and Ozsoyoglu 1982).

Each released count is the sum of the sizes of the classes that it covers. If some combination of counts covers nothing but
classes with few persons in all, it tells about those. Found by eliminating the classes with most persons first.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

# Arithmetic modulo a prime whose square fits 32 bits: exact, where floats would round. A combination that vanishes modulo
# the prime alone counts as vanishing: too much is withheld then, never too little.
_PRIME = 32_749
_ENTRIES_MAX = 60_000_000

# The cells (by number) that a class of persons, or of rows, lies in, and how many persons have part in it.
Class = tuple[Sequence[int], int]


class TooManyError(Exception):
    """There are more classes and cells than can be compared."""


def tells_of_few(classes: Iterable[Class], cells: int, persons_min: int) -> bool:
    """Whether a combination of the cells' counts is of 1 to `persons_min` - 1 persons. TooManyError."""
    ordered = sorted(classes, key=lambda each: (-each[1], tuple(each[0])))
    persons = np.array([each[1] for each in ordered], dtype=np.int64)
    covered = _matrix([each[0] for each in ordered], cells)
    supports = _reduced(covered) != 0
    told = persons @ supports
    return bool(np.any((told > 0) & (told < persons_min)))


def _matrix(classes: Sequence[Sequence[int]], cells: int) -> NDArray[np.int32]:
    if len(classes) * cells > _ENTRIES_MAX:
        raise TooManyError
    matrix = np.zeros((len(classes), cells), dtype=np.int32)
    for row, covered in enumerate(classes):
        matrix[row, list(covered)] = 1
    return matrix


def _reduced(matrix: NDArray[np.int32]) -> NDArray[np.int32]:
    """Reduce by columns: each that is left is a combination of the cells, zero in all the rows that the others are led by.

    Rows lead in their order, so a combination is led by a large class where it covers any.
    """
    left = list(range(matrix.shape[1]))
    for _ in range(matrix.shape[1]):
        found = np.flatnonzero(matrix[:, left].any(axis=1))
        if not len(found):
            break
        row = int(found[0])
        column = next(each for each in left if matrix[row, each])
        matrix[:, column] = matrix[:, column] * pow(int(matrix[row, column]), -1, _PRIME) % _PRIME
        for other in range(matrix.shape[1]):
            if other != column and matrix[row, other]:
                matrix[:, other] = (matrix[:, other] - matrix[:, column] * matrix[row, other]) % _PRIME
        left.remove(column)
    return matrix
