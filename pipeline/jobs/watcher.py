"""Who is told what a run does."""

from pipeline.jobs.records import Record
from pipeline.jobs.survey import Survey


class Watcher:
    """Told what a run does; this one does nothing about it."""

    def planned(self, found: Survey) -> None:
        """The plan stands."""

    def started(self, images: int, megapixels: float) -> None:
        """So many images are about to be done."""

    def counting(self, done: int, total: int) -> None:
        """So many of the images that share palettes are counted; painting them comes after."""

    def progressed(self, key: str, step: str, done: int, total: int) -> None:
        """So many of a large image's pixels are through with a step, "counted" or "mapped"."""

    def finished(self, record: Record) -> None:
        """An image is done, or has failed."""

    def say(self, text: str) -> None:
        """Something a person at the terminal would want to know."""
