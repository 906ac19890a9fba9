"""`results.jsonl`: a line per finished photo or video, from which an interrupted run resumes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_deeplab.data.photo_sources import RESULTS, Item
from keras_deeplab.data.remote import is_remote
from keras_deeplab.inference.bulk.destination import Destination


class RecordBook:
    """The records of a folder of results, one per photo or video.

    A photo is finished if its record has the same settings and all its files exist. Its line is
    appended after its files are complete. The settings are what the results depend on besides the
    photo; "video" is for videos only. Without `resume`, no photo counts as finished.
    """

    def __init__(
        self, destination: Destination, settings: Mapping[str, Any], *, resume: bool = True
    ) -> None:
        self.destination = destination
        self.settings = settings
        self.resume = resume
        self.records = {record["photo"]: record for record in _read(destination)}
        self._unsaved = 0

    def finished(self, item: Item) -> dict[str, Any] | None:
        """Returns the record of a photo or video that is finished, else None."""
        record = self.records.get(item.identity, {})
        if not self.resume or item.is_camera or record.get("key") != self._key(item):
            return None
        files = [record[kind] for kind in ("mask", "overlay") if kind in record]
        return record if all(map(self.destination.exists, files)) else None

    def begin(self, names: Mapping[str, str]) -> None:
        """Drops the records of the photos that are about to be segmented, and of their files.

        Their identities are given with the prefixes of their output files.
        """
        prefixes = set(names.values())
        self.records = {
            photo: record
            for photo, record in self.records.items()
            if photo not in names and record.get("name") not in prefixes
        }
        self._save()

    def taken(self) -> dict[str, str]:
        """Returns the prefixes of files whose photos still exist, and these photos."""
        return {
            record["name"]: photo
            for photo, record in self.records.items()
            if "name" in record and (is_remote(photo) or os.path.exists(photo))
        }

    def add(self, item: Item, record: dict[str, Any]) -> dict[str, Any]:
        """Appends the record of a finished photo and returns it."""
        record = {**record, "photo": item.identity, "name": item.name, "key": self._key(item)}
        folder = self.destination.local
        if folder is None:
            # Storage cannot append: the file is written again after every tenth more.
            self.records[item.identity] = record
            self._unsaved += 1
            if self._unsaved > max(100, len(self.records) // 10):
                self._save()
            return record
        with (folder / RESULTS).open("ab") as file:
            file.write(_line(record))
        return record

    def close(self) -> None:
        """Writes what has not been written."""
        if self._unsaved:
            self._save()

    def _save(self) -> None:
        self._unsaved = 0
        content = b"".join(_line(record) for record in self.records.values())
        if content or self.destination.exists(RESULTS):
            self.destination.write(RESULTS, content)

    def _key(self, item: Item) -> str:
        stamp: Any = None
        if not is_remote(item.identity) and os.path.exists(item.identity):
            status = Path(item.identity).stat()
            stamp = [status.st_size, status.st_mtime_ns]
        settings = {k: v for k, v in self.settings.items() if k != "video" or item.is_video}
        text = json.dumps([item.identity, stamp, settings], sort_keys=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def _read(destination: Destination) -> list[dict[str, Any]]:
    records = []
    for line in (destination.read(RESULTS) or b"").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            # The last line of a run that was killed.
            continue
        if isinstance(record, dict) and isinstance(record.get("photo"), str):
            records.append(record)
    return records
