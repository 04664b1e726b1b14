"""What many tests need: tiny images, jobs for two folders, records, entries, plans."""

import hashlib
import time
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.files.headers import Header
from pipeline.files.listing import Entry
from pipeline.jobs.plan import Decision, Reason
from pipeline.jobs.recipe import recipe, recipe_digest
from pipeline.jobs.records import ColorFacts, Failure, InputFacts, MetricFacts, OutputFacts, Record
from pipeline.jobs.routes import Route
from pipeline.jobs.spec import JobSpec
from pipeline.jobs.survey import Options, survey


def digest(text):
    """Make up a SHA-256 for a word."""
    return hashlib.sha256(text.encode()).hexdigest()


def noise(height, width, channels=3, seed=0, levels=256):
    """Make an image of random colours, (height, width, channels) uint8."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, levels, (height, width, channels)) * (255 // (levels - 1))).astype(np.uint8)


def plant(root, key, pixels=None):
    """Save an image array, or a few random pixels of the key's own, below `root`."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
        pixels = noise(6, 7, seed=sum(key.encode()))
    Image.fromarray(pixels).save(path, "PNG")
    return path


def job(folder, **sections):
    """Make a job from `folder`/in, which is made, to `folder`/out, which is not."""
    (folder / "in").mkdir(exist_ok=True)
    base = {
        "input": {"root": str(folder / "in")},
        "output": {"root": str(folder / "out")},
        "compute": {"cluster": "inline", "workers": 1},
    }
    return JobSpec.model_validate(
        {key: base.get(key, {}) | sections.get(key, {}) for key in {*base, *sections}}
    )


def look(spec, **options):
    """Survey a job now."""
    return survey(spec, Options(**options), time.time_ns())


def digest_of(spec):
    """Give the digest of a job's recipe."""
    return recipe_digest(recipe(spec))


def entry(key, size=10, error=None):
    """Make an entry of a listing."""
    return Entry(key, size, 1_000, 7, error)


def done(key, recipe="now", content="content", outputs=("quantized", "labels", "palettes"), size=10):
    """Make the record of an image that is done, with outputs of 5 bytes each."""
    return Record(
        image=key,
        status="done",
        recipe=recipe,
        input=InputFacts(size, digest(content), 7, 6, "RGB"),
        outputs={kind: OutputFacts(f"{kind}/{key}.x", 5, digest(f"{kind} of {key}")) for kind in outputs},
        colors=ColorFacts(16, 16),
        metrics=MetricFacts(1.5, 40.0, 0.5, 1.0, 2.0),
        iterations=3,
        converged=True,
    )


def failed(
    key, kind="TruncatedImage", recipe="now", content="content", size=10, status="failed", message="!"
):
    """Make the record of an image that failed."""
    return Record(key, status, recipe, InputFacts(size, digest(content)), error=Failure(kind, message))


def header(width=7, height=6, peak_bytes=20_000_000):
    """Make a header."""
    return Header("png", width, height, "RGB", 1, 1, 10, peak_bytes)


def route(key, megapixels=None, refusal=None):
    """Make the route of a new image of so many megapixels, None for an unreadable header."""
    found = None if megapixels is None else header(1000, round(megapixels * 1000))
    return Route(Decision(entry(key), True, Reason.NEW), found, refusal)


def tree(root):
    """Give all below a folder: content, time and inode of each file by its relative path."""
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for path in sorted(Path(root).rglob("*"))
        if path.is_file()
    }
