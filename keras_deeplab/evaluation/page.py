"""What the HTML pages share: templates, pictures, and numbers in them."""

from __future__ import annotations

import base64
from functools import reduce
from io import BytesIO
from operator import getitem
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image


def render_page(template: str, **values: Any) -> str:
    """Returns the page of a template in this folder."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # The value at a path of keys and indices.
    environment.filters["at"] = lambda result, path: reduce(getitem, path, result)
    environment.filters.update(duration=duration, percent=percent)
    return environment.get_template(template).render(**values)


def picture_source(picture: Image.Image, **options: Any) -> str:
    """Returns the data address of a picture, as a JPEG: every build of Pillow supports it.

    Args:
        picture: The picture.
        **options: Options of Pillow. "optimize" fails for pictures with much detail.
    """
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=82, **options)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def percent(share: float | None) -> str:
    """Formats a fraction, 0 to 1, in percent; a dash for None and NaN.

    Example:

    >>> percent(0.60149)
    '60.1 %'
    """
    return "\N{EN DASH}" if share is None or share != share else f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """Formats a time in milliseconds, or in seconds from one second on.

    Example:

    >>> duration(0.0834), duration(1.25)
    ('83 ms', '1.25 s')
    """
    return f"{1000 * seconds:.0f} ms" if seconds < 0.9995 else f"{seconds:.2f} s"
