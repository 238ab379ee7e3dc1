"""Coherence-enhancing diffusion as slowly and obviously as it can be written: NumPy, float64, whole grid.

Written from the equations (Weickert 1999; cell-centred energy), on a grid that is mirrored so far out that
the edge needs no thought. Gaps are NaN.
"""

import numpy as np


def kernel(sigma):
    if sigma == 0:
        return np.ones(1)
    r = int(np.ceil(3 * sigma - 1e-9))
    w = np.exp(-(np.arange(-r, r + 1) ** 2) / (2.0 * sigma**2))
    return w / w.sum()


def smooth(x, sigma):
    """Convolve both axes; the result is smaller by the radius on each side."""
    w = kernel(sigma)
    for axis in (0, 1):
        x = np.apply_along_axis(lambda line: np.convolve(line, w, mode="valid"), axis, x)
    return x


def corners(u):
    return u[:-1, :-1], u[:-1, 1:], u[1:, :-1], u[1:, 1:]


def gradient(u):
    u00, u10, u01, u11 = corners(u)
    return ((u10 - u00) + (u11 - u01)) / 2, ((u01 - u00) + (u11 - u10)) / 2


def tensor(u, sigma, rho):
    """J on cells -1..n-1, as weighted means over cells with four valid corners, and which cells are valid."""
    rs, rr = len(kernel(sigma)) // 2, len(kernel(rho)) // 2
    wide = np.pad(u, rs + rr + 1, mode="symmetric")
    valid = np.isfinite(wide)
    with np.errstate(invalid="ignore", divide="ignore"):
        us = smooth(np.where(valid, wide, 0.0), sigma) / smooth(valid.astype(float), sigma)
    seen = valid[rs : valid.shape[0] - rs, rs : valid.shape[1] - rs]
    four = np.logical_and.reduce(corners(seen))
    gx, gy = (np.where(four, g, 0.0) for g in gradient(us))
    weight = smooth(four.astype(float), rho)
    with np.errstate(invalid="ignore", divide="ignore"):
        j = [smooth(p, rho) / weight for p in (gx * gx, gx * gy, gy * gy)]
    open_cells = four[rr : four.shape[0] - rr, rr : four.shape[1] - rr]
    return j, open_cells


def diffusion_tensor(j11, j12, j22, alpha, c):
    """D with the eigenvectors of J, found cell by cell."""
    d = np.empty((3, *j11.shape))
    for at in np.ndindex(j11.shape):
        mu, v = np.linalg.eigh([[j11[at], j12[at]], [j12[at], j22[at]]])  # ascending
        gap = (mu[1] - mu[0]) ** 2
        along = alpha + (1 - alpha) * np.exp(-c / gap) if gap > 0 else alpha
        m = along * np.outer(v[:, 0], v[:, 0]) + alpha * np.outer(v[:, 1], v[:, 1])
        d[(slice(None), *at)] = m[0, 0], m[0, 1], m[1, 1]
    return d


def step(u, sigma, rho, tau, alpha, c, alpha_e=0.4):
    (j11, j12, j22), open_cells = tensor(u, sigma, rho)
    j11, j12, j22 = (np.where(open_cells, j, 0.0) for j in (j11, j12, j22))
    a, b, c2 = diffusion_tensor(j11, j12, j22, alpha, c) * open_cells
    wide = np.pad(u, 1, mode="symmetric")
    filled = np.where(np.isfinite(wide), wide, 0.0)
    u00, u10, u01, u11 = corners(filled)
    gx, gy = gradient(filled)
    q = u11 - u01 - u10 + u00
    fx, fy = (a * gx + b * gy) / 2, (b * gx + c2 * gy) / 2
    h = (1 - 2 * alpha_e) * (a + c2) / 4 * q
    change = np.zeros_like(filled)  # dE/du, one corner at a time
    change[:-1, :-1] += -fx - fy + h
    change[:-1, 1:] += fx - fy - h
    change[1:, :-1] += -fx + fy - h
    change[1:, 1:] += fx + fy + h
    return np.where(np.isfinite(u), u - tau * change[1:-1, 1:-1], u)


def diffuse(u, *, steps, sigma, rho, tau, alpha, contrast, scale):
    u = u.astype(np.float64)
    for _ in range(steps):
        u = step(u, sigma, rho, tau, alpha, contrast * scale**4)
    return u
