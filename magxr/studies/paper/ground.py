"""The maps of an area: a replica, steps 2 to 5 of the workflow, and the labels that the truth gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import ParameterError
from magxr.steps.diffusion import diffuse
from magxr.steps.gridding import grid
from magxr.steps.lowrank import denoise
from magxr.steps.outliers import remove_outliers
from magxr.studies.paper.diffusions import parameters
from magxr.studies.tuning import tune
from magxr.synthetic.fidelity import fidelity
from magxr.synthetic.plane import KM_PER_DEGREE
from magxr.synthetic.replica import dataset
from magxr.synthetic.scenes import FIDELITY_BOX

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from magxr.studies.paper.ledger import Arrays, Ledger
    from magxr.studies.paper.settings import Settings
    from magxr.synthetic.place import Place
    from magxr.synthetic.replica import Replica

    Floats = NDArray[np.float32]

LABEL_SHARE = 0.7
"""The paper's rule: at least this share of a window linear, or nonlinear, else it is ambiguous."""
VISIBLE = 0.7
"""Correlation of the gridded with the true field below which nobody could see the stripes of a window."""
MISSING = 0.2
"""Windows with a larger share of cells that step 3 could not fill are not taken."""
COLUMNS = ("row", "column", "linear", "visible", "missing")
"""Of the table of windows: first row and column, shares of linear and missing cells, mean correlation."""


