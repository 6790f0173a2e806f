"""The NumPy twin of the loop that places pods, written to be read."""

import numpy as np

from costlab.core.arrays import Ints


def first_fit(amounts: Ints, room: Ints) -> Ints:
    """The node that each pod is placed on, 0, 1, …: the first that has room, in the order of the pods."""
    placed = np.full(len(amounts), -1)
    left = np.tile(room, (len(amounts), 1))  # there are never more nodes than pods
    for pod, asked in enumerate(amounts):
        with_room = np.flatnonzero((asked <= left).all(axis=1))
        if len(with_room):
            placed[pod] = with_room[0]
            left[with_room[0]] -= asked
    return placed
