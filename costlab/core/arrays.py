"""The arrays of the core: what kernels, their twins and those that call them hand each other."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Brief = NDArray[np.int32]
Bits = NDArray[np.uint32]
Singles = NDArray[np.float32]
