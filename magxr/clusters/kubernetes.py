"""A Dask cluster on Kubernetes, made for a run and deleted after it, by the operator of dask-kubernetes."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from magxr.clusters.closing import closing
from magxr.clusters.kubernetes_manifest import LONGEST, checked_workers, manifest, read
from magxr.errors import ClusterError, MissingExtraError, ParameterError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from magxr.clusters.description import Cluster

__all__ = ["create", "manifest", "read", "start"]

SOON = 20.0
"""Seconds for the API of Kubernetes to answer."""
LATER = 60.0
"""Seconds for the operator to take notice, and for a cluster to be gone."""


@contextmanager
def start(asked: Cluster) -> Iterator[Any]:
    """Start a cluster as described, under a name of its own, so that runs do not meet.

    Parameters
    ----------
    asked : Cluster
        Of kind "kubernetes".

    Yields
    ------
    dask_kubernetes.operator.KubeCluster
        As of `create`, which also says what is raised. It is deleted at the end of the block.
    """
    if asked.manifest is None:
        fix = (
            "use --cluster deploy/kubernetes/run.yaml, or manifest='deploy/kubernetes/cluster.yaml' in Python"
        )
        msg = f"a cluster of kind 'kubernetes' is made of a manifest, and none is named; {fix}"
        raise ParameterError(msg)
    called = str(read(asked.manifest).get("metadata", {}).get("name", "magxr"))
    mark = f"-{secrets.token_hex(3)}"
    cluster = create(
        asked.manifest,
        name=called[: LONGEST - len(mark)] + mark,
        workers=asked.workers,
        image=asked.image,
        memory=asked.memory,
        cores=asked.cores,
        gpus=asked.gpus,
        environment=asked.environment,
        patience=asked.wait,
    )
    with closing(cluster):
        yield cluster


def create(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    namespace: str | None = None,
    workers: int | tuple[int, int] | None = None,
    image: str | None = None,
    memory: str | None = None,
    cores: int | None = None,
    gpus: int | None = None,
    environment: Mapping[str, str] | None = None,
    patience: float = 600.0,
) -> Any:
    """Create a cluster of a manifest; it is deleted when it is closed, and at the latest with this process.

    Parameters
    ----------
    path : str or Path
        Manifest of a DaskCluster, such as ``deploy/kubernetes/cluster.yaml``.
    name, workers, image, memory, cores, gpus, environment
        As for `manifest`. Two ``workers`` also have the operator start and stop them as work comes and goes.
    namespace : str, optional
        Where; default that of the kubeconfig.
    patience : float
        Seconds until the scheduler must answer: an image may have to be pulled, a node to be made.

    Returns
    -------
    dask_kubernetes.operator.KubeCluster
        For ``distributed.Client(cluster)``, and for ``with``, which closes it. Workers may be on their way.

    Raises
    ------
    MissingExtraError
        If dask-kubernetes is not installed.
    ParameterError
        If an argument or the manifest cannot be used, or a cluster of this name is there already.
    ClusterError
        If no Kubernetes answers or lets us, the operator is not installed, or the scheduler does not come.
    """
    described = manifest(
        read(path),
        name=name,
        workers=workers,
        image=image,
        memory=memory,
        cores=cores,
        gpus=gpus,
        environment=environment,
    )
    called = str(described["metadata"]["name"])
    make = _operator()
    with _told(called, patience):
        # here and not by KubeCluster: it would leave behind an object that deletes whatever cluster has the
        # name when Python ends, or fails to
        if _in_a_loop(_asked(called, namespace)):
            fix = "give another name, or its scheduler's address (--scheduler)"
            msg = f"the cluster {called!r} exists already and is not ours to end; {fix}"
            raise ParameterError(msg)
        cluster = make(described, namespace, patience)
        if isinstance(workers, (tuple, list)):
            fewest, most = checked_workers(workers)
            try:
                cluster.adapt(minimum=fewest, maximum=most)
            except BaseException:
                cluster.close()
                raise
    return cluster


def _operator() -> Any:
    """Return what makes a cluster of a manifest: the one place where dask-kubernetes is called."""
    try:
        from dask_kubernetes.operator import KubeCluster
        from dask_kubernetes.operator.kubecluster.kubecluster import CreateMode
    except ImportError as error:
        package, extra = "dask-kubernetes", "kubernetes"
        raise MissingExtraError(package, extra, "a cluster on Kubernetes") from error

    class Patient(KubeCluster):
        """One that gives up: of itself it waits for ever for a pod whose image cannot be pulled."""

        patience = 0.0
        made = False

        async def _start(self) -> None:
            try:
                await asyncio.wait_for(super()._start(), Patient.patience)
            except BaseException:
                if self.made:
                    with suppress(Exception):  # the first error is the one to tell
                        await self._close(timeout=LATER)
                self.shutdown_on_close = False  # not again, or that of somebody else, when Python ends
                raise

        async def _create_cluster(self) -> None:
            self.made = True  # nobody has this name: we looked, and may create only
            await super()._create_cluster()

        def close(self, timeout: float = LATER) -> Any:
            return super().close(timeout=timeout)

    def make(described: dict[str, Any], namespace: str | None, patience: float) -> Any:
        Patient.patience = patience
        return Patient(
            custom_cluster_spec=described,
            namespace=namespace,
            create_mode=CreateMode.CREATE_ONLY,
            shutdown_on_close=True,
            resource_timeout=int(min(LATER, patience)) or 1,
            quiet=True,
        )

    return make


async def _asked(name: str, namespace: str | None) -> bool:
    """Tell whether a cluster of this name exists; raise what keeps us from making one."""
    import kr8s

    async def asked() -> bool:
        api = await kr8s.asyncio.api(namespace=namespace)
        base, where = "/apis/kubernetes.dask.org", namespace or api.namespace
        async with api.call_api("GET", version="v1", base=base):  # 404: the operator's kinds are unknown
            pass
        try:
            async with api.call_api("GET", "v1", base, namespace=where, url=f"daskclusters/{name}"):
                return True
        except kr8s.ServerError as error:
            if error.response is not None and error.response.status_code == 404:
                return False
            raise

    try:
        return await asyncio.wait_for(asked(), SOON)
    except TimeoutError as error:
        why = f"within {SOON:g} s"
        raise _unreachable(why) from error
    except ValueError as error:  # of kr8s, where no kubeconfig says who asks whom
        why = f"({error})"
        raise _unreachable(why) from error


def _in_a_loop(work: Any) -> Any:
    """Run a coroutine in a loop of its own, which a notebook's thread cannot have twice."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@contextmanager
