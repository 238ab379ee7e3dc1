"""A slow, obvious float64 version of coherence-enhancing diffusion on cells.

Weickert (1999) with the cell-centred energy, on a grid mirrored so far out that the edge needs no thought,
eigenvectors found cell by cell. Gaps are NaN. Rows may be stretched: a height of a pixel is ``pixels[i]``
widths in row i, ``cells[i]`` in the row of cells south of it.
"""

import numpy as np


def gaussian(sigma, truncate=3.0):
    if sigma == 0:
        return np.ones(1)
    r = int(np.ceil(truncate * sigma - 1e-9))
    w = np.exp(-(np.arange(-r, r + 1) ** 2) / (2.0 * sigma**2))
    return w / w.sum()


def along(x, sigma, stretch, margin, truncate=3.0):
    """Convolve each row with its own Gaussian; the result is smaller by ``margin`` on both sides."""
    out = np.empty((x.shape[0], x.shape[1] - 2 * margin))
    for i, line in enumerate(x):
        w = gaussian(sigma * stretch[i], truncate)
        cut = margin - len(w) // 2
        out[i] = np.convolve(line[cut : len(line) - cut], w, mode="valid")
    return out


def down(x, sigma, truncate=3.0):
    w = gaussian(sigma, truncate)
    return np.apply_along_axis(lambda column: np.convolve(column, w, mode="valid"), 0, x)


def corners(u):
    return u[:-1, :-1], u[:-1, 1:], u[1:, :-1], u[1:, 1:]


def gradient_of_cells(u):
    u00, u10, u01, u11 = corners(u)
    return ((u10 - u00) + (u11 - u01)) / 2, ((u01 - u00) + (u11 - u10)) / 2


def tensor(u, sigma, rho, *, pixels=None, cells=None, shut=None, truncate=(3.0, 3.0)):
    """d, e and the trace of J on cells -1..n-1, means over cells that count; their weight; which are open."""
    n, m = u.shape
    pixels = np.ones(n) if pixels is None else pixels
    cells = np.ones(n + 1) if cells is None else cells
    shut = np.zeros((n + 1, m + 1), bool) if shut is None else shut
    cuts = [len(gaussian(s, t)) // 2 for s, t in zip((sigma, rho), truncate, strict=True)]
    wides = [
        max(len(gaussian(s * f, t)) // 2 for f in rows)
        for s, t, rows in zip((sigma, rho), truncate, (pixels, cells), strict=True)
    ]
    high, wide = sum(cuts) + 1, sum(wides) + 1
    margins = [(high, high), (wide, wide)]
    u = np.pad(u, margins, mode="symmetric")
    rows = np.pad(pixels, cuts[1] + 1, mode="symmetric")  # of the smoothed anomaly
    between = np.pad(cells, cuts[1], mode="reflect" if len(cells) > 1 else "edge")
    reach = [len(gaussian(sigma * f, truncate[0])) // 2 for f in cells]
    barred = near(shut, cuts[0], reach)
    barred = np.pad(barred, [(cuts[1], cuts[1]), (wides[1], wides[1])], mode="reflect")
    valid = np.isfinite(u)

    def smooth(x):
        return along(down(x, sigma, truncate[0]), sigma, rows, wides[0], truncate[0])

    with np.errstate(invalid="ignore", divide="ignore"):
        us = smooth(np.where(valid, u, 0.0)) / smooth(valid.astype(float))
    seen = valid[cuts[0] : valid.shape[0] - cuts[0], wides[0] : valid.shape[1] - wides[0]]
    four = np.logical_and.reduce(corners(seen))
    counts = four & ~barred
    gx, gy = (np.where(counts, g, 0.0) for g in gradient_of_cells(us))
    gx = gx * between[:, None]

    def collect(x):
        return down(along(x, rho, between, wides[1], truncate[1]), rho, truncate[1])

    weight = collect(counts.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        j = [
            np.where(weight > 1e-12, collect(p) / weight, 0.0)
            for p in (gx**2 - gy**2, 2 * gx * gy, gx**2 + gy**2)
        ]
    inside = np.s_[cuts[1] : four.shape[0] - cuts[1], wides[1] : four.shape[1] - wides[1]]
    return j, weight, four[inside] & ~shut


def near(shut, rows, columns):
    """Cells with a shut one within ``rows`` rows and, by row of the shut one, ``columns`` columns."""
    out = np.zeros_like(shut)
    for i, j in np.argwhere(shut):
        reach = columns[i]
        out[max(0, i - rows) : i + rows + 1, max(0, j - reach) : j + reach + 1] = True
    return out


def diffusion_tensor(d, e, alpha, c):
    """D with the eigenvectors of J, found cell by cell."""
    out = np.empty((3, *d.shape))
    for at in np.ndindex(d.shape):
        mu, v = np.linalg.eigh([[d[at] / 2, e[at] / 2], [e[at] / 2, -d[at] / 2]])  # ascending
        gap = (mu[1] - mu[0]) ** 2
        strong = alpha + (1 - alpha) * np.exp(-c / gap) if gap > 0 else alpha
        m = strong * np.outer(v[:, 0], v[:, 0]) + alpha * np.outer(v[:, 1], v[:, 1])
        out[(slice(None), *at)] = m[0, 0], m[0, 1], m[1, 1]
    return out


def frozen(u, sigma, rho, alpha, c, *, pixels=None, cells=None, shut=None, truncate=(3.0, 3.0)):
    """What the fluxes take of the diffusion tensor: (D11 s, D12, D22 / s), 0 in closed cells."""
    (d, e, _), _, is_open = tensor(u, sigma, rho, pixels=pixels, cells=cells, shut=shut, truncate=truncate)
    d, e = np.where(is_open, d, 0.0), np.where(is_open, e, 0.0)
    s = np.ones((len(d), 1)) if cells is None else np.asarray(cells)[:, None]
    a, b, c2 = diffusion_tensor(d, e, alpha, c) * is_open
    return s * a, b, c2 / s


def change(u, tensors, alpha_e=0.4):
    """dE/du, one corner of the cells at a time."""
    a, b, c = tensors
    wide = np.pad(u, 1, mode="symmetric")
    filled = np.where(np.isfinite(wide), wide, 0.0)
    u00, u10, u01, u11 = corners(filled)
    gx, gy = gradient_of_cells(filled)
    q = u11 - u01 - u10 + u00
    fx, fy = (a * gx + b * gy) / 2, (b * gx + c * gy) / 2
    h = (1 - 2 * alpha_e) * (a + c) / 4 * q
    out = np.zeros_like(filled)
    out[:-1, :-1] += -fx - fy + h
    out[:-1, 1:] += fx - fy - h
    out[1:, :-1] += -fx + fy - h
    out[1:, 1:] += fx + fy + h
    return out[1:-1, 1:-1]


def oracle(u, *, cycles, sigma, rho, alpha, contrast, scale, fixed=None, pixels=None, **more):
    """Take steps of all lengths in all cycles; an explicit scheme has cycles of one step."""
    u = u.astype(np.float64)
    free = np.isfinite(u) if fixed is None else np.isfinite(u) & ~fixed
    width = np.ones((len(u), 1)) if pixels is None else np.asarray(pixels)[:, None]
    for cycle in cycles:
        tensors = frozen(u, sigma, rho, alpha, contrast * scale**4, pixels=pixels, **more)
        for tau in cycle:
            u = np.where(free, u - tau * width * change(u, tensors), u)
    return u
