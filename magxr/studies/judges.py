"""Who says whether a way of cleaning helps: hidden cells of the map, or labelled windows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from magxr.errors import ParameterError
from magxr.models.split import block_ids
from magxr.steps.labels import label_windows
from magxr.steps.windows import windows
from magxr.studies import crossing, hiding
from magxr.studies.interval import LEVEL

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from magxr.studies.candidates import Candidate
    from magxr.studies.features import Features

BATCH = 32
"""Windows whose features are taken at once."""


class Verdict(NamedTuple):
    """What a candidate gains over another, with the ends of its interval."""

    gain: float
    low: float
    high: float
    score: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    """Balanced accuracy and the ends of its interval, where labels judge."""


class Judge(Protocol):
    """Compares candidates with a base, several at once."""

    @property
    def measure(self) -> str:
        """What a gain is of, in words."""
        ...

    def compare(self, candidates: list[Candidate], base: Candidate) -> list[Verdict]:
        """Return the gain of each candidate over the base."""
        ...

    def confirm(self, chosen: Candidate, base: Candidate) -> Verdict | None:
        """Return the gain of the one that was chosen on what it was not chosen by; None: there is no such."""
        ...


@dataclass(frozen=True)
class HiddenCells:
    """Judges by cells of the map that were hidden."""

    sets: tuple[hiding.HoldOut, hiding.HoldOut]
    seed: int
    measure: str = "share by which the rms error in hidden cells shrinks"

    def compare(self, candidates: list[Candidate], base: Candidate) -> list[Verdict]:
        """Compare by the first set of discs."""
        without = self.sets[0].errors(base)
        return [Verdict(*hiding.gain(without, self.sets[0].errors(c), seed=self.seed)) for c in candidates]

    def confirm(self, chosen: Candidate, base: Candidate) -> Verdict | None:
        """Compare again by the second set."""
        of = self.sets[1]
        return Verdict(*hiding.gain(of.errors(base), of.errors(chosen), seed=self.seed))


@dataclass(frozen=True, eq=False)
class LabelledWindows:
    """Judges by blocked cross-validation on labelled windows of a map."""

    da: xr.DataArray
    """The map, in memory, nT."""
    features: Features
    numbers: NDArray[np.int64]
    """Which of the map's windows are labelled."""
    truth: NDArray[np.int_]
    blocks: NDArray[np.int64]
    codes: NDArray[np.int8]
    """Of the windows in each fold, see `magxr.studies.crossing.codes_of`."""
    size: int
    stride: int
    seed: int
    measure: str = (
        "balanced accuracy of a pooled head, cross-validated by blocks; intervals hold for all tried at once"
    )
    _known: dict[Candidate, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        da: xr.DataArray,
        *,
        labels: str | Path | xr.Dataset,
        features: Features,
        size: int,
        stride: int,
        block: int | None,
        folds: int,
        seed: int,
    ) -> LabelledWindows:
        """Find the labelled windows, and refuse labels that no head can be tried on.

        Raises
        ------
        ParameterError
            If labels belong to other windows, or `magxr.studies.crossing.codes_of` refuses them.
        """
        cut = windows(da.chunk(), size=size, stride=stride)
        table = label_windows(cut, table=labels)
        numbers = table["window"].values[table["label"].values >= 0]
        truth = table["label"].sel(window=numbers).values.astype(int)
        if truth.size == 0:
            msg = "the table labels no window 0 or 1: all are ambiguous (-1) or missing; label some"
            raise ParameterError(msg)
        chosen = cut.sel(window=numbers)
        positions = np.column_stack([chosen["start_row"].values, chosen["start_column"].values])
        blocks = block_ids(positions, size if block is None else block)
        codes = crossing.codes_of(truth, blocks, positions, size, folds=folds, seed=seed)
        return cls(da, features, numbers, truth, blocks, codes, size, stride, seed)

    def compare(self, candidates: list[Candidate], base: Candidate) -> list[Verdict]:
        """Compare by paired gains; intervals hold for all candidates at once (Bonferroni)."""
        level = 1.0 - (1.0 - LEVEL) / max(1, len(candidates))
        without = self._answers(base)
        return [self._verdict(c, without, level) for c in candidates]

    def confirm(self, chosen: Candidate, base: Candidate) -> Verdict | None:  # noqa: ARG002 (of the protocol)
        """Return None: all labels were used, and the intervals allow for the choice."""
        return None

    def _verdict(self, candidate: Candidate, without: NDArray[np.float64], level: float) -> Verdict:
        with_it = self._answers(candidate)
        how: dict[str, Any] = {"seed": self.seed}
        grown = crossing.paired_gain(self.truth, without, with_it, self.blocks, level=level, **how)
        return Verdict(*grown, crossing.balanced(self.truth, with_it, self.blocks, level=LEVEL, **how))

    def _answers(self, candidate: Candidate) -> NDArray[np.float64]:
        if candidate not in self._known:
            cut = windows(candidate.applied(self.da).chunk(), size=self.size, stride=self.stride)
            chosen = cut[self.da.name if self.da.name is not None else "anomaly"].sel(window=self.numbers)
            found = []
            for first in range(0, len(self.numbers), BATCH):
                part = chosen.isel(window=slice(first, first + BATCH)).values
                found.append(np.asarray(self.features(part), np.float64))
            values = np.concatenate(found)
            if values.ndim != 2 or len(values) != len(self.numbers) or not np.isfinite(values).all():
                msg = (
                    f"features gave an array of shape {values.shape} for {len(self.numbers)} windows, or "
                    "values that are not finite; it must return one row of finite numbers for each window"
                )
                raise ParameterError(msg)
            self._known[candidate] = crossing.out_of_fold(values, self.truth, self.codes)
        return self._known[candidate]
