"""What a run says to people while it goes on: a bar in a terminal, lines in CI, else only what matters.

    a terminal                   a bar that shows images, megapixels, their rate and the time left
    no terminal, but CI is set   a line at each tenth of the work, or after half a minute
    neither, as under cron       nothing but messages and failures

All of it goes to stderr, and all say messages and failures as whole lines of their own.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from tqdm import tqdm

from pipeline.files.printable import counted, plain
from pipeline.jobs.records import Record
from pipeline.jobs.survey import Survey
from pipeline.jobs.watcher import Watcher
from pipeline.views.terminal import told

_AN_IMAGE = 0.05  # what an image costs whatever its size, in megapixels
_SILENCE = 30.0  # seconds without a line in CI, at most
_BAR = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}{postfix}]"
_LONGEST = 32  # letters of a large image's name beside its bar


def messages_for(stream: TextIO, environ: Mapping[str, str], verbose: bool) -> "Messages":
    """Give what suits a stream and its surroundings.

    verbose : a line for every image, not for failures alone.
    """
    if stream.isatty():
        return Steps(verbose) if environ.get("TERM") == "dumb" else Bar(verbose)
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    return Steps(verbose) if in_ci else Messages(verbose)


@dataclass
class Work:
    """How much of a run's work is through. Images differ in size: a share is one of megapixels."""

    images: int
    megapixels: float
    finished: int = 0
    through: float = 0.0

    def take(self, record: Record) -> None:
        """Count an image that is done, or has failed."""
        facts = record.input
        self.finished += 1
        self.through += (facts.width or 0) * (facts.height or 0) / 1e6 if facts else 0.0
        if self.finished >= self.images:  # those that failed may not have told their size
            self.through = self.megapixels

    @property
    def done(self) -> float:
        """Of `total`."""
        return min(self.through, self.megapixels) + _AN_IMAGE * self.finished

    @property
    def total(self) -> float:
        """In megapixels, with something for each image."""
        return self.megapixels + _AN_IMAGE * self.images

    def __str__(self) -> str:
        size = f"{min(self.through, self.megapixels):.1f}/{self.megapixels:.1f} Mpx"
        return f"{self.finished}/{self.images} images, {size}"


class Messages(Watcher):
    """Failures and messages, a line each."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose

    def planned(self, found: Survey) -> None:
        for line in found.manifest.damaged:
            self.say(f"{line} could not be read; its image is done anew")
        for skipped in found.listing.skipped:
            self.say(f"passed over {plain(skipped.path)}: {skipped.reason}")

    def finished(self, record: Record) -> None:
        if self._verbose or record.error is not None:
            self.say(told(record))

    def say(self, text: str) -> None:
        sys.stderr.write(f"segpipe: {text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal in order."""


class Steps(Messages):
    """The same, and a line now and then that tells how far the work is.

    clock : seconds, as `time.monotonic` gives them.
    """

    def __init__(self, verbose: bool, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(verbose)
        self._clock = clock
        self._work = Work(0, 0.0)
        self._tenth = 0
        self._begun = self._last = clock()

    def started(self, images: int, megapixels: float) -> None:
        self._work = Work(images, megapixels)
        self._begun = self._last = self._clock()
        self.say(f"{counted(images, 'image')} to do, {megapixels:.1f} Mpx")

    def counting(self, done: int, total: int) -> None:
        if done < total:
            self._tell_seldom(f"{done}/{total} images counted")

    def progressed(self, key: str, step: str, done: int, total: int) -> None:
        if done < total:
            self._tell_seldom(f"{plain(key)}: {100 * done // total} % of {total / 1e6:.1f} Mpx {step}")

    def finished(self, record: Record) -> None:
        super().finished(record)
        work = self._work
        if not work.images:  # it failed before the work began
            return
        work.take(record)
        share = work.done / work.total if work.total else 1.0
        line = f"{100 * share:.0f} %: {work}"
        if int(10 * share + 1e-9) > self._tenth:
            self._tenth = int(10 * share + 1e-9)
            self._tell(f"{line}, {_duration((self._clock() - self._begun) * (1 / share - 1))} left")
        else:
            self._tell_seldom(line)

    def _tell_seldom(self, line: str) -> None:
        if self._clock() - self._last >= _SILENCE:
            self._tell(line)

    def _tell(self, line: str) -> None:
        self._last = self._clock()
        self.say(line)


class Bar(Messages):
    """A bar for a terminal, and the lines above it."""

    def __init__(self, verbose: bool) -> None:
        super().__init__(verbose)
        self._work = Work(0, 0.0)
        self._bar: Any = None
        self._large: Any = None
        self._step = ("", "")

    def started(self, images: int, megapixels: float) -> None:
        self._close_large()
        self._work = Work(images, megapixels)
        self._bar = _bar(total=self._work.total, desc=str(self._work), bar_format=_BAR, smoothing=0.1)

    def counting(self, done: int, total: int) -> None:
        """A bar of its own for images that are counted first, as they share palettes."""
        self._show("counted", "images", done, total, 1)

    def progressed(self, key: str, step: str, done: int, total: int) -> None:
        """A bar of its own for a large image: megapixels through with a step, their rate, the time left."""
        name = plain(key)
        name = name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"
        self._show(f"{name} {step}", "Mpx", done, total, 1e6)

    def finished(self, record: Record) -> None:
        super().finished(record)
        if self._bar is not None:
            self._work.take(record)
            self._bar.set_description_str(str(self._work), refresh=False)
            rate = self._work.through / max(time.time() - self._bar.start_t, 1e-3)
            self._bar.set_postfix_str(f"{rate:.1f} Mpx/s", refresh=False)
            self._bar.update(self._work.done - self._bar.n)

    def say(self, text: str) -> None:
        tqdm.write(f"segpipe: {text}", file=sys.stderr)

    def close(self) -> None:
        self._close_large()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self, what: str, unit: str, done: int, total: int, scale: float) -> None:
        if self._step != (what, unit):
            self._close_large()
            self._step = (what, unit)
            self._large = _bar(total=round(total / scale, 1), unit=unit, desc=what)
        self._large.update(round(done / scale, 1) - self._large.n)
        if done == total:
            self._close_large()

    def _close_large(self) -> None:
        if self._large is not None:
            self._large.close()
            self._large = None
            self._step = ("", "")


def _bar(**given: Any) -> Any:
    """A bar that goes when it is closed: the last words of the run say what it did.

    It is drawn when it is whole: words of a signal that come while it is made would stand behind it.
    """
    bar = tqdm(file=sys.stderr, dynamic_ncols=True, leave=False, delay=1e-9, **given)
    bar.delay = 0  # else it takes itself for one that was never drawn
    bar.refresh()
    return bar


def _duration(seconds: float) -> str:
    return str(tqdm.format_interval(seconds))
