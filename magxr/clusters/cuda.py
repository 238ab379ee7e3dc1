"""One process for every GPU of this machine, through dask-cuda."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.clusters import driver
from magxr.clusters.closing import closing
from magxr.clusters.local import placed
from magxr.errors import ClusterError, MissingExtraError, ParameterError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from magxr.clusters.description import Cluster


def start(asked: Cluster) -> AbstractContextManager[Any]:
    """Start a worker of one thread on each GPU, until the end of the block.

    The network library takes memory of a GPU as it needs it (`magxr.models.engine` says so before first use),
    so no pool is laid aside for RMM, which would leave it none. Workers are new processes: what this one has
    loaded does not matter, and nothing here loads TensorFlow.

    Parameters
    ----------
    asked : Cluster
        Of kind "cuda"; ``workers`` is how many GPUs are used, all where nothing is said.

    Returns
    -------
    dask_cuda.LocalCUDACluster

    Raises
    ------
    ClusterError
        If there is no GPU: with what was looked for.
    ParameterError
        If there are not as many as asked for.
    MissingExtraError
        If dask-cuda is not installed.
    """
    if asked.cores not in (None, 1):
        msg = f"cores={asked.cores}: a worker of a GPU has one thread; leave cores out"
        raise ParameterError(msg)
    found = devices()
    fewest, most = asked.bounds(len(found))
    if fewest != most:
        msg = f"workers={asked.workers}: GPUs of one machine are all there from the start; give one number"
        raise ParameterError(msg)
    if most > len(found):
        msg = f"workers={most}, but this machine has {len(found)} GPUs ({', '.join(found)}); ask for fewer"
        raise ParameterError(msg)
    cluster = cluster_class()(
        CUDA_VISIBLE_DEVICES=",".join(found[:most]),
        n_workers=most,
        threads_per_worker=1,
        rmm_pool_size=None,
        memory_limit=asked.memory or "auto",
        **placed(asked),
    )
    return closing(cluster)


def cluster_class() -> Any:
    """Return `dask_cuda.LocalCUDACluster`."""
    try:
        from dask_cuda import LocalCUDACluster
    except ImportError as error:
        package = "dask-cuda"
        raise MissingExtraError(package, "cuda", "one worker for every GPU") from error
    return LocalCUDACluster


def devices() -> list[str]:
    """Return the numbers or names of the GPUs that this process may use.

    Raises
    ------
    ClusterError
        If there is none.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    listed, trouble = driver.cards("index")
    chosen = [v.strip() for v in (visible or "").split(",") if v.strip() not in ("", "-1")]
    found = listed if visible is None else chosen
    if not found or not listed:
        looked = [
            f"what nvidia-smi lists ({trouble or ', '.join(listed)})",
            f"/dev/nvidia0 ({'is there' if Path('/dev/nvidia0').exists() else 'is missing'})",
            f"CUDA_VISIBLE_DEVICES ({'is not set' if visible is None else repr(visible)})",
        ]
        fix = "install NVIDIA's driver, or use --cluster local"
        msg = f"no GPU was found; looked for: {', '.join(looked)}; {fix}"
        raise ClusterError(msg)
    return found
