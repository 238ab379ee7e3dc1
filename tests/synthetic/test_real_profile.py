"""The synthetic ridge against a ship's profile across a real one."""

import numpy as np

from magxr.synthetic.forward import Filter, layer_anomaly
from magxr.synthetic.ridge import Ridge, profile


def test_reykjanes_ridge_gives_back_its_spreading_rate(real_data):
    """Profile of Hey et al. (2010), within 125 km of the axis; published half-rate 10.3 km/Myr."""
    distance, _, _, _, measured = np.loadtxt(real_data / "reykjanes" / "rr_track25_new.dxypa").T
    near = np.abs(distance) < 125.0
    rates = np.arange(7.0, 15.0, 0.2)
    likeness = []
    for rate in rates:
        u, _, magnetisation, _ = profile(
            Ridge(half_rates=(rate, rate), transition=2.0, intensity=(10.0, 4.0, 4.0))
        )
        part = np.abs(u) < 600.0
        # Observed at the surface, 1.6 km above the sea floor on average.
        field = layer_anomaly(magnetisation[None, part], (1.0, 0.25), Filter(1.6, 0.5))[0]
        predicted = np.interp(distance[near], u[part], field)
        likeness.append(np.corrcoef(predicted, measured[near])[0, 1])
    best = rates[int(np.argmax(likeness))]
    assert 9.5 <= best <= 10.7
    assert max(likeness) > 0.65
    assert max(likeness[0], likeness[-1]) < max(likeness) - 0.25
