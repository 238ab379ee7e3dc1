"""Whether the steps that are timed do what they should: against float64, and against ours.

The reference is the equation itself, without any stencil: on a smooth periodic field, Gaussians and
derivatives by Fourier transform and eigenvectors cell by cell give the change that one short step makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from magxr.kernels import diffusion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rivals import Rule, Step

LEAST = 0.98
"""Correlation of changes below which a step computes something else."""
SIZE = 0.1
"""How far the size of the change may be off, as a share."""


def smooth_field(size: int = 256) -> np.ndarray:
    """Return curved periodic stripes, about 20 pixels wide, whose amplitude varies along them, nT."""
    y, x = np.mgrid[:size, :size] * (2 * np.pi / size)
    return 150 * np.sin(13 * x + 2 * np.sin(y)) * (1 + 0.4 * np.sin(5 * y)) + 30 * np.cos(3 * x - 4 * y)


def exact_change(u: np.ndarray, rule: Rule) -> np.ndarray:
    """Return ``tau * div(D grad u)`` of a periodic field in float64."""
    ky, kx = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in u.shape), indexing="ij")

    def filtered(f: np.ndarray, symbol: np.ndarray) -> np.ndarray:
        return np.fft.ifft2(np.fft.fft2(f) * symbol).real

    def gaussian(sigma: float) -> np.ndarray:
        return np.exp(-(sigma**2) * (kx**2 + ky**2) / 2)

    gx, gy = (filtered(u, 1j * k * gaussian(rule["sigma"])) for k in (kx, ky))
    j11, j12, j22 = (filtered(p, gaussian(rule["rho"])) for p in (gx * gx, gx * gy, gy * gy))
    tensor = np.moveaxis(np.array([[j11, j12], [j12, j22]]), (0, 1), (-2, -1))
    values, vectors = np.linalg.eigh(tensor)  # the smaller first: along the stripes
    strength = np.exp(-rule["contrast"] * rule["scale"] ** 4 / (values[..., 1] - values[..., 0]) ** 2)
    along = rule["alpha"] + (1 - rule["alpha"]) * strength
    spread = np.stack([along, np.full_like(along, rule["alpha"])], axis=-1)
    d = np.einsum("...ik,...k,...jk->...ij", vectors, spread, vectors)
    ux, uy = (filtered(u, 1j * k) for k in (kx, ky))
    jx, jy = d[..., 0, 0] * ux + d[..., 0, 1] * uy, d[..., 1, 0] * ux + d[..., 1, 1] * uy
    return rule["tau"] * (filtered(jx, 1j * kx) + filtered(jy, 1j * ky))


def correlation(change: np.ndarray, other: np.ndarray, edge: int = 48) -> float:
    """Correlate two changes away from the edges, where mirrors and periods differ."""
    inner = slice(edge, -edge), slice(edge, -edge)
    return float(np.corrcoef(change[inner].ravel(), other[inner].ravel())[0, 1])


def ours(u: np.ndarray, rule: Rule) -> np.ndarray:
    return diffusion.diffuse(u, steps=1, **rule)


def slope(change: np.ndarray, exact: np.ndarray, edge: int = 48) -> float:
    """Return the size of a change as a multiple of the exact one, by least squares."""
    inner = slice(edge, -edge), slice(edge, -edge)
    return float((change[inner] * exact[inner]).sum() / (exact[inner] ** 2).sum())


def check(steps: Mapping[str, Step], noisy: np.ndarray, rule: Rule, strict: set[str]) -> None:
    """Print how each step's change compares; stop if one of ``strict`` is not a step of ours.

    ``steps`` are made for the shape and dtype of ``noisy``, which is square. On ``noisy`` nothing is judged:
    stencils differ in what they do with noise of two pixels, and Scharr's leave it where it is.
    """
    smooth = smooth_field(len(noisy)).astype(noisy.dtype)
    exact = exact_change(smooth.astype(float), rule)
    changes = {name: np.array(step(smooth)) - smooth for name, step in steps.items()}
    our_smooth, our_noisy = ours(smooth, rule) - smooth, ours(noisy, rule) - noisy
    print(
        "Change by one step: correlation with the exact one, its size, correlation with ours, also on noise"
    )
    print(f"{'':44s} {'exact':>8s} {'size':>8s} {'ours':>8s} {'noisy':>8s}")
    print(f"{'ours':44s} {correlation(our_smooth, exact):8.4f} {slope(our_smooth, exact):8.4f}")
    for name, change in changes.items():
        found = correlation(change, exact), correlation(change, our_smooth)
        size = slope(change, exact)
        noise = correlation(np.array(steps[name](noisy)) - noisy, our_noisy)
        print(f"{name:44s} {found[0]:8.4f} {size:8.4f} {found[1]:8.4f} {noise:8.4f}")
        if name in strict and not (min(found) > LEAST and abs(size - 1) < SIZE):
            raise SystemExit(f"{name} does not take the same step, so timing it means nothing")
