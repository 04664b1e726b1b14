"""Images put together for one task, and the choice of workers by the amount of work."""

from collections.abc import Iterable, Iterator

from pipeline.jobs.routes import Route

_MEGAPIXELS = 4.0  # of a bundle; a larger image goes alone
_IMAGES = 64
_UNKNOWN = 0.5  # megapixels reckoned for an image whose header could not be read

# Measured on one core of a 2020s server: reading, fitting, writing.
_SECONDS_PER_IMAGE = 0.005
_SECONDS_PER_MEGAPIXEL = 0.03
_WORTH_THREADS = 0.5  # seconds of work
_WORTH_PROCESSES = 15.0  # a local cluster takes about two seconds to start
_SMALL = 0.5  # megapixels; below, Python itself is most of the work, and threads would queue for it


def bundle(routes: Iterable[Route]) -> Iterator[list[Route]]:
    """Group images so that a task is worth its scheduling; the largest first, so that none is last.

    Those that are done in windows go alone: they are many tasks.
    """
    gathered: list[Route] = []
    size = 0.0
    for route in sorted(routes, key=lambda route: (-_size(route), route.decision.entry.key)):
        if route.parted:
            yield [route]
            continue
        if gathered and (size + _size(route) > _MEGAPIXELS or len(gathered) == _IMAGES):
            yield gathered
            gathered, size = [], 0.0
        gathered.append(route)
        size += _size(route)
    if gathered:
        yield gathered


def bundled(routes: Iterable[Route]) -> Iterator[tuple[tuple[str, ...], float]]:
    """The keys of the images of each bundle, and their megapixels together."""
    for part in bundle(routes):
        yield tuple(route.decision.entry.key for route in part), sum(route.megapixels for route in part)


def choose_workers(routes: list[Route], workers: int) -> str:
    """The kind of workers that ends soonest: "inline", "threads" or "local" (processes)."""
    megapixels = sum(map(_size, routes))
    seconds = len(routes) * _SECONDS_PER_IMAGE + megapixels * _SECONDS_PER_MEGAPIXEL
    if seconds < _WORTH_THREADS or workers == 1 or (len(routes) == 1 and not routes[0].parted):
        return "inline"
    small = megapixels / len(routes) < _SMALL
    if seconds < (_WORTH_PROCESSES / 3 if small else _WORTH_PROCESSES):
        return "inline" if small else "threads"
    return "local"


def _size(route: Route) -> float:
    return route.megapixels or _UNKNOWN
