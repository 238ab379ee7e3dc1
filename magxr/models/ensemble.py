"""Several heads as one: the mean of their answers, and what each of them says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from magxr.models import archive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from magxr.models.dense_head import DenseHead
    from magxr.models.pooled_head import PooledHead
    from magxr.models.radial_head import RadialHead


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Heads of one kind on the same features."""

    members: tuple[PooledHead | DenseHead | RadialHead, ...]

    @property
    def kind(self) -> str:
        """Kind of every member."""
        return self.members[0].kind

    @property
    def length(self) -> int:
        """Number of features that each takes."""
        return self.members[0].length

    @property
    def parameters(self) -> int:
        """Number of trained parameters of all members together."""
        return sum(m.parameters for m in self.members)

    def probability(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the mean probability of "linear" over the members, for features of shape (n, d)."""
        return np.asarray(self.by_member(features).mean(axis=0, dtype=np.float64), np.float32)

    def by_member(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return each member's probability of "linear", shape (members, n)."""
        return np.stack([m.probability(features) for m in self.members])

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what the head's file holds, by name: ``member0.weights`` and so on."""
        return {f"member{i}.{k}": a for i, m in enumerate(self.members) for k, a in m.arrays().items()}

    def to_bytes(self) -> bytes:
        """Return the heads as the bytes of one ``.npz`` file."""
        return archive.pack(self.arrays())
