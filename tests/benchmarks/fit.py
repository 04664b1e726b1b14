"""Time of the fit alone, on one thread, and how far it is from full convergence.

    python tests/benchmarks/fit.py FOLDER [--colors 256] [--most IMAGES]

Convergence is that of the same start, refined until a step takes less than 1e-7 of the inertia off.
scikit-learn's KMeans gets the distinct colours with their counts as weights, the kindest input.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from pipeline.color.counts import ColorCounts, count_colors
from pipeline.color.kmeans import KMeans
from pipeline.color.mapping import fit_palette
from pipeline.color.warmup import warm_up


def scikit_learn(counts: ColorCounts, colors: int) -> float:
    """Seconds of a fit with one start."""
    from sklearn.cluster import KMeans as Theirs

    points = counts.planes.T.astype(np.float32)
    with threadpool_limits(1):
        start = time.perf_counter()
        Theirs(colors, n_init=1, random_state=0).fit(points, sample_weight=counts.counts)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--colors", type=int, nargs="*", default=[256])
    parser.add_argument("--most", type=int, default=1000)
    given = parser.parse_args()
    warm_up()
    print(f"{'image':32}{'distinct':>10}{'k':>5}{'fit: ms':>9}{'gap %':>7}{'scikit-learn: ms':>18}{'×':>6}")
    for path in sorted(given.folder.iterdir())[: given.most]:
        if path.suffix.lower() not in (".png", ".jpg"):
            continue
        counts = count_colors(np.asarray(Image.open(path).convert("RGB")))
        for k in given.colors:
            seconds = []
            for _ in range(5):
                start = time.perf_counter()
                book = KMeans(k).fit(counts)
                seconds.append(time.perf_counter() - start)
            found = fit_palette(counts, KMeans(k)).squared_error
            full = fit_palette(counts, KMeans(k, tol=1e-7, max_iter=5000)).squared_error
            theirs = scikit_learn(counts, k)
            print(
                f"{path.stem[:31]:32}{len(counts):10}{len(book.colors):5}{min(seconds) * 1e3:9.1f}"
                f"{(found / full - 1) * 100:7.2f}{theirs * 1e3:18.0f}{theirs / min(seconds):6.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
