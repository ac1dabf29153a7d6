"""The photo of a folder that shows the same, whatever its colours."""

import numpy as np
import pytest
import torch
from conftest import crops
from PIL import Image

from core.errors import UserError
from inference.retrieval import Gallery
from media.picture import from_array
from models.timm_encoder import TimmEncoder


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return TimmEncoder("tf_efficientnet_lite0").eval()


@pytest.fixture
def folder(tmp_path):
    for i, crop in enumerate(crops(4)):
        Image.fromarray(crop).save(tmp_path / f"{i}.png")
    Image.fromarray(crops(5)[4]).convert("L").save(tmp_path / "gray.png")
    (tmp_path / "broken.png").write_bytes(b"no photo")
    return tmp_path


def test_the_nearest_shows_the_same(encoder, folder):
    gallery = Gallery(folder, encoder, max_pixels=10**6)
    assert [path.name for path in gallery.paths] == ["0.png", "1.png", "2.png", "3.png"]
    for i, crop in enumerate(crops(4)):
        gray = np.asarray(Image.fromarray(crop).convert("L").resize((90, 80)))
        assert gallery.nearest(from_array(gray)).name == f"{i}.png"


def test_a_folder_without_colour_is_a_mistake(encoder, tmp_path):
    Image.new("RGB", (40, 40), "gray").save(tmp_path / "gray.png")
    with pytest.raises(UserError, match="holds no colour photo"):
        Gallery(tmp_path, encoder, max_pixels=10**6)
