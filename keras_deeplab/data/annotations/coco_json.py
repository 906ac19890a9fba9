"""COCO's instance annotations, as Roboflow, CVAT, Label Studio and others write them too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keras_deeplab.data.annotations.annotated import AnnotatedPhoto, Annotations, Region
from keras_deeplab.data.annotations.file_tree import FileTree, split_of
from keras_deeplab.data.annotations.json_files import DAMAGED, note_damage, points_of, read_json
from keras_deeplab.data.annotations.shapes import Polygon, RunLengths, Shape

_KEYS = (rb'"images"\s*:\s*\[', rb'"annotations"\s*:\s*\[', rb'"categories"\s*:\s*\[')
_PANOPTIC = rb'"segments_info"\s*:'


def find_coco(tree: FileTree) -> str | None:
    """Returns a file of COCO's instance annotations, if there is one."""
    # Panoptic files have the same keys.
    return tree.first_holding(".json", *_KEYS, without=_PANOPTIC)


def _is_panoptic(tree: FileTree, path: str) -> bool:
    return tree.holds(path, (_PANOPTIC,))


def read_coco(tree: FileTree) -> Annotations:
    """Reads all instance files; those of one split, or of one photo, are joined."""
    result = Annotations("COCO annotations", smaller_on_top=True)
    photos: dict[tuple[str | None, str], AnnotatedPhoto] = {}
    seen: set[tuple[Any, ...]] = set()
    names: list[str] = []
    for relative in tree.holding(".json", *_KEYS):
        if _is_panoptic(tree, relative):
            continue
        try:
            content = read_json(tree.path(relative))
            found = category_names(content["categories"], content["annotations"])
            names += [name for name in found.values() if name not in names]
            images = _photos(tree, relative, content["images"], photos)
            _add_regions(result, tree, relative, content["annotations"], found, images, seen)
        except DAMAGED as error:
            note_damage(result, tree.path(relative), error)
    result.class_names = tuple(names)
    result.photos = list(photos.values())
    return result


def category_names(categories: Iterable[Any], annotations: Iterable[Any]) -> dict[Any, str]:
    """Returns class names by category id, sorted by id.

    Without Roboflow's category 0, which is only the parent of the others.
    """
    rows = sorted(categories, key=lambda row: row["id"])
    names = {row["id"]: str(row["name"]) for row in rows}
    parents = {row.get("supercategory") for row in rows}
    first = rows[0] if rows else {}
    if (
        len(rows) > 1
        and first["id"] == 0
        and first.get("supercategory") in (None, "", "none")
        and first["name"] in parents
        and not any(one.get("category_id") == 0 for one in annotations)
    ):
        del names[0]
    return names


def _photos(
    tree: FileTree,
    relative: str,
    images: Iterable[Any],
    photos: dict[tuple[str | None, str], AnnotatedPhoto],
) -> dict[Any, AnnotatedPhoto]:
    """Returns photos by the ids of a file; photos that other files annotate are shared."""
    split = split_of(relative)
    found = {}
    for row in images:
        reference = str(row["file_name"])
        image = tree.find_image(reference, near=relative, split=split)
        size = (int(row["height"]), int(row["width"])) if "height" in row else None
        key = (split, str(image or reference))
        photo = AnnotatedPhoto(reference, image, tree.path(relative), size, split=split)
        found[row["id"]] = photos.setdefault(key, photo)
    return found


def _add_regions(
    result: Annotations,
    tree: FileTree,
    relative: str,
    annotations: Iterable[Any],
    names: dict[Any, str],
    images: dict[Any, AnnotatedPhoto],
    seen: set[tuple[Any, ...]],
) -> None:
    path = tree.path(relative)
    for row in annotations:
        photo = images.get(row.get("image_id"))
        name = names.get(row.get("category_id"))
        if photo is None or name is None:
            missing = "image" if photo is None else "category"
            result.find(
                "error",
                f"{missing} not in the file",
                path,
                f"An annotation must name an image and a category of its file. Received: "
                f"annotation {row.get('id')} with {missing}_id={row.get(f'{missing}_id')} in "
                f"{str(path)!r}.",
            )
            continue
        # Instances and keypoints of COCO repeat the same annotations.
        key = (id(photo), row.get("id"), name, tuple(row.get("bbox") or ()), row.get("area"))
        if key in seen and row.get("id") is not None:
            continue
        seen.add(key)
        shape = _shape(row, photo)
        if isinstance(shape, str):
            result.find("error", "outline missing", path, _words(row, photo, shape))
        else:
            photo.regions.append(Region(name, shape, ignored=bool(row.get("iscrowd"))))


def _shape(row: Any, photo: AnnotatedPhoto) -> Shape | str:
    """Returns the shape of an annotation, or what is wrong with it."""
    outline = row.get("segmentation")
    if isinstance(outline, dict):
        height, width = (int(side) for side in outline["size"])
        if photo.size is None:
            photo.size = (height, width)
        return RunLengths((height, width), outline["counts"])
    if not outline:
        return "a box without an outline" if row.get("bbox") else "no outline"
    if not isinstance(outline[0], (list, tuple)):
        outline = [outline]
    try:
        rings = tuple(points_of(ring) for ring in outline)
    except ValueError as error:
        return str(error)
    return Polygon(rings)


def _words(row: Any, photo: AnnotatedPhoto, problem: str) -> str:
    return (
        f"An annotation must have an outline (polygons or run lengths). Received: {problem}, in "
        f"annotation {row.get('id')} of {photo.reference!r} in {str(photo.file)!r}."
    )
