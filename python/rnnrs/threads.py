"""This package's number of threads, as threadpoolctl sees it."""

from __future__ import annotations

from . import _rnnrs


def register_with_threadpoolctl() -> bool:
    """Makes this package's number of threads known to threadpoolctl, if that package is installed.

    `threadpoolctl.threadpool_limits`, and the libraries that use it, then bound these threads, too; alone
    with `user_api="rnnrs"`.

    Returns:
        Whether threadpoolctl is installed.
    """
    try:
        from threadpoolctl import LibController, register
    except ImportError:
        return False

    class RnnrsController(LibController):  # type: ignore[misc]
        """The threads of the compiled module."""

        user_api = internal_api = "rnnrs"
        filename_prefixes = ("_rnnrs",)
        check_symbols = ("PyInit__rnnrs",)

        def get_num_threads(self) -> int:
            return _rnnrs.get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            _rnnrs.set_num_threads(num_threads)

        def get_version(self) -> str:
            return _rnnrs.__version__

    register(RnnrsController)
    return True
