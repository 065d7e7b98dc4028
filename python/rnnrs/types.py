"""Types of arrays that signatures name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: An array of any dtype; docstrings give its shape.
Array = NDArray[Any]

#: Token ids.
Ids = NDArray[np.int64]

#: Numbers in double precision.
Floats = NDArray[np.float64]
