"""Start Keras once per process, with threads and GPU memory set before first use.

Everything is written against Keras 3; the environment variable ``KERAS_BACKEND`` picks tensorflow (the
default), torch or jax. TensorFlow must not be imported before a process forks, so nothing here runs
until a worker predicts.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from magxr.errors import MissingExtraError, ModelError, ParameterError
from magxr.models.quiet import starting_quietly

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)
_starting = threading.Lock()
_started: list[Any] = []


def check_installed() -> None:
    """Raise if keras or its backend is not installed; imports neither."""
    if importlib.util.find_spec("keras") is None:
        package = "keras"
        raise MissingExtraError(package, "tensorflow", "running the network")
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend == "tensorflow" and importlib.util.find_spec(backend) is None:
        raise MissingExtraError(backend, backend, "running the network")
    if backend in ("torch", "jax") and importlib.util.find_spec(backend) is None:
        fix = f"pip install {backend}, or unset KERAS_BACKEND to use TensorFlow"
        msg = f"KERAS_BACKEND={backend}, but the package {backend!r} is not installed; {fix}"
        raise ModelError(msg)


def threads(share: int | None = None) -> int:
    """Return how many threads the network may use in this process.

    ``MAGXR_THREADS`` if set; else ``share``, if given; else the threads of the Dask worker that runs here,
    so that the workers of a machine do not use more cores together than they were given; else the cores this
    process may run on.
    Calls from several Dask threads run one after the other (see `magxr.models.worker`), each on all of
    these threads: threads of Dask and of the network do not multiply.
    """
    asked = os.environ.get("MAGXR_THREADS")
    if asked is not None:
        if not asked.isdigit() or int(asked) < 1:
            msg = f"MAGXR_THREADS={asked!r} is not a positive whole number"
            raise ParameterError(msg)
        return int(asked)
    if share is not None:
        return share
    if "distributed" in sys.modules:
        try:
            return int(sys.modules["distributed"].get_worker().state.nthreads)
        except ValueError:  # not inside a task of a worker
            _log.debug("no Dask worker here: using all cores")
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start(share: int | None = None) -> Any:
    """Return the keras module, importing and setting it up at the first call in this process.

    Parameters
    ----------
    share : int, optional
        Threads that this process may use, where no task tells; the first call counts.
    """
    with _starting:
        if not _started:
            check_installed()
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            with starting_quietly():
                if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
                    _set_up_tensorflow(threads(share))
                import keras

            if keras.backend.backend() == "torch":
                _set_up_torch(threads(share))
            _started.append(keras)
        return _started[0]


def _set_up_tensorflow(count: int) -> None:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:  # TensorFlow ran before us in this process: its settings stand
        _log.warning("TensorFlow was already in use; its thread and memory settings are kept (%s)", error)


def _set_up_torch(count: int) -> None:
    import torch

    torch.set_num_threads(count)
    # TF32 keeps 10 bits: features would differ from the CPU's in the third digit
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def accelerated() -> bool:
    """Tell whether networks run on a device other than the processor, such as a GPU."""
    return "cpu" not in str(start().ops.zeros(()).device).lower()


def compiled(model: Any) -> Callable[[Any], NDArray[np.float32]]:
    """Return a function from one batch, in memory or on the device, to one numpy batch, compiled once.

    `keras.Model.predict_on_batch` is ``model(x, training=False)`` in the backend's own compiled form, made
    once and kept, without the data pipeline that makes `predict` leak when called in a loop.
    """
    import numpy as np

    keras = start()
    # TensorFlow's XLA compiles convolutions for CPU without oneDNN; JAX has no other compiler
    model.compile(jit_compile=keras.backend.backend() == "jax")

    def run(batch: Any) -> NDArray[np.float32]:
        return np.asarray(model.predict_on_batch(batch), dtype=np.float32)

    return run