@dataclass(frozen=True, eq=False)
class Ground:
    """An area of the study."""

    place: Place
    replica: Replica
    settings: Settings
    ledger: Ledger

    def about(self, what: str) -> dict[str, Any]:
        """Return all that a piece of this area depends on."""
        return {"piece": what, "replica": self.replica.digest, "shrink": self.settings.shrink}

    @property
    def spacing(self) -> float:
        """Working spacing, arcmin."""
        return self.place.spacing * self.settings.shrink

    @property
    def height(self) -> float:
        """Height of a cell, km."""
        return self.spacing / 60.0 * KM_PER_DEGREE

    def gridded(self) -> Arrays:
        """Return the map after step 4, its truth on the same cells, and its coordinates.

        ``denoised`` (float32, nT), ``clean`` (float32, nT), ``linear`` (bool), ``visible`` (float32, -1..1),
        ``filled`` (int8, 1 where step 3 interpolated), ``latitude``, ``longitude`` (degrees), ``quartiles``
        (nT), ``retained`` (share of the variance kept).
        """
        return self.ledger.arrays(self.about("gridded, with flags"), self._gridded)

    def tuned(self) -> dict[str, Any]:
        """Return what `magxr.tune` says of the map after step 4, from the map alone: no truth, no labels.

        ``diffuse``: arguments of `magxr.diffuse`, None for none; ``told``: the answer and why.
        """
        size, stride = self.settings.window, self.settings.stride

        def made() -> dict[str, Any]:
            found = tune(labelled(self.gridded(), "denoised"), variances=(), size=size, stride=stride)
            return {"diffuse": found.chosen, "told": found.to_text().splitlines()}

        return self.ledger.cell(self.about("tuned") | {"size": size, "stride": stride}, made)

    def diffusion(self, name: str) -> dict[str, Any] | None:
        """Return the arguments of a diffusion of `magxr.studies.paper.settings.DIFFUSIONS`; None for none."""
        if name == "tuned":
            how: dict[str, Any] | None = self.tuned()["diffuse"]
            return how
        return parameters(name, self.place, self.height)

    def diffused(self, name: str) -> Floats:
        """Return the map after step 5, nT."""
        maps = self.gridded()
        how = self.diffusion(name)
        if how is None:
            return maps["denoised"]
        about = self.about("diffused") | {"how": how}
        return self.ledger.arrays(
            about, lambda: {"diffused": np.asarray(diffuse(labelled(maps, "denoised"), **how).data)}
        )["diffused"]

    def table(self) -> NDArray[np.float64]:
        """Return the table of all windows, see `COLUMNS`, shape (n, 5)."""
        maps, size, stride = self.gridded(), self.settings.window, self.settings.stride
        rows, cols = maps["denoised"].shape
        if min(rows, cols) < size:
            msg = f"{self.place.name} has {rows} x {cols} cells, less than a window of {size}; shrink less"
            raise ParameterError(msg)
        row, col = np.meshgrid(
            np.arange(0, rows - size + 1, stride), np.arange(0, cols - size + 1, stride), indexing="ij"
        )
        corner = row.ravel(), col.ravel()
        shares = [
            _means(values.astype(np.float64), size, *corner)
            for values in (maps["linear"], np.nan_to_num(maps["visible"]), np.isnan(maps["denoised"]))
        ]
        return np.column_stack([*corner, *shares])

    def _gridded(self) -> Arrays:
        drawn = dataset(self.replica)
        tidy = grid(remove_outliers(drawn[["anomaly"]]))["anomaly"]
        box = [2 * round(0.5 * FIDELITY_BOX / length) + 1 for length in self.replica.plane.cell]
        seen = fidelity(tidy.values.astype(np.float64), drawn["clean"].values, (box[0], box[1]))
        fine = tidy
        if self.spacing < self.place.native:
            fine = grid(tidy, spacing=f"{self.spacing} arcmin")
        low = denoise(fine, k=min(self.place.components, min(fine.shape) // 2))
        nearest = {"lat": fine["lat"], "lon": fine["lon"]}
        truth = drawn[["clean", "linear"]].assign(visible=(("lat", "lon"), seen))
        truth = truth.sel(nearest, method="nearest")
        return {
            "denoised": np.asarray(low.data, np.float32),
            "clean": truth["clean"].values,
            "linear": truth["linear"].values == 1,
            "visible": truth["visible"].values,
            "filled": low["filled"].values,
            "latitude": fine["lat"].values,
            "longitude": fine["lon"].values,
            "quartiles": np.array([float(tidy[q]) for q in ("first_quartile", "third_quartile")]),
            "retained": np.array(float(low["retained_variance"])),
        }


def surveyed(where: Place, shrink: int) -> Place:
    """Return the place with data no finer than the working grid: to take every other cell would alias."""
    return replace(where, native=max(where.native, where.spacing * shrink))


def labelled(maps: Arrays, name: str) -> xr.DataArray:
    """Return a map as a DataArray that the steps take."""
    import xarray as xr

    low, high = maps["quartiles"]
    return xr.DataArray(
        maps[name],
        dims=("lat", "lon"),
        coords={
            "lat": ("lat", maps["latitude"], {"units": "degrees_north"}),
            "lon": ("lon", maps["longitude"], {"units": "degrees_east"}),
            "filled": (("lat", "lon"), maps["filled"]),
            "first_quartile": float(low),
            "third_quartile": float(high),
        },
        name="anomaly",
        attrs={"units": "nT", "registration": "pixel"},
    )


def labels(table: NDArray[np.float64], rule: str = "clear") -> NDArray[np.int8]:
    """Return 1 linear, 0 nonlinear, -1 left out, for rows of a table, by a rule of `LABELS`."""
    linear, visible, missing = table[:, 2], table[:, 3], table[:, 4]
    if rule == "majority":
        label = (linear >= 0.5).astype(np.int8)
    else:
        label = np.full(len(table), -1, np.int8)
        label[(linear >= LABEL_SHARE) & (visible >= VISIBLE)] = 1
        label[1.0 - linear >= LABEL_SHARE] = 0
    label[missing > MISSING] = -1
    return label


def cut(values: Floats, table: NDArray[np.float64], size: int) -> Floats:
    """Return the windows of a table, shape (n, size, size)."""
    views = np.lib.stride_tricks.sliding_window_view(values, (size, size))
    row, col = table[:, :2].astype(int).T
    return np.ascontiguousarray(views[row, col])


def _means(
    values: NDArray[np.float64], size: int, row: NDArray[np.int64], col: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean of each window, from sums of rectangles."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    total[1:, 1:] = values.cumsum(0).cumsum(1)
    below, right = row + size, col + size
    inside = total[below, right] - total[row, right] - total[below, col] + total[row, col]
    result: NDArray[np.float64] = inside / size**2
    return result
