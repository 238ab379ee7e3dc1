"""Geomagnetic polarity time scale: which way the field pointed, and when it turned.

The table ``gee_kent_2007.csv`` holds the chrons of Gee and Kent (2007): for 0-83 Ma those of Cande and
Kent (1995) with the cryptochrons, then the Cretaceous Normal Superchron (C34n, 83-120.6 Ma), then the
M-sequence back to M29r (157.53 Ma). Ages are in Ma and the chrons follow each other without gap.

References
----------
Gee, J. S. and D. V. Kent (2007). Source of oceanic magnetic anomalies and the geomagnetic polarity
timescale. Treatise on Geophysics 5, 455-507.
Cande, S. C. and D. V. Kent (1995). Revised calibration of the geomagnetic polarity timescale for the Late
Cretaceous and Cenozoic. J. Geophys. Res. 100, 6093-6095, doi:10.1029/94JB03098.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.floating[Any]]

OLDEST = 157.53
"""Old end of the table (M29r), Ma. Older crust has no known polarity here."""


@cache
def chrons() -> tuple[tuple[str, int, float, float], ...]:
    """Return (name, polarity, young end, old end) of every chron, youngest first; ages in Ma."""
    text = files("magxr.synthetic").joinpath("gee_kent_2007.csv").read_text(encoding="utf-8")
    return tuple(
        (row["chron"], int(row["polarity"]), float(row["young"]), float(row["old"]))
        for row in csv.DictReader(text.splitlines())
    )


@cache
def reversals() -> Floats:
    """Return the ages at which polarity changed, Ma, ascending (0.78, 0.99, ... 157.27)."""
    ages = np.array([young for _, _, young, _ in chrons()][1:])
    ages.setflags(write=False)
    return ages


def chron(name: str) -> tuple[float, float]:
    """Return the young and old end of a chron, Ma.

    Parameters
    ----------
    name : str
        For example ``"C5n.2n"``, ``"C34n"`` or ``"M10n"`` (also written ``"CM10n"``). A chron that
        cryptochrons cut into several pieces spans all of them.

    Raises
    ------
    ParameterError
        If the table has no such chron.
    """
    wanted = name[1:] if name.startswith("CM") else name
    pieces = [(young, old) for known, _, young, old in chrons() if known == wanted]
    if not pieces:
        like = [known for known, *_ in chrons() if known.startswith(wanted[:3])]
        msg = f"no chron {name!r} in Gee and Kent (2007); names look like 'C5n.2n' or 'M10n' (near: {like})"
        raise ParameterError(msg)
    return min(young for young, _ in pieces), max(old for _, old in pieces)


def polarity(age: ArrayLike) -> NDArray[np.int8]:
    """Return the polarity of the field at given ages.

    Parameters
    ----------
    age : array_like
        Any shape, Ma before present.

    Returns
    -------
    numpy.ndarray
        Same shape, int8: 1 normal, -1 reversed (a reversal itself belongs to the older chron), 0 where the
        age is negative, NaN or older than `OLDEST`.
    """
    ages = np.asarray(age, dtype=np.float64)
    turns = np.searchsorted(reversals(), ages, side="right")
    known = (ages >= 0.0) & (ages <= OLDEST)
    return np.where(known, 1 - 2 * (turns % 2), 0).astype(np.int8)
