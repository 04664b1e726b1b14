"""What a file's header says, and what reading the whole image will cost.

Memory, in bytes, with n pixels as stored (`estimate_peak`):

    file      the file's bytes, held to the end
    decoded   n × Pillow's bytes per pixel: 1 (1, L, P), 2 (I;16), 4 (all others)
    decoder   n × what the decoder keeps beside it: 6 progressive JPEG, 8 WebP, 8 AVIF,
              18 JPEG 2000, 0 others
    converted n × 4 when the mode is not RGB, n × 14 more with 32-bit samples,
              n × 5 with alpha, n × 4 when turned by EXIF, n × 4 when converted by an ICC profile
    pixels    n × 3, the array that is handed on; n × 1 more with alpha

    reading    = decoded + decoder + converted + pixels
    quantizing = pixels + n × 12: a packed colour (4), its label (2), the painted picture (3)
                 and encoded outputs (3)
    colors     min(n, 2²⁴) × 48, as if every pixel had a colour of its own: code, count, channels
                 and label of each distinct colour, and the orders they are put in

    peak = file + max(reading, quantizing + colors) + 112 MiB of tables over all colours

The interpreter and its libraries come on top, once for each worker.
"""

from dataclasses import dataclass

from PIL import Image, ImageFile

from pipeline.files.formats import our_name

_ORIENTATION = 0x0112
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
_DECODER = {"webp": 8, "avif": 8, "jpeg2000": 18}
_TABLES = 112 << 20
_PER_COLOR = 48


@dataclass(frozen=True, slots=True)
class Header:
    """An image's header.

    Attributes
    ----------
    format : str
        Of `pipeline.files.formats.NAMES`, from the content.
    width, height : int
        In pixels, as displayed: after the EXIF orientation.
    mode : str
        Pillow's mode of the stored picture: RGB, L, P, I;16, …
    frames : int
        1 for a single picture. Exact for PNG, WebP, AVIF and MPO; for GIF and TIFF, where the
        count would cost a walk through the file, 2 stands for two or more.
    orientation : int
        EXIF's, 1 to 8. 1 when absent or broken, and for a PNG whose EXIF data follows its
        pixels, which only reading it whole can tell.
    bytes : int
        The file's size.
    peak_bytes : int
        Estimated peak memory of reading the image whole and quantizing it.
    """

    format: str
    width: int
    height: int
    mode: str
    frames: int
    orientation: int
    bytes: int
    peak_bytes: int


def header_of(image: ImageFile.ImageFile, size: int) -> Header:
    """Describe an image that was opened but not decoded; `size` is its file's, in bytes."""
    name = our_name(image.format)
    orientation = orientation_of(image)
    width, height = image.size
    # Pillow turns a TIFF while it decodes, and states its size as turned from the beginning.
    if orientation >= 5 and name != "tiff":
        width, height = height, width
    return Header(
        format=name,
        width=width,
        height=height,
        mode=image.mode,
        frames=_frames(image, name),
        orientation=orientation,
        bytes=size,
        peak_bytes=estimate_peak(image, size, orientation),
    )


def orientation_of(image: Image.Image) -> int:
    """Give the EXIF orientation, 1 to 8; 1 when there is none or it cannot be read."""
    try:
        # The base class's: a PNG's own would decode the picture to look behind it.
        value = Image.Image.getexif(image).get(_ORIENTATION)
        if value is None and "exif" in image.info:
            # Pillow remembers the answer from before decoding, when this part was still unread.
            late = Image.Exif()
            late.load(image.info["exif"])
            value = late.get(_ORIENTATION)
    except Exception:
        # EXIF is decoration, written by anything and broken in many ways; the picture is sound.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def estimate_peak(image: ImageFile.ImageFile, size: int, orientation: int) -> int:
    """Estimate the peak memory, in bytes, of reading an image and quantizing it (see above)."""
    pixels = image.size[0] * image.size[1]
    has_alpha = image.has_transparency_data
    decoder = 6 if image.info.get("progressive") else _DECODER.get(our_name(image.format), 0)
    converted = 4 * (image.mode != "RGB") + 14 * (image.mode in ("I", "F")) + 5 * has_alpha
    converted += 4 * (orientation > 1) + 4 * ("icc_profile" in image.info)
    handed_on = 3 + has_alpha
    reading = pixels * (_STORED.get(image.mode, 4) + decoder + converted + handed_on)
    quantizing = pixels * (handed_on + 12) + min(pixels, 1 << 24) * _PER_COLOR
    return size + max(reading, quantizing) + _TABLES


def _frames(image: ImageFile.ImageFile, name: str) -> int:
    """Count the frames or pages, two standing for more where counting is dear."""
    if name == "psd":
        return 1  # Pillow's further frames are layers of the one picture
    if name in ("gif", "tiff"):
        return 2 if _goes_on(image) else 1
    return int(getattr(image, "n_frames", 1))


def _goes_on(image: ImageFile.ImageFile) -> bool:
    """Tell whether a second frame follows; a break behind the first frame counts as none."""
    try:
        return bool(getattr(image, "is_animated", False))
    except (OSError, SyntaxError, ValueError, IndexError, KeyError):
        image.seek(0)
        return False
