"""The polarity time scale at ages everybody knows."""

from itertools import pairwise

import numpy as np
import pytest

from magxr.errors import ParameterError
from magxr.synthetic.timescale import OLDEST, chron, chrons, polarity, reversals


def test_known_chrons():
    assert chron("C1n") == (0.0, 0.78)  # Brunhes
    assert chron("C1r.1n") == (0.99, 1.07)  # Jaramillo
    assert chron("C2n") == (1.77, 1.95)  # Olduvai
    assert chron("C2An.1n")[0] == 2.581  # Gauss/Matuyama
    assert chron("C5n.2n") == (9.92, 10.949)
    assert chron("C34n") == (83.0, 120.6)  # Cretaceous Normal Superchron
    assert chron("M0r") == chron("CM0r") == (120.6, 121.0)
    assert chron("M25n") == (153.43, 154.0)
    assert chron("C1r.2r") == (1.07, 1.77)  # spans the cryptochron inside it


def test_polarity_at_known_ages():
    ages = [0.0, 0.77, 0.79, 1.03, 1.5, 1.8, 2.0, 3.0, 9.95, 100.0, 120.8, 153.7]
    np.testing.assert_array_equal(polarity(ages), [1, 1, -1, 1, -1, 1, -1, 1, 1, 1, -1, 1])


def test_polarity_agrees_with_the_table_in_the_middle_of_every_chron():
    table = chrons()
    middle = [0.5 * (young + old) for _, _, young, old in table]
    np.testing.assert_array_equal(polarity(middle), [sign for _, sign, _, _ in table])


def test_the_table_has_no_gap_and_alternates():
    table = chrons()
    assert table[0][2] == 0.0
    assert table[-1][3] == OLDEST
    assert all(a[3] == b[2] and a[1] == -b[1] for a, b in pairwise(table))
    assert np.all(np.diff(reversals()) > 0)
    assert len(reversals()) == len(table) - 1


def test_a_reversal_belongs_to_the_older_chron():
    assert polarity(0.78) == -1
    assert polarity(np.nextafter(0.78, 0)) == 1


def test_unknown_polarity_is_zero():
    np.testing.assert_array_equal(polarity([-0.1, np.nan, 157.54, 500.0]), 0)
    assert polarity([[1.0, 2.0]]).shape == (1, 2)
    assert polarity(1.0).dtype == np.int8


def test_agrees_with_the_published_table(real_data):
    """Gee and Kent (2007) as compiled by EarthByte: every normal chron within the embedded range."""
    lines = (real_data / "gpts" / "gsfml_timescales.txt").read_text().splitlines()
    seen = 0
    for line in lines:
        fields = line.split("\t")
        if line.startswith("#") or "N/A" in fields[1:3] or float(fields[1]) > 157.0:
            continue
        young, old = float(fields[1]), float(fields[2])
        assert polarity(0.5 * (young + old)) == 1
        assert young == 0.0 or young in reversals()
        assert old in reversals()
        seen += 1
    assert seen > 140


def test_no_such_chron():
    with pytest.raises(ParameterError, match=r"no chron 'C99n'.*names look like 'C5n\.2n'"):
        chron("C99n")
