r"""Coherence-enhancing diffusion by two explicit schemes with the tensor at pixels: for comparison.

Both take the structure tensor and D at pixels, with gradients by Scharr's filter, and keep the mean.

``nonnegative`` (Weickert 1998; 3 x 3)
    Pixels exchange with their eight neighbours; with :math:`D = (a, b; b, c)` of pixel p and of its
    neighbours the weights are :math:`\tfrac12 (a_p - |b_p| + a_E - |b_E|)` to the east, the same with c to
    the north, :math:`\tfrac12 (b_p^+ + b_{NE}^+)` to the north-east, :math:`\tfrac12 (b_p^- + b_{NW}^-)` to
    the north-west. Where :math:`\alpha \ge 0.1716` (:math:`\lambda_1 / \lambda_2 \le 3 + 2 \sqrt 2`) they are
    not negative, and no value leaves the range of the data for :math:`\tau \le 1/4`. At the usual
    :math:`\alpha = 0.001` weights along rows or columns are negative at nearly all angles, and the operator
    can be slightly indefinite where orientation changes within a pixel or two: nothing guarantees that the
    energy falls, though on noise and on stripes it does. Edges overshoot by up to 6 % of their height with
    :math:`\tau = 0.25` and 8 % with 0.4.

``rotation_invariant`` (Weickert and Scharr 2002; 5 x 5)
    :math:`u \leftarrow u + \tau\, \nabla \cdot (D \nabla u)`, every derivative by Scharr's filter,
    :math:`\tfrac12 (-1, 0, 1)` smoothed by :math:`\tfrac1{16} (3, 10, 3)`. The energy never grows for
    :math:`\tau \le 1.9`. Noise near the Nyquist wavelength stays, because the filter does not see it, and
    edges overshoot by up to 20 % with :math:`\tau = 0.25` and 28 % with 1.9.

With ``truncate=(2.0, 3.0)`` they are 'N' and 'R' of Kroon and Slump (2009) away from edges, which he treats
otherwise. Their 'S', the standard discretisation, is not offered: as published two terms have the wrong sign,
which makes it diffuse backwards at some wavelengths, unstable with any time step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.errors import ParameterError
from magxr.kernels import pages
from magxr.kernels.core import Core, held_pixels, nothing, scales, unscaled
from magxr.kernels.diffusivity import rule
from magxr.kernels.field import make_field, make_taps
from magxr.kernels.fir import TRUNCATE, gaussian_radius, gaussian_taps
from magxr.kernels.gradient import PIXEL
from magxr.kernels.metric import pixel_metric
from magxr.kernels.pixel_step import step
from magxr.kernels.weights import reciprocal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.kernels.diffusion import Truncate
    from magxr.kernels.mask import Mask

TAU_MAX = {"nonnegative": 0.4, "rotation_invariant": 1.9}
"""Largest stable time step by scheme for small alpha, with a margin (0.44, 1.98); see `tau_max`."""


def radius(sigma: float, rho: float, *, truncate: Truncate = (TRUNCATE, TRUNCATE)) -> int:
    """Return how many pixels away one step of either scheme looks: two more than the Gaussians."""
    return gaussian_radius(sigma, truncate[0]) + gaussian_radius(rho, truncate[1]) + 2


def tau_max(scheme: str, alpha: float) -> float:
    r"""Return the largest stable time step.

    Where D is constant the non-negative scheme's is :math:`1 / (2 (1 + \alpha))`; a tenth less is left of it.
    """
    limit = TAU_MAX[scheme]
    return min(limit, 0.45 / (1.0 + alpha)) if scheme == "nonnegative" else limit


def diffuse_pixels(
    u: NDArray[Any],
    *,
    scheme: str,
    steps: int,
    sigma: float,
    rho: float,
    tau: float,
    alpha: float,
    contrast: float,
    scale: float,
    halo: tuple[int, int, int, int] = (0, 0, 0, 0),
    fixed: NDArray[Any] | None = None,
    truncate: Truncate = (TRUNCATE, TRUNCATE),
) -> NDArray[Any]:
    r"""Take ``steps`` explicit steps on square pixels and return the block without its halo.

    Parameters
    ----------
    u : ndarray, shape (n, m), float32 or float64
        Anomaly, nT. Cells that are not finite take no part and keep their value.
    scheme : {"nonnegative", "rotation_invariant"}
        See the module.
    steps : int
        Number of steps.
    sigma, rho : float
        Noise scale and integration scale of the structure tensor, pixels.
    tau : float
        Time step, pixels², at most `tau_max`.
    alpha : float
        Diffusivity across the stripes, :math:`\lambda_2`.
    contrast, scale : float
        :math:`\lambda_1 = \alpha + (1 - \alpha) \exp(-C / (\mu_1 - \mu_2)^2)` along the stripes, with
        C = ``contrast * scale**4``, (nT/pixel)⁴; ``scale`` in nT.
    halo : (int, int, int, int)
        Rows south and north, columns west and east that are not wanted back; a side without is a true
        edge and mirrored at every step.
    fixed : ndarray, shape (n, m), optional
        Pixels that keep their value where it is not 0.
    truncate : (float, float)
        Where the Gaussians of sigma and rho are cut, standard deviations.

    Returns
    -------
    ndarray, dtype of ``u``
        Shape of ``u`` less the halo. Bit-equal to the same cells of the whole grid where each halo is at
        least ``steps`` times `radius`.

    Raises
    ------
    ParameterError
        The scheme is another, or ``scale`` is no positive number though the data vary.

    Notes
    -----
    Gradients count where 3 x 3 pixels are valid; the tensor is the weighted mean of those in reach.
    ``rotation_invariant`` has no flux in other pixels, so that a strait less than three pixels wide is
    closed. ``nonnegative`` lets valid pixels exchange along rows and columns wherever they meet, so that a
    strait of one pixel is open; a pixel next to a gap has no diagonals and, because these make good for
    negative weights along rows and columns, 0 in place of such weights. Nothing passes a gap whose cells
    touch by their corners.

    References
    ----------
    Weickert, J. (1998), Anisotropic diffusion in image processing, Teubner, Stuttgart.
    Weickert, J. and Scharr, H. (2002), A scheme for coherence-enhancing diffusion filtering with optimized
    rotation invariance, J. Vis. Commun. Image Represent. 13, 103-118.
    Kroon, D.-J. and Slump, C. H. (2009), Coherence filtering to enhance the mandibular canal in cone-beam CT
    data, IEEE-EMBS Benelux Chapter Symposium.
    """
    if scheme not in TAU_MAX:
        msg = f"there is no scheme {scheme!r} with the tensor at pixels; use one of {', '.join(TAU_MAX)}"
        raise ParameterError(msg)
    core = Core((u.shape[0], u.shape[1]), halo)
    if not scales(scale):
        return core.cut(unscaled(u, scale))
    if nothing(u):
        return core.cut(u).copy()
    metric = pixel_metric(u.shape[0])
    field, mask = make_field(u, sigma, rho, metric, kind=PIXEL, truncate=truncate)
    taps = make_taps(sigma, rho, u.dtype, metric, factor=1.0 / float(scale), truncate=truncate, half=False)
    constants = rule(alpha, contrast, u.dtype)
    sides = scheme == "nonnegative"
    opened, whole = _openings(mask, rho, truncate[1]) if sides else (mask.open, mask.open)
    # Weights are twice, each derivative by Scharr's filter 32 times too large.
    gain = u.dtype.type(tau / 2 if sides else tau / 1024)
    held = held_pixels(fixed)
    old, new = field.values, pages.copied(field.values)
    reach = radius(sigma, rho, truncate=truncate)
    for left in range(steps - 1, -1, -1):
        # Only what the remaining steps will look at.
        rows, cols = core.around(left * reach, left * reach)
        step(field._replace(values=old), opened, whole, taps, constants, gain, sides, held, rows, cols, new)
        old, new = new, old
    return core.result(old, u, mask.valid)


def _openings(mask: Mask, rho: float, truncate: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the weights of the tensor's means at all valid pixels, and 1 where 3 x 3 are valid."""
    if mask.valid is None:
        return mask.open, mask.open
    free = mask.open > 0
    taps = gaussian_taps(rho, truncate)
    opened = reciprocal(free, taps, taps[None, :], mask.open.dtype, cells=False)
    # Without any gradient in reach the sum is 0, whatever it is multiplied by.
    opened[opened == 0] = 1
    opened[~mask.valid] = 0
    return opened, free.astype(mask.open.dtype)
