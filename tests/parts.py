"""Files of every kind that is read in parts, for the tests; names say what they are."""

import zlib
from pathlib import Path

import icc
import numpy as np
import tifffile
from builders import noise
from PIL import Image

HEIGHT, WIDTH = 70, 90


def smooth(channels):
    """Make a picture of slopes with some noise, (70, 90, channels) uint8."""
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    slopes = np.stack([(rows * (n + 1) + cols * (3 - n)) % 256 for n in range(channels)], axis=-1)
    return (slopes + noise(HEIGHT, WIDTH, channels, levels=16) // 8).astype(np.uint8)


RGB = smooth(3)
RGBA = smooth(4)
GREY = RGB[..., 0]
DEEP = noise(HEIGHT, WIDTH, 4, seed=3).astype(np.uint16) * 256 + noise(HEIGHT, WIDTH, 4, seed=4)
PROFILE = icc.rgb_profile()
COLORMAP = (noise(3, 256, 1, seed=5)[..., 0].astype(np.uint16)) * 257

_SAMPLES = {
    "rgb": (RGB, {"photometric": "rgb"}),
    "rgb-icc": (RGB, {"photometric": "rgb", "iccprofile": PROFILE}),
    "rgba": (RGBA, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "premultiplied": (RGBA, {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
    "rgbx": (RGBA, {"photometric": "rgb", "extrasamples": ["unspecified"]}),
    "grey": (GREY, {"photometric": "minisblack"}),
    "grey-icc": (GREY, {"photometric": "minisblack", "iccprofile": icc.gray_profile()}),
    "inverted": (GREY, {"photometric": "miniswhite"}),
    "grey-alpha": (RGBA[..., :2], {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
    "palette": (GREY, {"photometric": "palette", "colormap": COLORMAP}),
    "grey16": (DEEP[..., 0], {"photometric": "minisblack"}),
    "rgb16": (DEEP[..., :3], {"photometric": "rgb"}),
    "rgba16": (DEEP, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
}
_PIECES = {
    "tiles": {"tile": (32, 16)},
    "strips": {"rowsperstrip": 13},
    "one-strip": {"rowsperstrip": HEIGHT},
}
_PACKED = {
    "none": {},
    "lzw": {"compression": "lzw", "predictor": True},
    "deflate": {"compression": "zlib"},
    "packbits": {"compression": "packbits"},
    "zstd": {"compression": "zstd", "predictor": True},
    "lzma": {"compression": "lzma"},
}


def tiffs(folder):
    """Write TIFFs: each kind of samples in two ways, RGB in every way."""
    for number, (kind, (pixels, options)) in enumerate(_SAMPLES.items()):
        for pieces, shape in _PIECES.items():
            for turn, (packing, compression) in enumerate(_PACKED.items()):
                if kind != "rgb" and turn % 3 != number % 3:
                    continue
                order = ">" if (number + turn) % 2 and turn != 1 else "<"
                path = folder / f"{kind}-{pieces}-{packing}{'-big' * (turn == 1)}.tif"
                tifffile.imwrite(
                    path,
                    pixels.astype(pixels.dtype.newbyteorder(order)),
                    byteorder=order,
                    bigtiff=turn == 1,
                    metadata=None,
                    **options,
                    **shape,
                    **compression,
                )
    for space, pixels in (("rgb", RGB), ("ycbcr", RGB), ("grey", GREY)):
        for sampling in ((1, 1), (2, 1), (2, 2)) if space == "ycbcr" else ((1, 1),):
            name = f"jpeg-{space}-{sampling[0]}{sampling[1]}"
            options = {"photometric": {"grey": "minisblack"}.get(space, "rgb"), "metadata": None}
            options |= {"compression": "jpeg"}
            if space != "grey":
                options["compressionargs"] = {"level": 90, "outcolorspace": space, "subsampling": "444"}
                options["compressionargs"]["subsampling"] = {(1, 1): "444", (2, 1): "422", (2, 2): "420"}[
                    sampling
                ]
            if sampling != (1, 1):
                options["subsampling"] = sampling
            if space == "ycbcr":
                options["photometric"] = "ycbcr"
            tifffile.imwrite(folder / f"{name}-tiles.tif", pixels, tile=(32, 32), **options)
            tifffile.imwrite(folder / f"{name}-strips.tif", pixels, rowsperstrip=16, **options)
    for kind in ("jpeg", "tiff_lzw", "raw"):  # as Pillow writes them
        Image.fromarray(RGB).save(folder / f"pillow-{kind}.tif", compression=kind)
    tifffile.imwrite(folder / "two-pages.tif", np.stack([RGB, RGB[::-1]]), photometric="rgb", tile=(32, 32))


def chunk(kind, body):
    """Make a PNG chunk."""
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def png(width, height, depth, color, *others, interlace=0, behind=()):
    """Make a PNG of random samples, of any kind."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    row = -(-width * depth * channels // 8)
    data = noise(height, row + 1, 1, seed=7)[..., 0]
    data[:, 0] %= 5  # every filter
    if color == 0 and depth == 16:
        data[:, 1::2] %= 4
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    body = [
        chunk(b"IHDR", size + bytes([depth, color, 0, 0, interlace])),
        *others,
        chunk(b"IDAT", zlib.compress(data.tobytes())),
        *behind,
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def pngs(folder):
    """Write PNGs of every colour type and depth, with and without transparency."""
    for color, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            plte = [chunk(b"PLTE", noise(1 << depth, 3, 1, seed=9).tobytes())] if color == 3 else []
            path = folder / f"color{color}-depth{depth}.png"
            path.write_bytes(png(WIDTH, HEIGHT, depth, color, *plte))
            keys = {
                0: [b"\0\1", b"\0\0", b"\1\1"],
                2: [bytes(6)],
                3: [b"\0", b"\xff\0", bytes(range(3, 251, 15))[: 1 << depth]],
            }
            for number, key in enumerate(keys.get(color, [])):
                path = folder / f"color{color}-depth{depth}-key{number}.png"
                path.write_bytes(png(WIDTH, HEIGHT, depth, color, *plte, chunk(b"tRNS", key)))
    flat = RGB // 128 * 128
    Image.fromarray(flat).save(folder / "key.png", transparency=(128, 0, 0))
    Image.fromarray(RGB).save(folder / "icc.png", icc_profile=PROFILE)
    Image.fromarray(GREY).save(folder / "grey-icc.png", icc_profile=icc.gray_profile())
    Image.fromarray(RGB).quantize(16).save(folder / "palette-icc.png", icc_profile=PROFILE)
    Image.fromarray(RGB).quantize(200).save(folder / "palette.png")
    Image.fromarray(RGB).save(
        folder / "animated.png", save_all=True, append_images=[Image.fromarray(RGB[::-1])]
    )


def jpegs(folder):
    """Write baseline JPEGs."""
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        Image.fromarray(RGB).save(folder / f"{sampling.replace(':', '')}.jpg", subsampling=sampling)
        Image.fromarray(noise(HEIGHT, WIDTH)).save(
            folder / f"noise{sampling.replace(':', '')}.jpg", subsampling=sampling, quality=30
        )
    Image.fromarray(RGB).save(folder / "icc.jpg", icc_profile=PROFILE)
    Image.fromarray(RGB).save(folder / "restarts.jpg", restart_marker_blocks=3)
    Image.fromarray(RGB).save(folder / "rgb.jpg", keep_rgb=True)
    Image.fromarray(GREY).save(folder / "grey.jpg")
    Image.fromarray(GREY).save(folder / "grey-icc.jpg", icc_profile=icc.gray_profile())


def webps(folder):
    """Write WebPs."""
    alpha = RGBA.copy()
    alpha[:20, :30, 3] = 0
    for name, pixels in (("rgb", RGB), ("rgba", alpha), ("opaque", alpha | np.uint8([0, 0, 0, 255]))):
        for lossless in (False, True):
            Image.fromarray(pixels).save(folder / f"{name}-{lossless}.webp", lossless=lossless, exact=True)
    Image.fromarray(RGB).save(folder / "icc.webp", icc_profile=PROFILE)


def write_all(folder):
    """Write all of them; give their paths."""
    for write in (tiffs, pngs, jpegs, webps):
        write(Path(folder))
    return sorted(Path(folder).iterdir())
