import pytest

from keras_deeplab.data.split_names import first_column


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("photo_1", "photo_1"),
        ("photo_1 1", "photo_1"),
        ("photo_1 -1", "photo_1"),
        # Photo and mask, separated by spaces or commas.
        ("images/a.jpg masks/a.png", "images/a.jpg"),
        ("a.jpg,a.png", "a.jpg"),
        # A name with spaces.
        ("my photo 2024", "my photo 2024"),
        ("my photo.jpg", "my photo.jpg"),
    ],
)
def test_the_photo_of_a_line(line: str, expected: str):
    assert first_column(line) == expected
