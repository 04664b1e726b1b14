"""A run as its watchers see it, with all that they may have to tell."""

from pathlib import Path

from builders import done, failed, job, look, plant

from pipeline.jobs.manifest import save
from pipeline.jobs.records import Records
from pipeline.jobs.watcher import Watcher

EVIL = "a\x1b[2J\r\n\u202eb\x00\x9b.png"
"""A name that moves the cursor, ends lines and turns letters round."""


def watch(watcher: Watcher, base: Path) -> None:
    """Show a watcher a run over a damaged manifest, with a link that is passed over and a failure."""
    spec = job(base)
    plant(base / "in", "a.png")
    (base / "in/l\nk.png").symlink_to(plant(base, "elsewhere.png"))
    (base / "out").mkdir()
    save(base / "out", Records.of())
    (base / "out/manifest.jsonl").write_bytes(b"garbage\n")
    watcher.planned(look(spec))
    watcher.started(2, 1.5)
    watcher.finished(done("a.png"))
    watcher.finished(failed(EVIL))
    watcher.say("some words")
    watcher.close()
