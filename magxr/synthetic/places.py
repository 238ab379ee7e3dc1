"""The paper's four areas as replicas: where they lie, how they were surveyed, and what breaks their lines.

Ages, isochrons and depths come from real grids (`magxr.synthetic.ages`). Everything else is a choice made
here, once, after the paper's description: tracks sparse away from the East Pacific Rise and dense over the
Reykjanes Ridge (Fig. 6), dense west and sparse east in the other two (Figs 10c, 11c, text); provinces without
lineations where the paper sees nonlinear anomalies. The maps are rendered at the spacing of the data that
the paper took (1 or 2 arcmin, Table S1) and are then gridded to its working spacing (step 3), as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from magxr.errors import ParameterError
from magxr.synthetic.place import Bounds, Family, Island, Place

if TYPE_CHECKING:
    from pathlib import Path

    from magxr.synthetic.replica import Replica

PLACES = {
    p.name: p
    for p in (
        Place(
            "epr",
            "East Pacific Rise",
            (-105.6, 3.8, -101.2, 7.8),
            spacing=0.24,
            width=10.0,
            families=(
                Family(82.0, 18.0, 0.85),
                Family(140.0, 70.0, 0.6),
                Family(82.0, 6.0, 0.95, (0.42, 0.5, 110.0)),
            ),
            islands=(
                Island("seamounts", (0.1, 0.85), (0.36, 0.26), 20.0, 4.0, 26.0),
                Island("patches", (0.93, 0.1), (0.36, 0.3), 60.0, 4.0, 24.0),
            ),
            components=47,
            level=12.0,
            toward=80.0,
        ),
        Place(
            "reykjanes",
            "Reykjanes Ridge",
            (-38.0, 56.6, -27.0, 64.6),
            spacing=0.24,
            width=25.0,
            families=(Family(120.0, 5.5, 0.97), Family(35.0, 60.0, 0.5)),
            islands=(
                Island("fractal", (0.1, 0.62), (0.3, 0.14), 20.0, 3.5, 70.0),
                Island("patches", (0.83, 0.27), (0.3, 0.17), 30.0, 4.0, 40.0),
                Island("plateau", (0.93, 0.9), (0.3, 0.22), 60.0, 5.0, 60.0),
                Island("seamounts", (0.2, 0.1), (0.2, 0.12), 100.0, 5.0, 50.0),
            ),
            level=6.0,
            toward=120.0,
            transition=1.0,
        ),
        Place(
            "azores",
            "Azores Plateau",
            (-38.0, 35.4, -24.0, 43.4),
            spacing=0.36,
            width=25.0,
            families=(
                Family(100.0, 34.0, 0.8),
                Family(20.0, 70.0, 0.7),
                Family(100.0, 7.0, 0.95, (0.75, 0.5, 500.0)),
            ),
            islands=(
                Island("plateau", (0.7, 0.32), (0.34, 0.16), 110.0, 5.0, 60.0),
                Island("seamounts", (0.92, 0.8), (0.3, 0.09), 40.0, 5.0, 50.0),
                Island("patches", (0.12, 0.16), (0.2, 0.16), 90.0, 4.0, 40.0),
            ),
            toward=100.0,
            transition=1.0,
        ),
        Place(
            "shatsky",
            "Shatsky Rise",
            (150.0, 29.0, 171.0, 43.0),
            spacing=0.72,
            width=40.0,
            families=(
                Family(40.0, 60.0, 0.75),
                Family(110.0, 90.0, 0.7),
                Family(150.0, 14.0, 0.95, (0.22, 0.5, 420.0)),
            ),
            islands=(
                Island("plateau", (0.42, 0.28), (0.2, 0.12), 40.0, 6.0, 90.0),
                Island("plateau", (0.62, 0.62), (0.2, 0.09), 50.0, 6.0, 80.0),
                Island("fractal", (0.9, 0.18), (0.22, 0.16), 0.0, 3.0, 120.0),
                Island("patches", (0.06, 0.8), (0.3, 0.13), 20.0, 4.0, 60.0),
            ),
            native=2.0,
            skewness=60.0,
            toward=150.0,
            altitude=4.0,
            rough=(2.0, 90.0),
            transition=3.0,
        ),
    )
}
"""Name -> place."""

TRAINING = ("epr", "reykjanes")
UNSEEN = ("azores", "shatsky")


def place(name: str) -> Place:
    """Return the place of that name.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if name not in PLACES:
        msg = f"unknown place {name!r}; there are {sorted(PLACES)}"
        raise ParameterError(msg)
    return PLACES[name]


def replica(
    where: str | Place,
    folder: str | Path,
    seed: int = 0,
    *,
    bounds: Bounds | None = None,
) -> Replica:
    """Return one of the paper's areas as a replica.

    Parameters
    ----------
    where : str or Place
        "epr", "reykjanes", "azores", "shatsky", or a place of your own.
    folder : str or Path
        Of the age grids; see `magxr.synthetic.ages.read`.
    seed : int
        Of everything that is drawn.
    bounds : (float, float, float, float), optional
        Part of it: west, south, east, north, degrees. Tracks and provinces stay where they are in the whole.

    Raises
    ------
    ParameterError
        If there is no such place, or the part does not lie inside it.
    StoreError, GridError
        If the age grids cannot be used.

    Notes
    -----
    The extents are shorter than the paper's where its area is larger than labels are needed for: the East
    Pacific Rise has its 288 windows (at a stride of 50); the Reykjanes Ridge 1,836 of "over 4,000", from
    which the paper labelled 574.
    """
    chosen = where if isinstance(where, Place) else place(where)
    return chosen.replica(folder, seed, bounds)
