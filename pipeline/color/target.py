"""Target quality: the fewest colours whose palette is as good as asked."""

import math
from dataclasses import dataclass, replace
from typing import Any

from pipeline.color.checks import require_number
from pipeline.color.codebook import Codebook, refuse_nothing
from pipeline.color.counts import ColorCounts
from pipeline.color.kmeans import KMeans
from pipeline.color.lloyd import sum_errors
from pipeline.color.metrics import measure, mse_of, psnr_of

MEASURES = ("psnr", "mse", "delta_e_p95")


@dataclass(frozen=True, eq=False)
class Target:
    """k-means with the smallest k that reaches a target, found by search over one set of counts.

    Smallest means that k - 1 misses it. Errors as a whole fall with every colour; a percentile of ΔE may
    rise now and then, so that a still smaller k can reach it by chance: 31 where 34 was found.

    measure : "psnr" (dB, at least), "mse" or "delta_e_p95" (at most), as `metrics.Metrics` defines
    them. value : what it has to reach. kmeans : the settings; its `colors` is the largest k that is
    tried. If that falls short too, it is what one gets, and the findings say so.
    """

    measure: str
    value: float
    kmeans: KMeans

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ValueError(f"target must be one of {', '.join(MEASURES)}, not {self.measure!r}")
        require_number(f"target {self.measure}", self.value, 0, math.inf)

    def fit(self, counts: ColorCounts) -> Codebook:
        """Find the smallest k that reaches the target, and whose k - 1 does not."""
        refuse_nothing(counts)
        most = min(self.kmeans.colors, len(counts))
        tried = {most: self._try(counts, most)}
        short, enough = 0, most
        while self._misses(tried[most][1]) <= 0 and enough - short > 1:
            k = self._between(short, enough, {k: self._misses(reached) for k, (_, reached) in tried.items()})
            tried[k] = self._try(counts, k)
            short, enough = (k, enough) if self._misses(tried[k][1]) > 0 else (short, k)
        book, reached = tried[enough]
        findings = {
            "target": {self.measure: self.value},
            "reached": None if math.isinf(reached) else reached,
            "met": self._misses(reached) <= 0,
        }
        return replace(book, findings=findings)

    def _try(self, counts: ColorCounts, k: int) -> tuple[Codebook, float]:
        """The codebook of k colours, and the measure it reaches (infinite PSNR: no difference)."""
        book = replace(self.kmeans, colors=k, init=self._init(k)).fit(counts)
        squared_error = int(sum_errors(counts.planes, counts.counts, book.labels, book.colors))
        if self.measure == "delta_e_p95":
            return book, measure(counts, book.labels, book.colors, squared_error).delta_e_p95
        if self.measure == "mse":
            return book, mse_of(squared_error, counts.total)
        psnr = psnr_of(squared_error, counts.total)
        return book, math.inf if psnr is None else psnr

    def _init(self, k: int) -> Any:
        """A palette to start from has to have k colours at most."""
        return self.kmeans.init if isinstance(self.kmeans.init, str) else self.kmeans.init[:k]

    def _misses(self, reached: float) -> float:
        """How far on the wrong side of the target a measure is: above 0, it is not met."""
        if self.measure == "psnr":
            return self.value - reached
        return reached - self.value

    def _between(self, short: int, enough: int, misses: dict[int, float]) -> int:
        """The k to try next: on the line through both ends, by ln k, but well inside them."""
        low, high = math.log(max(short, 1)), math.log(enough)
        share = 0.5
        if short in misses and math.isfinite(misses[enough]):
            share = misses[short] / (misses[short] - misses[enough])
        k = round(math.exp(low + min(max(share, 0.15), 0.85) * (high - low)))
        return min(max(k, short + 1), enough - 1)
