"""The packaged photos."""

from keras_deeplab.data import (
    check_data,
    example_annotations,
    example_photos,
    read_dataset,
    read_image,
)


def test_photos_are_read():
    photos = example_photos()
    assert sorted(photos) == ["astronaut", "cat", "motorcycle"]
    for path in photos.values():
        image = read_image(path)
        assert max(image.shape[:2]) <= 1024
        assert image.std() > 20


def test_annotated_photos_are_whole():
    folder = example_annotations()
    assert not check_data(folder).errors
    shares = [(labels == 1).mean() for s in ("train", "val") for labels in _masks(folder, s)]
    assert len(shares) == 8
    assert all(0.2 < share < 0.6 for share in shares)


def _masks(folder, split: str):
    data = read_dataset(folder, split)
    assert data.read_as.startswith("LabelMe polygons")
    return [data.read_labels(index) for index in range(len(data))]
