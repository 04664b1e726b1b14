"""The image formats that are read: our names, their extensions and Pillow's names for them.

The extensions only say which files a listing takes by default; what a file *is* its content says.
Formats with a sure signature come first: TGA has none, so it is asked last.

Of what Pillow knows, left out are EPS (reading it runs a PostScript interpreter), WMF (Windows
only), the science formats of which Pillow reads no pixels of its own (BUFR, GRIB, HDF5), MPEG (no
pixels at all), and containers without a name or signature to go by (IMT, IPTC, MCIDAS, XVThumb).
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple


class Format(NamedTuple):
    """One readable format.

    `pillow` is the name under which Pillow opens it; `sure` tells whether its first bytes
    prove it, so that a file which begins so and cannot be opened is damaged, not foreign.
    """

    name: str
    extensions: tuple[str, ...]
    pillow: str
    sure: bool = True


_TABLE = (
    Format("jpeg", ("jpg", "jpeg", "jpe", "jfif"), "JPEG"),
    Format("png", ("png", "apng"), "PNG"),
    Format("tiff", ("tif", "tiff"), "TIFF"),
    Format("webp", ("webp",), "WEBP"),
    Format("gif", ("gif",), "GIF"),
    Format("jpeg2000", ("jp2", "j2k", "jpc", "jpf", "jpx", "j2c"), "JPEG2000"),
    Format("avif", ("avif", "avifs"), "AVIF"),
    Format("psd", ("psd",), "PSD"),
    Format("dds", ("dds",), "DDS"),
    Format("qoi", ("qoi",), "QOI"),
    # An MPO is a JPEG with more pictures behind the first; Pillow finds it through its JPEG reader.
    Format("mpo", ("mpo",), "JPEG"),
    Format("bmp", ("bmp",), "BMP", sure=False),
    Format("ppm", ("ppm", "pgm", "pbm", "pnm", "pfm"), "PPM", sure=False),
    Format("ico", ("ico",), "ICO", sure=False),
    Format("sgi", ("sgi", "rgb", "rgba", "bw"), "SGI", sure=False),
    Format("pcx", ("pcx",), "PCX", sure=False),
    Format("icns", ("icns",), "ICNS"),
    Format("blp", ("blp",), "BLP"),
    Format("fits", ("fits", "fit"), "FITS"),
    Format("ftex", ("ftc", "ftu"), "FTEX"),
    Format("gbr", ("gbr",), "GBR"),
    Format("xpm", ("xpm",), "XPM"),
    Format("cur", ("cur",), "CUR", sure=False),
    Format("dcx", ("dcx",), "DCX", sure=False),
    Format("dib", ("dib",), "DIB", sure=False),
    Format("fli", ("fli", "flc"), "FLI", sure=False),
    Format("im", ("im",), "IM", sure=False),
    Format("msp", ("msp",), "MSP", sure=False),
    Format("pcd", ("pcd",), "PCD", sure=False),
    Format("pixar", ("pxr",), "PIXAR", sure=False),
    Format("spider", ("spi",), "SPIDER", sure=False),
    Format("sun", ("ras",), "SUN", sure=False),
    Format("xbm", ("xbm",), "XBM", sure=False),
    Format("tga", ("tga", "icb", "vda", "vst"), "TGA", sure=False),
)

FORMATS: Mapping[str, Format] = MappingProxyType({entry.name: entry for entry in _TABLE})
"""Every readable format by name, in the order in which they are tried."""

FOLDERS = frozenset({"zarr"})
"""The formats of which an image is a folder: Pillow has no part in them."""

NAMES: tuple[str, ...] = (*FORMATS, *sorted(FOLDERS))
"""Every format that a job may list."""

EXTENSIONS: frozenset[str] = frozenset(extension for entry in _TABLE for extension in entry.extensions)
"""The extensions of all of them: lower-case, without the dot."""


def pillow_names(names: Iterable[str]) -> list[str]:
    """Give Pillow's names of formats, each once, in the order in which they are to be tried.

    Parameters
    ----------
    names : iterable of str
        Of `NAMES`, in any order; Pillow has no names of those that are folders.

    Raises
    ------
    KeyError
        When a name is not in `NAMES`.
    """
    asked = {FORMATS[name].pillow for name in names if name not in FOLDERS}
    return list(dict.fromkeys(entry.pillow for entry in _TABLE if entry.pillow in asked))


def our_name(pillow: str | None) -> str:
    """Give our name of a format that Pillow tells: its own in lower case, as in `FORMATS`."""
    return str(pillow).lower()


def listed(names: Sequence[str]) -> str:
    """Name formats in a message: all of a few, the first of many."""
    if len(names) <= 8:
        return ", ".join(names)
    return f"one of {len(names)} formats ({', '.join(names[:4])}, …)"


def admits(names: Iterable[str], found: str) -> bool:
    """Tell whether a job that lists `names` takes a file of the format `found`.

    Who takes JPEG takes MPO: cameras and telephones write it under the name `.jpg`.
    """
    names = set(names)
    return found in names or (found == "mpo" and "jpeg" in names)
