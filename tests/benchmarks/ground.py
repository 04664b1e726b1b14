"""The ground of a soak: a job of many small images, the trees that it must end in, and what is there now.

ground = Ground(folder, 200, seed)
ground.expect(recipe)             the tree of a run that nobody disturbs, once for each recipe
ground.finished(recipe)           what the next run would take for done
ground.complaints(recipe, known)  what is wrong with a tree in which somebody was killed
"""

import os
import random
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from pipeline.files.wholefiles import DEBRIS
from pipeline.jobs.ledger import load_manifest
from pipeline.jobs.recipe import recipe, recipe_digest
from pipeline.jobs.spec import JobSpec, load_spec
from pipeline.jobs.tree import tree_of

STATE = ".segpipe"
_LARGE = 0.05  # megapixels; the images above are done in windows
_MODES = ("RGB", "RGB", "RGB", "L", "RGBA", "P", "LA", "CMYK", "I;16", "1")
_SUFFIXES = {"RGB": ("png", "jpg", "webp", "bmp", "tif"), "CMYK": ("jpg", "tif"), "L": ("png", "jpg", "gif")}


class Ground:
    """A job in a folder, with `inputs`, `outputs` and the job file `job`."""

    def __init__(self, folder: Path, images: int, seed: int) -> None:
        self.inputs, self.outputs, self.job = folder / "in", folder / "out", folder / "job.yaml"
        self.images = images
        self.trees: dict[str, dict[str, bytes]] = {}
        self._digests: dict[str, str] = {}
        self.job.write_text(
            yaml.safe_dump(
                {
                    "input": {"root": str(self.inputs)},
                    "output": {"root": str(self.outputs), "palette": {"formats": ["json", "gpl"]}},
                    "large": {"above_megapixels": _LARGE, "window": 128},
                    "compute": {"cluster": "inline", "workers": 2, "timeout": 30},
                }
            )
        )
        _plant(self.inputs, images, random.Random(seed))  # noqa: S311

    def spec(self, recipe: str) -> JobSpec:
        """The job with a recipe, a word for `--set`."""
        return load_spec(self.job, (recipe,))

    def expect(self, wanted: str) -> None:
        """Take the tree that is there as the one that a recipe has to end in."""
        self.trees[wanted] = contents(self.outputs)
        self._digests[wanted] = recipe_digest(recipe(self.spec(wanted)))

    def finished(self, recipe: str) -> dict[str, str]:
        """The images that are recorded as done, or failed, with a recipe, each with what is recorded."""
        known = load_manifest(tree_of(self.spec(recipe)))
        digest = self._digests[recipe]
        return {
            key: repr(record)
            for key, record in known.records.items()
            if record.recipe == digest and key not in known.unfinished
        }

    def under_way(self, recipe: str) -> int:
        """The number of images whose outputs are about to be replaced."""
        return len(load_manifest(tree_of(self.spec(recipe))).unfinished)

    def lost(self, recipe: str, known: dict[str, str]) -> list[str]:
        """Those images that were finished and are so no more, or otherwise."""
        now = self.finished(recipe)
        return sorted(key for key, record in known.items() if now.get(key) != record)

    def complaints(self, recipe: str) -> Iterator[str]:
        """What is wrong below the final names, whoever was killed: torn or foreign files, lost outputs."""
        there = contents(self.outputs)
        for path, data in there.items():
            if _is_debris(path) or path == "manifest.jsonl":
                continue  # the manifest has as many whole states as there are runs: records are compared
            if all(data != tree.get(path) for tree in self.trees.values()):
                yield f"{path} is torn, or nobody's"
        records = load_manifest(tree_of(self.spec(recipe)))
        for key in self.finished(recipe):
            for output in records.records[key].outputs.values():
                if there.get(output.path) != self.trees[recipe][output.path]:
                    yield f"{output.path} is not what is recorded of {key}"

    def differences(self, recipe: str) -> list[str]:
        """The paths whose bytes are not those of the undisturbed tree."""
        there, wanted = contents(self.outputs), self.trees[recipe]
        paths = (path for path in there.keys() | wanted.keys() if not _is_debris(path))
        return sorted(path for path in paths if there.get(path) != wanted.get(path))

    def debris(self) -> list[str]:
        """Files that are on the disk only while somebody is at work."""
        files = [path for path in self.outputs.rglob("*") if path.is_file()]
        running = {"lock", "journal.jsonl"}
        large = self.outputs / STATE / "large"
        return sorted(
            path.relative_to(self.outputs).as_posix()
            for path in files
            if path.name.startswith(".segpipe-")
            or (path.name in running and STATE in path.parts)
            or large in path.parents
        )


def contents(root: Path) -> dict[str, bytes]:
    """Every file's bytes by path, the state folder left out; files that go meanwhile are not there."""
    found = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != STATE]
        for name in names:
            path = Path(folder) / name
            try:
                found[path.relative_to(root).as_posix()] = path.read_bytes()
            except FileNotFoundError:
                continue
    return found


def _is_debris(path: str) -> bool:
    return fnmatch(path.rpartition("/")[2], DEBRIS)


def _plant(root: Path, count: int, chance: random.Random) -> None:
    """Write images of many modes, sizes and formats in folders of many depths; some are broken."""
    generator = np.random.default_rng(chance.randrange(1 << 32))
    for number in range(count):
        folder = root.joinpath("shared", *(str(number % divisor) for divisor in (2, 3, 5)[: number % 4]))
        folder.mkdir(parents=True, exist_ok=True)
        if number % 40 == 39:
            path = folder / f"{number:03}.png"
            path.write_bytes(_broken(number, generator))
        elif number % 40 == 19:  # in windows: tiled, or in bands
            path = folder / f"{number:03}.{chance.choice(['tif', 'png', 'jpg'])}"
            _picture(generator, 300, 220, "RGB").save(path)
        else:
            mode = chance.choice(_MODES)
            path = folder / f"{number:03}.{chance.choice(_SUFFIXES.get(mode, ('png',)))}"
            _picture(generator, chance.randint(8, 200), chance.randint(8, 200), mode).save(path)
        os.utime(path, (1e9, 1e9))


def _picture(generator: np.random.Generator, width: int, height: int, mode: str) -> Image.Image:
    """Smooth colour with grain, some of it transparent where the mode can be."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = [np.sin(a * x + b * y + c) for a, b, c in generator.uniform(0, 6, (3, 3))]
    grain = generator.normal(0, 6, (height, width, 3))
    image = Image.fromarray(np.clip(128 + 90 * np.dstack(waves) + grain, 0, 255).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray((255 * (x > 0.1) - 100 * (y > 0.5) * (x > 0.1)).astype(np.uint8)))
        return image
    return image.convert(mode)


def _broken(number: int, generator: np.random.Generator) -> bytes:
    """No image, half of one, or nothing at all."""
    words = b"no image at all, but words"
    half = b"\x89PNG\r\n\x1a\n" + generator.bytes(200)
    return (words, half, b"")[number // 40 % 3]
