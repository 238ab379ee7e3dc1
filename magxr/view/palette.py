"""Colours of the maps: perceptually even, readable with any colour vision, the same in every figure.

Colour maps are drawn as paths through OKLCH (lightness, chroma, hue), where equal steps look equal, and
turned into RGB here. What must be told apart differs in lightness or along blue-orange or green-purple,
never along red-green alone.

References
----------
B. Ottosson, "A perceptual color space for image processing" (2020) for OKLab;
F. Crameri, G. Shephard, P. Heron, "The misuse of colour in science communication",
Nature Communications 11, 5444 (2020) for why not rainbow maps.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from magxr.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

INK = "#23282d"
"""Titles."""
QUIET = "#5b636b"
"""Axis labels, subtitles."""
FAINT = "#a9afb5"
"""Frames and ticks."""
MISSING = "#dcdcda"
"""Cells without a value."""
PAPER = "#ffffff"
LINEAR = "#1d7a5c"
NONLINEAR = "#6b3d8f"

_PATHS: dict[str, Sequence[tuple[float, float, float, float]]] = {
    # position, lightness, chroma, hue (degrees)
    "anomaly": [
        (0.00, 0.28, 0.110, 262),
        (0.17, 0.47, 0.135, 255),
        (0.34, 0.74, 0.085, 245),
        (0.50, 0.975, 0.004, 100),
        (0.66, 0.74, 0.105, 48),
        (0.83, 0.47, 0.150, 33),
        (1.00, 0.28, 0.100, 25),
    ],
    "probability": [
        (0.00, 0.34, 0.130, 308),
        (0.30, 0.75, 0.085, 310),
        (0.50, 0.965, 0.006, 110),
        (0.70, 0.79, 0.090, 163),
        (1.00, 0.36, 0.085, 165),
    ],
    "coherence": [
        (0.00, 0.97, 0.010, 95),
        (0.35, 0.80, 0.085, 85),
        (0.70, 0.52, 0.110, 45),
        (1.00, 0.24, 0.070, 20),
    ],
    # A closed loop: N-S is the lightest and E-W the darkest, NE and SE, equally light, are blue and orange.
    # Nothing on it is as pale as paper, so that a pale place says low coherence.
    "strike": [
        (0.000, 0.75, 0.080, 335),
        (0.125, 0.68, 0.120, 262),
        (0.250, 0.56, 0.150, 255),
        (0.375, 0.42, 0.130, 280),
        (0.500, 0.28, 0.090, 325),
        (0.625, 0.42, 0.130, 380),
        (0.750, 0.56, 0.150, 404),
        (0.875, 0.68, 0.130, 425),
        (1.000, 0.75, 0.080, 335),
    ],
}


@cache
def colormap(name: str) -> Any:
    """Return the colour map "anomaly", "probability", "coherence" or "strike" (cyclic, 0 to 180 degrees)."""
    try:
        from matplotlib.colors import ListedColormap, to_rgba
    except ImportError as error:
        raise MissingExtraError(package="matplotlib", extra="plot", purpose="drawing a map") from error

    return ListedColormap(colours(name), name=f"magxr_{name}").with_extremes(bad=to_rgba(MISSING, 0.0))


def colours(name: str, count: int = 256) -> NDArray[np.float64]:
    """Return ``count`` sRGB colours (0 to 1) along the named path."""
    at, light, chroma, hue = np.array(_PATHS[name]).T
    radians = np.radians(hue)
    lab = np.stack([light, chroma * np.cos(radians), chroma * np.sin(radians)])
    t = np.linspace(0.0, 1.0, count)
    return _srgb(np.stack([np.interp(t, at, channel) for channel in lab], axis=-1))


_LMS_OF_LAB = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_RGB_OF_LMS = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def _srgb(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.clip((lab @ _LMS_OF_LAB.T) ** 3 @ _RGB_OF_LMS.T, 0.0, 1.0)
    rgb: NDArray[np.float64] = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return rgb
