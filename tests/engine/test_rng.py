"""Counter-based draws: known answers, and what makes them usable."""

import numpy as np
from scipy import stats

from marrowsim._engine.rng import Stream, uniform, uniform2, words


def test_known_answer_of_philox_4x32_10():
    """Salmon et al. 2011, kat_vectors of Random123: all-zero counter and key."""
    expected = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    np.testing.assert_array_equal(words(0, 0, 0, [0])[0], np.array(expected, dtype=np.uint32))


def test_every_argument_matters():
    drawn = [
        words(1, 2, 3, [4], 5),
        words(9, 2, 3, [4], 5),
        words(1, 9, 3, [4], 5),
        words(1, 2, 9, [4], 5),
        words(1, 2, 3, [9], 5),
        words(1, 2, 3, [4], 9),
        words(1 + 2**40, 2, 3, [4], 5),
        words(1, 2, 3, [4 + 2**40], 5),
    ]
    assert len({tuple(row[0]) for row in drawn}) == len(drawn)


def test_draws_are_uniform_and_do_not_depend_on_company():
    ids = np.arange(100_000)
    drawn = uniform(7, Stream.STREAM_USER, 3, ids)
    assert stats.kstest(drawn, "uniform").pvalue > 0.01
    np.testing.assert_array_equal(uniform(7, Stream.STREAM_USER, 3, ids[::-1])[::-1], drawn)
    pair = uniform2(7, Stream.STREAM_USER, 3, ids)
    assert abs(np.corrcoef(np.column_stack([drawn, pair]).T) - np.eye(3)).max() < 4 / np.sqrt(100_000)


def test_streams_have_numbers_of_their_own():
    numbers = [int(stream) for stream in Stream]
    assert len(set(numbers)) == len(numbers)
