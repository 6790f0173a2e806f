"""The loop that places pods; its twin in `reference` says what it means."""

import numpy as np

from costlab.core._jit import kernel
from costlab.core.arrays import Ints


@kernel
def first_fit(amounts: Ints, room: Ints) -> Ints:
    """The node that each pod is placed on, 0, 1, …: the first that has room, in the order of the pods.

    amounts: int64 (pods, resources), >= 0, what a pod asks for. room: int64 (resources,), of an empty node. Returns
    int64 (pods,), -1: an empty node has no room for it.
    """
    pods, resources = amounts.shape
    placed = np.full(pods, -1)
    left = np.empty((pods, resources), np.int64)
    nodes = 0
    for pod in range(pods):
        left[nodes] = room  # the next node, if none before it has room
        for node in range(nodes + 1):
            fits = True
            for r in range(resources):
                fits = fits and amounts[pod, r] <= left[node, r]
            if fits:
                placed[pod] = node
                left[node] -= amounts[pod]
                nodes = max(nodes, node + 1)
                break
    return placed
