"""What members of an ensemble say together, by hand."""

import numpy as np
import pytest

from magxr.errors import ParameterError
from magxr.models.agreement import agreement


def test_by_hand():
    found = agreement([[0.2, 0.9, 0.5], [0.4, 0.9, 0.4], [0.9, 0.9, np.nan]])
    np.testing.assert_allclose(found.mean, [0.5, 0.9, np.nan])
    np.testing.assert_allclose(found.spread, [np.std([0.2, 0.4, 0.9]), 0, np.nan], atol=1e-12)
    np.testing.assert_allclose(found.vote, [1 / 3, 1, np.nan])


def test_one_member_and_no_windows():
    assert agreement([[0.5, 0.1]]).spread.tolist() == [0, 0]
    assert agreement([[0.5, 0.1]]).vote.tolist() == [1, 0]
    assert agreement(np.empty((2, 0))).mean.size == 0


@pytest.mark.parametrize(
    ("members", "message"),
    [([0.5], r"shape \(1,\)"), (np.empty((0, 3)), "at least one member"), ([[1.5]], "the first is 1.5")],
)
def test_refused(members, message):
    with pytest.raises(ParameterError, match=message):
        agreement(members)
