"""Writes masks as the annotations that labelling tools import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_deeplab._validation import check_choice, check_int
from keras_deeplab.data.annotations.base_writer import AnnotationWriter
from keras_deeplab.data.annotations.format_writers import (
    CocoWriter,
    CvatWriter,
    LabelMeWriter,
    LabelStudioWriter,
    YoloWriter,
)
from keras_deeplab.presets.datasets import Palette

WRITERS: dict[str, type[AnnotationWriter]] = {
    "coco": CocoWriter,
    "cvat": CvatWriter,
    "labelme": LabelMeWriter,
    "labelstudio": LabelStudioWriter,
    "yolo": YoloWriter,
}


def annotation_writer(
    kind: str,
    folder: str | Path,
    class_names: Sequence[str],
    *,
    palette: Palette | None = None,
    masks: bool = False,
    smallest: int = 10,
    tolerance: float = 1.5,
) -> AnnotationWriter:
    """Returns a writer of annotations.

    Args:
        kind: "coco", "cvat", "labelme", "labelstudio", "yolo"; or the name of a JSON file for COCO.
        folder: Folder to write to; created if it does not exist.
        class_names: Names by label id. A first class called "background" is not written.
        palette: RGB colours by label id. Default: VOC's.
        masks: Whether to write run lengths or bitmaps instead of polygons.
        smallest: Least number of pixels of a region, and of a hole.
        tolerance: Largest distance, pixels, by which a polygon may differ from its region. It is
            lowered where the IoU of the two would fall below 0.988.

    Raises:
        ValueError: If the format is unknown, or has no masks.

    Example:

    >>> import json
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> labels = np.zeros((40, 60), "uint8")
    >>> labels[10:30, 20:50] = 1
    >>> with TemporaryDirectory() as folder:
    ...     writer = annotation_writer("coco", folder, ["background", "cat"])
    ...     writer.add(Path("cat.jpg"), labels)
    ...     row = json.loads(writer.finish()[0].read_text())["annotations"][0]
    ()
    >>> row["bbox"], len(row["segmentation"][0])
    ([20, 10, 30, 20], 8)
    """
    folder = Path(folder).expanduser()
    name = kind.lower().replace("_", "").replace("-", "")
    path = Path(kind).expanduser()
    is_file = kind.lower().endswith(".json")
    if is_file:
        folder = path.parent if path.parent != Path() else folder
        name = "coco"
    check_choice("The format of annotations", name, (*WRITERS, "coco.json"))
    check_int("smallest", smallest, minimum=1)
    if tolerance < 0:
        raise ValueError(f"tolerance must be 0 or more. Received: tolerance={tolerance!r}.")
    if masks and name == "yolo":
        raise ValueError("YOLO's format must hold polygons. Received: masks=True.")
    writer = WRITERS[name](
        folder, class_names, palette, masks=masks, smallest=smallest, tolerance=tolerance
    )
    if is_file:
        writer.file = path.name
    return writer
