"""Names that would clash in the output tree: found before anything is written, whatever the order."""

from pipeline.errors import UnusableName
from pipeline.files.listing import Entry, Listing

ENDINGS = (".png", ".tif", ".json", ".gpl", ".ase", ".act", ".hex", ".txt", ".css", ".csv", ".webp")
"""What is put behind an image's key to name its outputs."""

_LONGEST = 255  # bytes of a file name, on all common file systems


def without_clashes(listing: Listing) -> Listing:
    """Mark the images whose outputs could not have their names.

    Such a name is too long, or that of a folder in which other images' outputs go: of `x.png` and
    `x.png.png/y.png` the second is kept.
    """
    folders = _folders(listing)
    return listing._replace(entries=[_checked(entry, folders) for entry in listing.entries])


def _folders(listing: Listing) -> set[str]:
    """All folders that have images below them."""
    folders: set[str] = set()
    for entry in listing.entries:
        folder = entry.key.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _checked(entry: Entry, folders: set[str]) -> Entry:
    if entry.error is not None:
        return entry
    name = entry.key.rpartition("/")[2]
    if len(name) > (_LONGEST - 5) // 4 and len(name.encode()) + max(map(len, ENDINGS)) > _LONGEST:
        return entry._replace(
            error=UnusableName(
                f"{entry.key}: expected a name of at most {_LONGEST - 5} bytes, to which outputs can add "
                f"their endings, found {len(name.encode())}; shorten it"
            )
        )
    clash = next((ending for ending in ENDINGS if entry.key + ending in folders), None) if folders else None
    if clash:
        return entry._replace(
            error=UnusableName(
                f"{entry.key}: expected to name an output {entry.key}{clash}, found a folder of that name "
                "among the inputs; rename one of them"
            )
        )
    return entry
