"""The packaged photos."""

from keras_deeplab.data import example_photos, read_image


def test_photos_are_read():
    photos = example_photos()
    assert sorted(photos) == ["astronaut", "cat", "motorcycle"]
    for path in photos.values():
        image = read_image(path)
        assert max(image.shape[:2]) <= 1024
        assert image.std() > 20
