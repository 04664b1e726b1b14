"""Centres as running means of the pixels they have seen."""

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.color.points import add_points, nearest, total_of


class Means:
    """Centres (k, channels), and the pixels that each has seen: their sums and number."""

    def __init__(self, centers: NDArray[np.float64]) -> None:
        self.centers = centers.copy()
        self.forget()

    def forget(self) -> None:
        """Have seen no pixel; the centres stay where they are."""
        self.sums = np.zeros_like(self.centers)
        self.seen = np.zeros(len(self.centers), np.int64)

    def see(self, batch: NDArray[np.float64]) -> float:
        """Take a batch in; returns its inertia about the centres before."""
        labels, distances = nearest(batch, self.centers)
        add_points(batch, labels, self.sums, self.seen)
        some = self.seen > 0
        self.centers[some] = self.sums[some] / self.seen[some, None]
        return float(total_of(distances))

    def settle(self, batch: NDArray[np.float64], tol: float, steps: int) -> None:
        """Make up to so many Lloyd steps on one batch; then it is all that has been seen."""
        before = math.inf
        for _ in range(steps):
            self.forget()
            inertia = self.see(batch)
            if before - inertia <= tol * inertia:
                break
            before = inertia

    def place_unseen(self, batch: NDArray[np.float64]) -> None:
        """Put each centre that has never seen a pixel on the farthest of the batch."""
        unseen = np.flatnonzero(self.seen == 0)
        if len(unseen) == 0:
            return
        distances = nearest(batch, self.centers)[1]
        for j in unseen:
            place = int(distances.argmax())
            if distances[place] == 0:
                return
            self.centers[j] = self.sums[j] = batch[:, place]
            self.seen[j] = 1
            distances = np.minimum(distances, nearest(batch, self.centers[j : j + 1])[1])
