"""Array types for signatures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: An array of any dtype; docstrings give its shape.
Array = NDArray[Any]

#: Token ids.
Ids = NDArray[np.int64]

#: Double-precision numbers.
Floats = NDArray[np.float64]
