"""What notebooks show: HTML that needs nothing from elsewhere, on light and on dark ground.

Text has the ink of its surroundings, and nothing has a ground but the colours themselves. Everything
that is shown is escaped.
"""

from base64 import b64encode
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 64  # colours whose code is shown
_MOST_STRIPES = 1024
_EDGE = "1px solid rgba(128,128,128,.6)"


def palette_html(colors: NDArray[np.uint8], counts: NDArray[np.int64] | None) -> str:
    """A bar whose stripes are as wide as the shares, and the code and share of the first colours.

    counts : (k,), or None if they are not known: all stripes are of a width.
    """
    codes = ["#" + bytes(color).hex() for color in colors]
    total = 0 if counts is None else int(counts.sum())
    shares = [int(count) / total for count in counts] if counts is not None and total else None
    rest = f"<div>… and {len(codes) - MOST:,} more</div>" if len(codes) > MOST else ""
    return (
        '<div style="color:inherit;background:transparent;max-width:48em">'
        f"{_bar(codes, shares)}"
        '<div style="display:flex;flex-wrap:wrap;gap:.2em 1em;font-family:monospace;margin-top:.4em">'
        f"{''.join(_entry(code, shares[i] if shares else None) for i, code in enumerate(codes[:MOST]))}</div>"
        f"{rest}</div>"
    )


def picture_html(png: bytes | None, facts: list[tuple[str, Any]], palette: str) -> str:
    """A picture, what is known of it, and its palette as `palette_html` shows it."""
    shown = ""
    if png is not None:
        data = b64encode(png).decode("ascii")
        shown = (
            f'<img alt="quantized image" src="data:image/png;base64,{data}" '
            f'style="max-width:100%;background:transparent;border:{_EDGE}">'
        )
    told = " · ".join(f"{escape(str(value))} {escape(name)}" for name, value in facts)
    return f'<div style="color:inherit;background:transparent">{shown}<div>{told}</div>{palette}</div>'


def _bar(codes: list[str], shares: list[float] | None) -> str:
    stripes = [
        f'<div title="{escape(code)}" style="background:{escape(code)};flex:{share:.6f} 1 0"></div>'
        for code, share in zip(codes, shares or [1.0] * len(codes), strict=True)
        if share > 0
    ][:_MOST_STRIPES]
    return (
        f'<div style="display:flex;height:2.5em;border:{_EDGE};border-radius:3px;overflow:hidden">'
        f"{''.join(stripes)}</div>"
    )


def _entry(code: str, share: float | None) -> str:
    told = "" if share is None else f" {share:.2%}"
    patch = (
        f'<span style="display:inline-block;width:.9em;height:.9em;vertical-align:-.1em;'
        f'background:{escape(code)};border:{_EDGE}"></span>'
    )
    return f'<span style="white-space:nowrap">{patch} {escape(code)}{escape(told)}</span>'