def _told(name: str, patience: float) -> Iterator[None]:
    """Say in one error what keeps a cluster on Kubernetes from starting."""
    import httpx
    import kr8s
    from dask_kubernetes.exceptions import SchedulerStartupError

    look = f"this tells why: kubectl describe pods --selector dask.org/cluster-name={name}"
    try:
        yield
    except (ParameterError, ClusterError):
        raise
    except kr8s.ServerError as error:
        code = error.response.status_code if error.response is not None else None
        msg = f"Kubernetes refuses the cluster {name!r} ({code}: {error})"
        if code == 404:
            fix = "install it: https://kubernetes.dask.org/en/latest/installing.html"
            msg = f"this Kubernetes does not know Dask clusters: the operator of Dask is not installed; {fix}"
        if code in (401, 403):
            msg += "; ask for the rights to create daskclusters.kubernetes.dask.org in this namespace"
        raise ClusterError(msg) from error
    except TimeoutError as error:
        why = f" ({error})" if str(error) else ""
        msg = f"the scheduler of {name!r} did not answer within {patience:g} s{why}; {look}"
        raise ClusterError(msg) from error
    except (SchedulerStartupError, kr8s.NotFoundError, RuntimeError, ValueError) as error:
        msg = f"the scheduler of {name!r} does not start ({error}); {look}"
        raise ClusterError(msg) from error
    except (OSError, httpx.HTTPError, kr8s.APITimeoutError, kr8s.ConnectionClosedError) as error:
        why = f"({str(error) or type(error).__name__})"
        raise _unreachable(why) from error


def _unreachable(why: str) -> ClusterError:
    fix = "`kubectl get nodes` must work here; the variable KUBECONFIG names the file to use"
    return ClusterError(f"no Kubernetes answers {why}; {fix}")
