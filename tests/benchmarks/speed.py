"""Time of count, fit and map together, in process on one thread, against other quantizers.

python tests/benchmarks/speed.py FOLDER [--colors 16 64 256] [--peers libimagequant scikit-learn]
                                        [--at-least MEGAPIXELS] [--most IMAGES]

Images are decoded before the clock starts; segpipe's loops are compiled before.
"""

import argparse
from pathlib import Path

import numpy as np
from peers import PEERS, geometric_mean, measure
from PIL import Image

from pipeline.color.warmup import warm_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--colors", type=int, nargs="*", default=[16, 64, 256])
    parser.add_argument("--peers", nargs="*", default=["libimagequant"], choices=list(PEERS))
    parser.add_argument("--at-least", type=float, default=0.0)
    parser.add_argument("--most", type=int, default=1000)
    given = parser.parse_args()
    warm_up()
    paths = [path for path in sorted(given.folder.iterdir()) if path.suffix.lower() in (".png", ".jpg")]
    paths = [path for path in paths if _megapixels(path) >= given.at_least][: given.most]
    header = "".join(f"{f'{peer}: ms':>20}{'slower':>8}{'MSE':>7}" for peer in given.peers)
    print(f"{'image':36}{'Mpx':>6}{'k':>5}{'segpipe: ms':>13}{'Mpx/s':>7}{header}   (× segpipe)")
    for k in given.colors:
        ratios: dict[str, list[tuple[float, float]]] = {peer: [] for peer in given.peers}
        for path in paths:
            image = np.asarray(Image.open(path).convert("RGB"))
            size = image.shape[0] * image.shape[1] / 1e6
            error, seconds = measure("segpipe", image, k, repeats=3)
            line = f"{path.stem[:35]:36}{size:6.1f}{k:5}{seconds * 1e3:13.1f}{size / seconds:7.0f}"
            for peer in given.peers:
                other_error, other_seconds = measure(peer, image, k)
                ratios[peer].append((other_seconds / seconds, other_error / error))
                line += f"{other_seconds * 1e3:20.1f}{other_seconds / seconds:8.1f}{other_error / error:7.3f}"
            print(line, flush=True)
        for peer, pairs in ratios.items():
            times, errors = ([pair[i] for pair in pairs] for i in (0, 1))
            print(
                f"k = {k}: {peer} takes {geometric_mean(times):.1f} × the time "
                f"({min(times):.1f} to {max(times):.1f}) at {geometric_mean(errors):.3f} × the MSE "
                f"({min(errors):.3f} to {max(errors):.3f})"
            )


def _megapixels(path: Path) -> float:
    with Image.open(path) as image:
        return image.width * image.height / 1e6


if __name__ == "__main__":
    main()
