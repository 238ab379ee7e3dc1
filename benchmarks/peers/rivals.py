"""One step of coherence-enhancing diffusion as other packages do it, or as a user would put it together.

Packages that are not installed are named with what to install (`Missing`):

    pip install diplib opencv-python-headless numexpr scikit-image

Every rival is a function ``make(u, rule)`` that gets its work space ready, on one thread, and returns
``step(u) -> new u``. `RIVALS` lists them. The diffusivities are ours: C = contrast * scale**4, alpha across.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMEXPR_MAX_THREADS="1")

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Step = Callable[[np.ndarray], Any]
    Rule = Mapping[str, float]

RULE = {"sigma": 1.0, "rho": 4.0, "tau": 0.25, "alpha": 1e-3, "contrast": 2.56e-8, "scale": 200.0}


class Missing(Exception):
    """A package is not installed."""


def need(module: str, package: str) -> Any:
    """Import a package, or say what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as reason:
        msg = f"{module} is not installed: pip install {package}"
        raise Missing(msg) from reason


def lineated(size: int, dtype: str, seed: int = 0) -> np.ndarray:
    """Return stripes 14 pixels wide with noise, nT, row by row so that no larger array is ever made."""
    rng = np.random.default_rng(seed)
    u = np.empty((size, size), dtype)
    x = np.arange(size) * np.cos(np.radians(25.0))
    for i, row in enumerate(u):
        across = x - i * np.sin(np.radians(25.0))
        row[:] = 150 * np.sin(2 * np.pi * across / 14) + rng.normal(0, 20, size)
    return u


def yardstick(_u: np.ndarray, rule: Rule) -> Step:
    """``scipy.ndimage.gaussian_filter`` of the integration scale, truncated at 3."""
    return lambda u: ndimage.gaussian_filter(u, rule["rho"], truncate=3)


def diplib(_u: np.ndarray, rule: Rule) -> Step:
    """DIPlib's own filter, one iteration, with its own diffusivities."""
    dip = need("diplib", "diplib")
    dip.SetNumberOfThreads(1)
    scales = {"derivativeSigma": rule["sigma"], "regularizationSigma": rule["rho"]}
    return lambda u: np.asarray(dip.CoherenceEnhancingDiffusion(u, **scales, iterations=1))


def skimage(_u: np.ndarray, rule: Rule) -> Step:
    """Structure tensor and eigenvalues of scikit-image: a part of a step, and no diffusion."""
    feature = need("skimage.feature", "scikit-image")

    def part(u: np.ndarray) -> Any:
        tensor = feature.structure_tensor(u, sigma=rule["rho"], mode="reflect", order="rc")
        return feature.structure_tensor_eigenvalues(tensor)

    return part


