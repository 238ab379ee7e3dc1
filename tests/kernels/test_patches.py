"""Connected patches: counted by hand, across the seam, and their areas."""

import numpy as np

from magxr.kernels.patches import patches, sizes

MAP = np.array(
    [
        [1, 0, 0, 1, 1],
        [1, 0, 1, 0, 0],
        [0, 1, 0, 0, 1],
    ],
    dtype=bool,
)


def test_corners_do_not_connect():
    labels, count = patches(MAP)
    assert count == 5
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels > 0, MAP)
    assert labels[0, 0] == labels[1, 0] != labels[2, 1]
    assert np.unique(labels).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_seam_connects_where_the_map_goes_round():
    labels, count = patches(MAP, wrap=True)
    assert count == 4  # the two ends of the first row are one, those of the second and third row are not
    assert labels[0, 0] == labels[0, 4] != labels[2, 4]
    assert np.unique(labels).tolist() == [0, 1, 2, 3, 4]
    assert patches(np.zeros((2, 3), bool), wrap=True)[1] == 0


def test_sizes_add_up_areas_by_row():
    labels, count = patches(MAP)
    found = sizes(labels, count, np.array([1.0, 10.0, 100.0]))
    assert sorted(found.tolist()) == [2.0, 10.0, 11.0, 100.0, 100.0]
    assert sizes(np.zeros((2, 2), np.int32), 0, np.ones(2)).shape == (0,)
