"""The study of hints: which photos it is made on."""

import numpy as np
from PIL import Image

from benchmarks.studies.bench_hints import draw_photos


def test_no_photo_but_those_of_the_test_lists(tmp_path):
    """Published once with photos of the training among them, which lie in the same folder."""
    for folder in ("test/scenes/sea", "test/life", "test/objects", "train/scenes/sea", "faces/train"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / folder / f"{number}.png")
    drawn = draw_photos(tmp_path, 100)
    assert len(drawn) == 9
    assert {path.relative_to(tmp_path).parts[0] for path in drawn} == {"test"}
    few = draw_photos(tmp_path, 4)
    assert len(set(few)) == 4
    assert few == draw_photos(tmp_path, 4)
