"""Coherence-enhancing diffusion with the tensor at pixels, slow and obvious, in float64: for tests.

From the published equations: Weickert (1998, 1999) for the tensor and the non-negative discretisation ('N'
of Kroon and Slump 2009), Weickert and Scharr (2002) for the rotation-invariant one ('R'). The grid is
continued so far out that edges need no thought (``border`` is a mode of `numpy.pad`); gaps are NaN.
"""

import numpy as np

SCHARR_X = np.outer([3, 10, 3], [-1, 0, 1]) / 32
SCHARR_Y = SCHARR_X.T
# Neighbours in rows and columns; D12 > 0 is a direction up and to the right.
SIDES = {(0, 1): 0, (0, -1): 0, (1, 0): 2, (-1, 0): 2}
DIAGONALS = {(1, 1): 1, (-1, -1): 1, (1, -1): -1, (-1, 1): -1}


def gaussian(sigma, truncate):
    if sigma == 0:
        return np.ones(1)
    r = int(np.ceil(truncate * sigma - 1e-9))
    w = np.exp(-(np.arange(-r, r + 1) ** 2) / (2.0 * sigma**2))
    return w / w.sum()


def smooth(x, sigma, truncate):
    """Convolve both axes; the result is smaller by the radius on each side."""
    w = gaussian(sigma, truncate)
    for axis in (0, 1):
        x = np.apply_along_axis(lambda line: np.convolve(line, w, mode="valid"), axis, x)
    return x


def shifted(x, di, dj):
    """Return the neighbours of all but the outermost pixels."""
    return x[1 + di : x.shape[0] - 1 + di, 1 + dj : x.shape[1] - 1 + dj]


def correlate(x, kernel):
    """Apply a 3 x 3 filter to all but the outermost pixels."""
    return sum(kernel[1 + di, 1 + dj] * shifted(x, di, dj) for di in (-1, 0, 1) for dj in (-1, 0, 1))


def all_around(valid):
    """Tell which of all but the outermost pixels have 3 x 3 valid ones."""
    return correlate(valid.astype(float), np.ones((3, 3))) == 9


def inner(x, depth):
    return x[depth : x.shape[0] - depth, depth : x.shape[1] - depth]


def structure_tensor(wide, valid, sigma, rho, truncate):
    """J11, J12, J22 as means over pixels with 3 x 3 valid ones (0 where none is in reach)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        u = smooth(np.where(valid, wide, 0.0), sigma, truncate[0])
        u /= smooth(valid.astype(float), sigma, truncate[0])
    here = inner(valid, len(gaussian(sigma, truncate[0])) // 2)
    counts = all_around(here)
    u = np.where(here, u, 0.0)
    gx, gy = (np.where(counts, correlate(u, k), 0.0) for k in (SCHARR_X, SCHARR_Y))
    weight = smooth(counts.astype(float), rho, truncate[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = [smooth(p, rho, truncate[1]) for p in (gx * gx, gx * gy, gy * gy)]
        return [np.where(weight > 1e-12, s / weight, 0.0) for s in sums]


def diffusion_tensor(j11, j12, j22, alpha, c):
    """D11, D12, D22 by the eigenvectors of J: alpha across the stripes, more along them."""
    mu, v = np.linalg.eigh(np.stack([np.stack([j11, j12], -1), np.stack([j12, j22], -1)], -1))  # ascending
    gap = (mu[..., 1] - mu[..., 0]) ** 2
    along = np.where(gap > 0, alpha + (1 - alpha) * np.exp(-c / np.where(gap > 0, gap, 1.0)), alpha)
    first, second = v[..., 0], v[..., 1]
    return [
        along * first[..., i] * first[..., k] + alpha * second[..., i] * second[..., k]
        for i, k in ((0, 0), (0, 1), (1, 1))
    ]


def step(u, scheme, sigma, rho, tau, alpha, c, truncate, border):
    reach = sum(len(gaussian(s, t)) // 2 for s, t in zip((sigma, rho), truncate, strict=True)) + 2
    wide = np.pad(u, reach, mode=border)
    valid = np.isfinite(wide)
    d = diffusion_tensor(*structure_tensor(wide, valid, sigma, rho, truncate), alpha, c)
    # D lies on the grid and one pixel more.
    values = np.where(valid, wide, 0.0)
    change = {"nonnegative": nonnegative, "rotation_invariant": rotation_invariant}[scheme]
    return np.where(np.isfinite(u), u + tau * change(inner(values, reach - 2), inner(valid, reach - 2), d), u)


def rotation_invariant(u, valid, d):
    """Divergence of D grad u; no flux where a gap is near."""
    counts = all_around(valid)
    a, b, c = (np.where(counts, p, 0.0) for p in d)
    gx, gy = correlate(u, SCHARR_X), correlate(u, SCHARR_Y)
    return correlate(a * gx + b * gy, SCHARR_X) + correlate(b * gx + c * gy, SCHARR_Y)


def nonnegative(u, valid, d):
    """Exchange with eight neighbours, every weight the mean of what both pixels offer."""
    counts = all_around(valid)
    u, valid = inner(u, 1), inner(valid, 1)
    a, b, c = d
    offered = {0: a - abs(b), 2: c - abs(b)}
    offered = {k: np.where(counts, w, np.maximum(w, 0.0)) for k, w in offered.items()}
    b = np.where(counts, b, 0.0)
    both = {n: offered[k] for n, k in SIDES.items()}
    both |= {n: np.maximum(s * b, 0.0) for n, s in DIAGONALS.items()}
    change = 0.0
    for (di, dj), w in both.items():
        weight = (shifted(w, 0, 0) + shifted(w, di, dj)) / 2
        weight = weight * shifted(valid, 0, 0) * shifted(valid, di, dj)
        change = change + weight * (shifted(u, di, dj) - shifted(u, 0, 0))
    return change


def diffuse(
    u, *, scheme, steps, sigma, rho, tau, alpha, contrast, scale, truncate=(3.0, 3.0), border="symmetric"
):
    """Take steps on a whole grid."""
    u = u.astype(np.float64)
    for _ in range(steps):
        u = step(u, scheme, sigma, rho, tau, alpha, contrast * scale**4, truncate, border)
    return u
