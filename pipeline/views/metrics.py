"""What a run came to, for Prometheus: the text that node_exporter's textfile collector reads."""

import time
from collections.abc import Iterator

from pipeline.views.reports import Report


def metrics_text(report: Report, job: str, shard: str) -> str:
    """The metrics of one run, each labelled with its job file, and shard if it is of one."""
    labels = {"job_file": job} | ({"shard": shard} if shard else {})
    return "".join(f"{line}\n" for line in _lines(report, labels))


def _lines(report: Report, labels: dict[str, str]) -> Iterator[str]:
    yield from _head("segpipe_exit_code", "The exit code of the last run; see segpipe --help.")
    yield _sample("segpipe_exit_code", labels, int(report.exit_code))
    yield from _head("segpipe_last_completion_timestamp_seconds", "When the last run ended, however it did.")
    yield _sample("segpipe_last_completion_timestamp_seconds", labels, round(time.time(), 3))
    yield from _head("segpipe_run_seconds", "How long the last run took.")
    yield _sample("segpipe_run_seconds", labels, round(report.seconds, 3))
    if report.summary is None:
        return
    yield from _head("segpipe_images", "Images of the last run by what became of them.")
    for status, count in report.images.items():
        yield _sample("segpipe_images", labels | {"status": status}, count)
    yield from _head("segpipe_orphans", "Recorded images without input.")
    yield _sample("segpipe_orphans", labels, len(report.summary.orphans))
    yield from _head("segpipe_done_pixels", "Pixels of the images that the last run has done.")
    yield _sample("segpipe_done_pixels", labels, report.summary.pixels)


def _head(name: str, told: str) -> Iterator[str]:
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} gauge"


def _sample(name: str, labels: dict[str, str], value: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{shown}}} {value}"


def _escaped(text: str) -> str:
    whole = text.encode("utf-8", "replace").decode()
    return whole.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
