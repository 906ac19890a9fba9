"""COCO's panoptic annotations: a colour PNG of segment numbers for each photo, and a JSON file."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Annotations
from keras_deeplab.data.annotations.file_tree import FileTree, split_of
from keras_deeplab.data.annotations.json_files import DAMAGED, note_damage, read_json
from keras_deeplab.data.annotations.shapes import IdImage

_KEYS = (rb'"segments_info"\s*:\s*\[', rb'"images"\s*:\s*\[', rb'"categories"\s*:\s*\[')


def find_panoptic(tree: FileTree) -> str | None:
    """Returns a file of COCO's panoptic annotations, if there is one."""
    return tree.first_holding(".json", *_KEYS)


def read_panoptic(tree: FileTree) -> Annotations:
    """Reads all panoptic files. Segments without a class, number 0, are ignored by default."""
    result = Annotations("COCO panoptic segments", unlabelled="ignore")
    names: dict[str, None] = {}
    for relative in tree.holding(".json", *_KEYS):
        try:
            content = read_json(tree.path(relative))
            rows = sorted(content["categories"], key=lambda row: row["id"])
            categories = {row["id"]: str(row["name"]) for row in rows}
            names.update(dict.fromkeys(categories.values()))
            for row in rows:
                if "color" in row:
                    red, green, blue = row["color"]
                    result.colours[str(row["name"])] = (int(red), int(green), int(blue))
            images = {row["id"]: row for row in content["images"]}
            for row in content["annotations"]:
                _add(result, tree, relative, row, images[row["image_id"]], categories)
        except DAMAGED as error:
            note_damage(result, tree.path(relative), error)
    result.class_names = tuple(names)
    return result


def _add(
    result: Annotations,
    tree: FileTree,
    relative: str,
    row: Any,
    image: Any,
    categories: dict[Any, str],
) -> None:
    split = split_of(relative)
    folder = PurePosixPath(relative).with_suffix("")
    path = tree.path(str(folder / row["file_name"]))
    if not path.is_file():
        found = (path for path in tree.files.get(".png", ()) if _is_segments(path, row, folder))
        path = tree.path(next(found, str(folder / row["file_name"])))
    segments = row["segments_info"]
    raster = IdImage(
        path,
        {segment["id"]: categories[segment["category_id"]] for segment in segments},
        frozenset(segment["id"] for segment in segments if segment.get("iscrowd")),
    )
    reference = str(image["file_name"])
    # The PNG may have the photo's name.
    photo = tree.find_image(reference, near=relative, split=split)
    if photo == path:
        photo = next((tree.path(one) for one in tree.images if _is_photo(one, row, path)), None)
    size = (int(image["height"]), int(image["width"])) if "height" in image else None
    result.photos.append(AnnotatedPhoto(reference, photo, path, size, split=split, raster=raster))


def _is_segments(path: str, row: Any, folder: PurePosixPath) -> bool:
    parts = PurePosixPath(path).parts
    return parts[-1] == PurePosixPath(row["file_name"]).name and (
        folder.name in parts or "panoptic" in path
    )


def _is_photo(path: str, row: Any, segments: Any) -> bool:
    one = PurePosixPath(path)
    return one.stem == PurePosixPath(row["file_name"]).stem and one.name != segments.name
