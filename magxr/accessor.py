"""The accessor ``.mag``: each method is one call of the plain function of the same name.

The functions are the API and hold the documentation; a test keeps the signatures equal. Steps are
imported when they are called, which keeps `import magxr` light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping
    from pathlib import Path

    from magxr.steps.gridding import SpacingAdvice
    from magxr.studies.tuned import Tuned

    Labelled = xr.Dataset | xr.DataArray


@xr.register_dataset_accessor("mag")
@xr.register_dataarray_accessor("mag")
class Mag:
    """Interpretation steps on gridded magnetic anomalies; holds the object and nothing else."""

    def __init__(self, obj: Labelled) -> None:
        self._obj: Any = obj

    def summary(self, *, variable: Hashable | None = None) -> xr.Dataset:
        """Describe the values and the grid; see `magxr.summary`."""
        from magxr.steps.outliers import summary

        return summary(self._obj, variable=variable)

    def remove_outliers(self, *, k: float = 1.5, variable: Hashable | None = None) -> Any:
        """Make cells outside Tukey's fences missing; see `magxr.remove_outliers`."""
        from magxr.steps.outliers import remove_outliers

        return remove_outliers(self._obj, k=k, variable=variable)

    def grid(
        self,
        *,
        spacing: str | tuple[str, str] | SpacingAdvice | None = None,
        max_gap: int | str = 32,
        variable: Hashable | None = None,
    ) -> Any:
        """Fill gaps and respace by splines; see `magxr.grid`."""
        from magxr.steps.gridding import grid

        return grid(self._obj, spacing=spacing, max_gap=max_gap, variable=variable)

    def denoise(
        self,
        *,
        variance: float = 0.98,
        k: int | None = None,
        mode: Literal["region", "tile"] = "region",
        tile: int = 256,
        center: bool = False,
        residual: bool = False,
        variable: Hashable | None = None,
    ) -> Any:
        """Keep the largest singular components; see `magxr.denoise`."""
        from magxr.steps.lowrank import denoise

        return denoise(
            self._obj,
            variance=variance,
            k=k,
            mode=mode,
            tile=tile,
            center=center,
            residual=residual,
            variable=variable,
        )

    def diffuse(
        self,
        *,
        sigma: float | None = None,
        rho: float | None = None,
        steps: int | None = None,
        tau: float | None = None,
        time: float | None = None,
        cycles: int | None = None,
        alpha: float = 1e-3,
        contrast: float = 2.56e-8,
        scale: float | None = None,
        scheme: Literal["cell", "fed", "nonnegative", "rotation_invariant"] = "cell",
        metric: Literal["pixel", "spherical"] = "pixel",
        fixed: Any = None,
        barrier: Any = None,
        halo: int | Literal["exact", "rule"] = "exact",
        truncate: float | tuple[float, float] = 3.0,
        variable: Hashable | None = None,
    ) -> Any:
        """Smooth along the stripes, hardly across them; see `magxr.diffuse`."""
        from magxr.steps.diffusion import diffuse

        return diffuse(
            self._obj,
            sigma=sigma,
            rho=rho,
            steps=steps,
            tau=tau,
            time=time,
            cycles=cycles,
            alpha=alpha,
            contrast=contrast,
            scale=scale,
            scheme=scheme,
            metric=metric,
            fixed=fixed,
            barrier=barrier,
            halo=halo,
            truncate=truncate,
            variable=variable,
        )

    def structure(
        self,
        *,
        sigma: float | None = None,
        rho: float | None = None,
        metric: Literal["pixel", "spherical"] = "pixel",
        variable: Hashable | None = None,
    ) -> xr.Dataset:
        """Return coherence and strike; see `magxr.structure`."""
        from magxr.steps.diffusion import structure

        return structure(self._obj, sigma=sigma, rho=rho, metric=metric, variable=variable)

    def wavelength(
        self,
        *,
        size: int = 250,
        stride: int = 50,
        max_missing: float = 0.2,
        variable: Hashable | None = None,
    ) -> xr.Dataset:
        """Tell how wide the stripes are, on window centres; see `magxr.wavelength`."""
        from magxr.steps.wavelength import wavelength

        return wavelength(self._obj, size=size, stride=stride, max_missing=max_missing, variable=variable)

    def windows(
        self,
        *,
        size: int = 250,
        stride: int = 50,
        edges: Literal["pad", "shift", "drop"] = "shift",
        variable: Hashable | None = None,
    ) -> xr.Dataset:
        """Cut the map into overlapping windows; see `magxr.windows`."""
        from magxr.steps.windows import windows

        return windows(self._obj, size=size, stride=stride, edges=edges, variable=variable)

    def classify(
        self,
        *,
        model: str | Path | Any = "default",
        stride: int = 10,
        size: int | None = None,
        max_missing: float = 0.2,
        edges: Literal["none", "pad"] = "none",
        batch: int | None = None,
        doubt: bool = False,
        check_spacing: bool | Literal["warn"] = True,
        variable: Hashable | None = None,
    ) -> xr.Dataset:
        """Give the probability of "linear" on window centres; see `magxr.classify`."""
        from magxr.steps.classify import classify

        return classify(
            self._obj,
            model=model,
            stride=stride,
            size=size,
            max_missing=max_missing,
            edges=edges,
            batch=batch,
            doubt=doubt,
            check_spacing=check_spacing,
            variable=variable,
        )

    def explain(
        self,
        lat: float,
        lon: float,
        *,
        model: str | Path | Any = "default",
        method: Literal["additive", "gradcam", "occlusion"] | None = None,
        check_spacing: bool | Literal["warn"] = True,
        variable: Hashable | None = None,
    ) -> xr.DataArray:
        """Show where in one window a model's answer comes from; see `magxr.explain`."""
        from magxr.steps.explain import explain

        return explain(
            self._obj,
            lat,
            lon,
            model=model,
            method=method,
            check_spacing=check_spacing,
            variable=variable,
        )

    def calibrate(
        self,
        *,
        neighbours: int = 25,
        keep: tuple[float, float] = (0.3, 0.7),
        majority: float = 0.5,
        cut: float = 0.5,
        to: Literal["certain", "extreme"] = "certain",
        ties: Literal["keep", "linear", "nonlinear"] = "keep",
        where: Any = None,
        barrier: Any = None,
        variable: Hashable | None = None,
    ) -> xr.Dataset:
        """Let neighbours settle uncertain predictions; see `magxr.calibrate`."""
        from magxr.steps.calibrate import calibrate

        return calibrate(
            self._obj,
            neighbours=neighbours,
            keep=keep,
            majority=majority,
            cut=cut,
            to=to,
            ties=ties,
            where=where,
            barrier=barrier,
            variable=variable,
        )

    def plot(
        self,
        *,
        what: str | None = None,
        anomaly: Labelled | None = None,
        ax: Any = None,
        variable: Hashable | None = None,
        limit: float | None = None,
        title: str | None = None,
        subtitle: str = "",
        cells: int = 1500,
    ) -> Any:
        """Draw what the object holds; see `magxr.plot`."""
        from magxr.view.plot import plot

        return plot(
            self._obj,
            what=what,
            anomaly=anomaly,
            ax=ax,
            variable=variable,
            limit=limit,
            title=title,
            subtitle=subtitle,
            cells=cells,
        )

    def tune(
        self,
        labels: str | Path | xr.Dataset | None = None,
        *,
        features: str | Any = "alignment",
        candidates: Mapping[str, Mapping[str, Any]] | None = None,
        measured: xr.DataArray | None = None,
        variances: Iterable[float] = (0.98, 0.95),
        made_up: float = 0.05,
        size: int = 250,
        stride: int = 50,
        side: int = 1024,
        folds: int = 5,
        block: int | None = None,
        seeds: Iterable[int] = (0, 1, 2),
        variable: Hashable | None = None,
    ) -> Tuned:
        """Choose a diffusion that is shown to help, or none; see `magxr.tune`."""
        from magxr.studies.tuning import tune

        return tune(
            self._obj,
            labels,
            features=features,
            candidates=candidates,
            measured=measured,
            variances=variances,
            made_up=made_up,
            size=size,
            stride=stride,
            side=side,
            folds=folds,
            block=block,
            seeds=seeds,
            variable=variable,
        )
