"""OpenBLAS's threads, which NumPy uses, beside this package's.

After a threaded product, OpenBLAS's threads poll for more work for 2²⁶ processor cycles, some 20 ms, before
they sleep. On as many processors as there are threads, they take a processor from this package's threads,
which wait for each other: a step of a layer is then two to five times slower.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from types import FrameType, ModuleType

#: The binary logarithm of the cycles for which OpenBLAS's threads poll: some 40 µs, so that products in quick
#: succession still find them awake.
_CYCLES = 17

#: The modules whose extension is linked to a copy of OpenBLAS: NumPy's, and SciPy's of its own.
_USERS = ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath", "scipy.linalg._fblas")

_VARIABLE = "OPENBLAS_THREAD_TIMEOUT"

#: The libraries whose threads are known to wait, or to work without products: notebooks and debuggers.
_OTHERS = {"IPython", "_pydevd_bundle", "debugpy", "ipykernel", "pydevd", "tornado", "tqdm", "zmq"}

#: The functions of the standard library that run the functions of others.
_RUNNING = {"run", "worker", "mapstar", "starmapstar", "_process_worker"}


def shorten_polling() -> bool:
    """Has OpenBLAS's threads sleep soon after a product, unless `OPENBLAS_THREAD_TIMEOUT` is set.

    Sets that variable, which libraries that are loaded later and child processes read. Libraries that are
    loaded already read it when they start their threads: these are ended, as OpenBLAS itself does before a
    fork, and the next product starts them again. That is not done while another thread may be within a
    product.

    Returns:
        Whether it was done for all copies of OpenBLAS that are loaded. Builds of NumPy with another library
        (MKL, Accelerate) have no such setting.
    """
    if _VARIABLE in os.environ:
        return False
    os.environ[_VARIABLE] = str(_CYCLES)
    modules = [sys.modules[name] for name in _USERS if name in sys.modules]
    if not modules or not _is_quiet():
        return False
    restarted = [_restart(module) for module in modules]
    return all(restarted)


def _restart(module: ModuleType) -> bool:
    """Has the OpenBLAS that an extension module is linked to read the variable and start its threads anew."""
    try:
        library = ctypes.CDLL(module.__file__)
        read, timeout, end_threads = (
            library.openblas_read_env,
            library.openblas_thread_timeout,
            library.blas_thread_shutdown_,
        )
    except (OSError, AttributeError, TypeError):
        return False  # not OpenBLAS, or not a build that exports these
    read()
    if timeout() != _CYCLES:
        return False
    end_threads()
    return True


def _is_quiet() -> bool:
    """Returns whether no other Python thread may be within a product."""
    own = threading.get_ident()
    return all(_waits(frame) for thread, frame in sys._current_frames().items() if thread != own)


def _waits(frame: FrameType) -> bool:
    """Returns whether a thread's innermost frame is one that waits, not one that may have called NumPy."""
    library = str(frame.f_globals.get("__name__")).partition(".")[0]
    known = library in sys.stdlib_module_names and library != "__main__"
    return (known and frame.f_code.co_name not in _RUNNING) or library in _OTHERS
