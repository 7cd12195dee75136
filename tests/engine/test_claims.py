"""Claims on voxels: the smallest number wins, ties go to the smallest id, whatever the order and the threads."""

import numpy as np
import pytest

from marrowsim._engine import claims
from marrowsim._engine.rng import Stream, uniform, words

SHAPE = (9, 10, 11)
CELLS = 3000


def contest():
    """Claims of 3,000 cells on 200 free voxels, with few distinct numbers, so that there are ties."""
    rows = np.arange(CELLS, dtype=np.int32)
    target = (uniform(1, Stream.STREAM_USER, 0, rows) * 200).astype(np.int32) * 4
    claim = words(1, Stream.STREAM_USER, 1, rows)[:, 0] >> np.uint32(28)
    ids = np.argsort(uniform(1, Stream.STREAM_USER, 2, rows)).astype(np.int64) + 10**10
    return rows, target, claim, ids


def expected(rows, target, claim, ids):
    """The winning row of every voxel, by sorting."""
    order = np.lexsort((ids[rows], claim, target))
    _, first = np.unique(target[order], return_index=True)
    return set(rows[order[first]].tolist())


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("backwards", [False, True])
def test_smallest_claim_wins_and_ties_go_to_the_smallest_id(threads, backwards):
    rows, target, claim, ids = contest()
    best = expected(rows, target, claim, ids)
    if backwards:
        rows, target, claim = (np.ascontiguousarray(column[::-1]) for column in (rows, target, claim))
    occupant = np.full(SHAPE, -1, dtype=np.int32)
    claims.mark(rows, target, claim, ids, occupant, threads)
    won = claims.winners(target, occupant).view(bool)
    assert set(rows[won].tolist()) == best
    assert np.count_nonzero(occupant < -1) == len(best)


def test_nobody_claims_anything():
    occupant = np.full(SHAPE, -1, dtype=np.int32)
    nothing = np.zeros(0, dtype=np.int32)
    claims.mark(nothing, nothing, np.zeros(0, np.uint32), np.zeros(0, np.int64), occupant, 2)
    assert len(claims.winners(nothing, occupant)) == 0
