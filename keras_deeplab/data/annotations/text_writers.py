"""Writes the annotations of CVAT, in XML, and of Ultralytics' YOLO, in text files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from keras_deeplab._files import write_text
from keras_deeplab.data.annotations.base_writer import AnnotationWriter, bounds
from keras_deeplab.data.annotations.outlines import Outline
from keras_deeplab.data.annotations.shapes import encode_runs


class CvatWriter(AnnotationWriter):
    """One file of CVAT for images 1.1."""

    file = "annotations.xml"

    def _one(self, photo: Path, size: tuple[int, int], found: list[Outline]) -> Any:
        lines = []
        for number, outline in enumerate(found, 1):
            start = f"label={quoteattr(self.class_names[outline.label])}" + ' source="auto"'
            if self.masks:
                top, left, bottom, right = bounds(outline.mask)
                runs = ", ".join(map(str, encode_runs(outline.mask[top:bottom, left:right])))
                lines.append(
                    f'    <mask {start} occluded="0" rle="{runs}" left="{left}" top="{top}" '
                    f'width="{right - left}" height="{bottom - top}" z_order="0"></mask>\n'
                )
                continue
            group = f' group_id="{number}"' if len(outline.rings) > 1 else ""
            for ring in outline.rings:
                points = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)
                lines.append(
                    f'    <polygon {start} occluded="0" points="{points}" z_order="0"{group}>'
                    f"</polygon>\n"
                )
        return (photo.name, size, "".join(lines))

    def _all(self, contents: list[Any]) -> dict[str, str]:
        labels = "".join(
            f"<label><name>{escape(self.class_names[label])}</name><color>{self._colour(label)}"
            f"</color><attributes></attributes></label>"
            for label in self.labels
        )
        images = "".join(
            f'  <image id="{number}" name={quoteattr(name)} width="{size[1]}" height="{size[0]}">\n'
            f"{lines}  </image>\n"
            for number, (name, size, lines) in enumerate(contents)
        )
        text = (
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
            f"  <meta><task><size>{len(contents)}</size><mode>annotation</mode>"
            f"<labels>{labels}</labels></task></meta>\n{images}</annotations>\n"
        )
        return {self.file: text}


class YoloWriter(AnnotationWriter):
    """Ultralytics' folders images and labels, with data.yaml; the photos are copied."""

    file = "data.yaml"

    def _one(self, photo: Path, size: tuple[int, int], found: list[Outline]) -> Any:
        lines = []
        for outline in found:
            for ring in outline.rings:
                shares = np.clip(ring / size[::-1], 0, 1)
                values = " ".join(f"{value:.6f}" for value in shares.ravel())
                lines.append(f"{outline.label - self.labels[0]} {values}\n")
        image = self.folder / "images" / photo.name
        image.parent.mkdir(exist_ok=True)
        if image.resolve() != photo.resolve():
            shutil.copyfile(photo, image)
        path = self.folder / "labels" / f"{photo.stem}.txt"
        path.parent.mkdir(exist_ok=True)
        return write_text(path, "".join(lines))

    def _all(self, contents: list[Any]) -> dict[str, str]:
        import yaml

        names = {label - self.labels[0]: self.class_names[label] for label in self.labels}
        content = {"path": ".", "train": "images", "val": "images", "names": names}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        return {self.file: text}