def opencv(u: np.ndarray, rule: Rule) -> Step:
    """OpenCV for the filters, numexpr for the rest; Scharr's derivatives (rotation-invariant, 5 x 5)."""
    cv2, ne = need("cv2", "opencv-python-headless"), need("numexpr", "numexpr")
    cv2.setNumThreads(1)
    ne.set_num_threads(1)
    gx, gy, a, b, c, j11, j12, j22 = (np.empty_like(u) for _ in range(8))
    out = np.empty_like(u)
    # Constants in the dtype of the data: numexpr would compute in float64 otherwise.
    number = u.dtype.type
    k = {
        "alpha": number(rule["alpha"]),
        "half": number((1 - rule["alpha"]) / 2),
        "less_c": number(-rule["contrast"] * rule["scale"] ** 4),
        "tiny": number(1e-20),
        "two": number(2),
        "tau": number(rule["tau"]),
    }
    depth = cv2.CV_32F if u.dtype == np.float32 else cv2.CV_64F

    def blur(x: np.ndarray, sigma: float, into: np.ndarray) -> None:
        side = 2 * int(np.ceil(3 * sigma)) + 1
        cv2.GaussianBlur(x, (side, side), sigma, dst=into, borderType=cv2.BORDER_REFLECT)

    def derivative(x: np.ndarray, axis: int, into: np.ndarray) -> None:
        cv2.Scharr(x, depth, axis, 1 - axis, dst=into, scale=1 / 32, borderType=cv2.BORDER_REFLECT)

    def evaluate(text: str, into: np.ndarray, **arrays: np.ndarray) -> None:
        ne.evaluate(text, local_dict=arrays | k, global_dict={}, out=into)

    def step(u: np.ndarray) -> np.ndarray:
        blur(u, rule["sigma"], a)
        derivative(a, 1, gx)
        derivative(a, 0, gy)
        for text, product, smooth in (("x * x", a, j11), ("x * y", b, j12), ("y * y", c, j22)):
            evaluate(text, product, x=gx, y=gy)
            blur(product, rule["rho"], smooth)
        j = {"p": j11, "q": j12, "r": j22}
        evaluate("tiny + (p - r) * (p - r) + two * two * q * q", a, **j)  # squared distance of eigenvalues
        evaluate("half * exp(less_c / s)", b, s=a)
        evaluate("l / sqrt(s)", c, l=b, s=a)
        derivative(u, 1, gx)
        derivative(u, 0, gy)
        parts = {**j, "l": b, "t": c, "x": gx, "y": gy}
        evaluate("(alpha + l - t * (p - r)) * x - two * t * q * y", a, **parts)
        evaluate("(alpha + l + t * (p - r)) * y - two * t * q * x", j11, **parts)
        derivative(a, 1, gx)
        derivative(j11, 0, gy)
        evaluate("u + tau * (x + y)", out, u=u, x=gx, y=gy)
        return out

    return step


def scipy(u: np.ndarray, rule: Rule) -> Step:
    """scipy.ndimage for the filters, numpy for the rest; the non-negative 3 x 3 scheme."""
    us, gx, gy, j11, j12, j22, work, out = (np.empty_like(u) for _ in range(8))
    number = u.dtype.type
    less_c = number(-rule["contrast"] * rule["scale"] ** 4)
    alpha, half = number(rule["alpha"]), number((1 - rule["alpha"]) / 2)
    sides = (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1, :], np.s_[1:, :]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
        (np.s_[:-1, 1:], np.s_[1:, :-1]),
    )

    def step(u: np.ndarray) -> np.ndarray:
        ndimage.gaussian_filter(u, rule["sigma"], truncate=3, output=us)
        for axis, into in ((1, gx), (0, gy)):
            ndimage.correlate1d(us, [-0.5, 0, 0.5], axis, output=into)
        for x, y, into in ((gx, gx, j11), (gx, gy, j12), (gy, gy, j22)):
            np.multiply(x, y, out=work)
            ndimage.gaussian_filter(work, rule["rho"], truncate=3, output=into)
        d, e = np.subtract(j11, j22, out=j11), np.add(j12, j12, out=j12)
        squared = d * d
        squared += np.multiply(e, e, out=work)
        squared += number(1e-20)
        along = np.divide(less_c, squared, out=work)
        np.exp(along, out=along)
        along *= half
        turn = np.divide(along, np.sqrt(squared, out=squared), out=squared)
        d *= turn
        e *= turn
        along += alpha
        b = np.negative(e, out=e)
        steep = np.abs(b)
        weights = (along - d - steep, along + d - steep, np.maximum(b, 0), np.maximum(-b, 0))
        np.copyto(out, u)
        for weight, (here, there) in zip(weights, sides, strict=True):
            flux = weight[here] + weight[there]
            flux *= u[there] - u[here]
            flux *= number(rule["tau"] / 2)
            out[here] += flux
            out[there] -= flux
        return out

    return step


RIVALS = {
    "yardstick": yardstick,
    "OpenCV + numexpr step": opencv,
    "numpy + scipy step": scipy,
    "DIPlib step": diplib,
    "scikit-image tensor": skimage,
}
