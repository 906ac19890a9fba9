"""Reads the MATLAB files of the masks of several datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_deeplab.presets.label_maps import PERSON_PARTS


def read_mat_mask(path: str | Path) -> np.ndarray:
    """Reads a mask from the MATLAB files of SBD, PASCAL-Context or PASCAL-Part.

    Args:
        path: A MATLAB file, version 4 to 7.2.

    Returns:
        Array of shape (height, width): the class of SBD's `GTcls`, the value of PASCAL-Context's
        `LabelMap` (0 to 459), or the 7 classes of PASCAL-Person-Part from PASCAL-Part's `anno`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ModuleNotFoundError: If SciPy is not installed.
        ValueError: If the file has another format, is damaged, or is from another dataset.
    """
    variables = _read(path)
    if "GTcls" in variables:
        return _integers(variables["GTcls"]["Segmentation"])
    if "LabelMap" in variables:
        return _integers(variables["LabelMap"])
    if "anno" in variables:
        return _person_parts(_structs(variables["anno"]["objects"]))
    raise ValueError(
        f"A MATLAB mask must hold GTcls (SBD), LabelMap (PASCAL-Context) or anno (PASCAL-Part). "
        f"Received: {str(path)!r} with {', '.join(sorted(variables)) or 'nothing'}."
    )


def has_person_parts(path: str | Path) -> bool:
    """Returns whether a file of PASCAL-Part has annotated person parts."""
    objects = _structs(_read(path)["anno"]["objects"])
    return any(one["class"] == "person" and _structs(one["parts"]) for one in objects)


def _read(path: str | Path) -> dict[str, Any]:
    try:
        from scipy.io import loadmat
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"MATLAB files must be read by SciPy, which is not installed. Received: {str(path)!r}. "
            f"pip install 'keras-deeplab[pascal]'."
        ) from error
    if not Path(path).exists():
        raise FileNotFoundError(f"The MATLAB file must exist. Received: {str(path)!r}.")
    try:
        content = loadmat(path, simplify_cells=True)
    except Exception as error:  # SciPy, zlib and NumPy raise different exceptions
        raise ValueError(
            f"A MATLAB file must be whole, as save -v6 and -v7 write it. Received: {str(path)!r} "
            f"({error})."
        ) from error
    return {name: value for name, value in content.items() if not name.startswith("__")}


def _structs(value: Any) -> list[dict[str, Any]]:
    """Returns the structs of an array: SciPy returns one as a dict, several as a sequence."""
    return [value] if isinstance(value, dict) else list(value)


def _integers(array: np.ndarray) -> np.ndarray:
    # SciPy returns an array with one row or column as a vector.
    array = np.atleast_2d(array)
    return array.astype("uint8" if array.max(initial=0) <= 255 else "uint16")


def _person_parts(objects: list[dict[str, Any]]) -> np.ndarray:
    labels = np.zeros_like(objects[0]["mask"], dtype="uint8")
    for person in objects:
        if person["class"] == "person":
            for part in _structs(person["parts"]):
                labels[part["mask"] > 0] = PERSON_PARTS[part["part_name"]]
    return labels
