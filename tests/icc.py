"""ICC profiles built from their parts, for the tests: the smallest that are valid."""

import struct


def _tagged(kind, body):
    data = kind + bytes(4) + body
    return data + bytes(-len(data) % 4)


def _xyz(*values):
    return _tagged(b"XYZ ", struct.pack(">3i", *(round(value * 65536) for value in values)))


def _gamma(value):
    return _tagged(b"curv", struct.pack(">IH", 1, round(value * 256)))


def _description(text):
    words = text.encode() + b"\0"
    return _tagged(b"desc", struct.pack(">I", len(words)) + words + bytes(78))


def _profile(device, space, pcs, tags):
    tags = {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"cprt": _tagged(b"text", b"none\0"), **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", offset + len(body), bytes(4), 0x02400000, device, space, pcs)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def rgb_profile(name="wide", gamma=1.8):
    """Make a monitor with the primaries of Display P3."""
    return _profile(
        b"mntr",
        b"RGB ",
        b"XYZ ",
        {
            b"desc": _description(name),
            b"rXYZ": _xyz(0.5151, 0.2412, -0.0011),
            b"gXYZ": _xyz(0.2919, 0.6922, 0.0419),
            b"bXYZ": _xyz(0.1571, 0.0666, 0.7841),
            b"rTRC": _gamma(gamma),
            b"gTRC": _gamma(gamma),
            b"bTRC": _gamma(gamma),
        },
    )


def gray_profile(gamma=1.0):
    """Make a grey one, by default with a straight curve: far lighter than sRGB."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"desc": _description("grey"), b"kTRC": _gamma(gamma)})


def cmyk_profile():
    """Make a press that prints grey whatever C, M and Y are: L* falls with K alone."""
    ramp = bytes(range(256))
    # 8-bit Lab: L* × 255 / 100, a* + 128, b* + 128; the last input channel, K, varies fastest.
    grid = bytes([255, 128, 128, 0, 128, 128]) * 8
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = bytes([4, 3, 2, 0]) + identity + ramp * 4 + grid + ramp * 3
    tags = {b"desc": _description("press"), b"A2B0": _tagged(b"mft1", table)}
    return _profile(b"prtr", b"CMYK", b"Lab ", tags)
