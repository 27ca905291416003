"""in_batches gives the result of the function on all rows at once."""

import jax
import numpy as np
import pytest

from gan_jax.evaluation.batching import in_batches

ROWS = np.arange(20.0, dtype=np.float32).reshape(10, 2)


@pytest.mark.parametrize(("size", "shapes"), [(4, [4, 4, 4]), (5, [5, 5]), (10, [10]), (16, [16])])
def test_the_last_batch_is_padded_with_its_first_row_and_cut(size, shapes):
    calls = []

    def function(index, rows, doubled):
        calls.append((index, rows))
        return {"sum": rows + doubled, "index": np.full(len(rows), index)}

    result = in_batches(function, [ROWS, 2 * ROWS], size)
    np.testing.assert_array_equal(result["sum"], 3 * ROWS)
    np.testing.assert_array_equal(result["index"], np.arange(10) // size)
    assert [len(rows) for _, rows in calls] == shapes
    assert [index for index, _ in calls] == list(range(len(shapes)))
    index, last = calls[-1]
    real = 10 - index * size
    np.testing.assert_array_equal(last[:real], ROWS[index * size :])
    np.testing.assert_array_equal(last[real:], np.broadcast_to(last[0], (size - real, 2)))


@pytest.mark.parametrize(("size", "shapes"), [(4, [5, 5]), (3, [4, 3, 3]), (10, [10]), (16, [10])])
def test_even_batches_are_not_padded(size, shapes):
    batches = []
    result = in_batches(lambda index, rows: batches.append(rows) or 2 * rows, [ROWS], size, even=True)
    np.testing.assert_array_equal(result, 2 * ROWS)
    assert [len(rows) for rows in batches] == shapes


def test_one_compiled_program_serves_all_batches():
    program = jax.jit(lambda rows: rows + 1)
    np.testing.assert_array_equal(in_batches(lambda index, rows: program(rows), [ROWS], 3), ROWS + 1)
    assert program._cache_size() == 1
