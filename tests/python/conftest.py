import signal

import pytest

# Modules shared by tests are beside this file (`pythonpath` in pyproject.toml). Failed assertions in them are explained
# as those in tests are.
pytest.register_assert_rewrite("finite_differences", "rnnrs_command")

# A shell that starts the tests in the background makes them ignore SIGINT, and every process they start inherits that.
# The tests check what happens at Ctrl-C, so the default is restored.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
