"""MSE on a folder of images against the best known values and against other quantizers.

    python tests/benchmarks/quality.py FOLDER ANCHORS.csv [--peers libimagequant pillow opencv …]

ANCHORS.csv has the columns image (file name without extension), k, mse_iokm, mse_best_known.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from peers import PEERS, geometric_mean, measure
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("anchors", type=Path)
    parser.add_argument("--peers", nargs="*", default=["libimagequant", "pillow"], choices=list(PEERS))
    given = parser.parse_args()
    with given.anchors.open() as file:
        anchors = {(row["image"], int(row["k"])): row for row in csv.DictReader(file)}
    images = {
        path.stem: np.asarray(Image.open(path).convert("RGB")) for path in sorted(given.folder.glob("*.png"))
    }
    names = ["segpipe", *given.peers]
    print(f"MSE / best known; {len(images)} images\n")
    print(f"{'image':20}{'k':>5}{'best known':>12}" + "".join(f"{name:>15}" for name in names))
    ratios: dict[tuple[str, int], list[float]] = {}
    below, record = 0, []
    lower: dict[str, int] = dict.fromkeys(given.peers, 0)
    for k in sorted({k for _, k in anchors}):
        for name, image in images.items():
            anchor = anchors[name, k]
            best = float(anchor["mse_best_known"])
            found = {peer: measure(peer, image, k)[0] for peer in names}
            below += found["segpipe"] <= float(anchor["mse_iokm"])
            if found["segpipe"] < best:
                record.append(f"{name} {k} ({found['segpipe'] / best:.4f})")
            for peer, value in found.items():
                if peer != "segpipe":
                    lower[peer] += found["segpipe"] <= value
                ratios.setdefault((peer, k), []).append(value / best)
            print(f"{name:20}{k:5}{best:12.3f}" + "".join(f"{found[peer] / best:15.4f}" for peer in names))
        means = "".join(f"{geometric_mean(ratios[peer, k]):15.4f}" for peer in names)
        worst = "".join(f"{max(ratios[peer, k]):15.4f}" for peer in names)
        print(f"{'geometric mean':20}{k:5}{'':12}{means}\n{'worst':20}{k:5}{'':12}{worst}\n")
    print(f"segpipe at or below mse_iokm on {below} of {len(anchors)} pairs")
    for peer, number in lower.items():
        print(f"segpipe at or below {peer} on {number} of {len(anchors)} pairs")
    print(f"below the best known on {len(record)} pairs: {', '.join(record)}")


if __name__ == "__main__":
    main()
