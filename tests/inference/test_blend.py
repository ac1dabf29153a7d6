"""The colours of two models, or of two files, in one picture."""

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from inference.chroma import load_chroma


@pytest.fixture
def predict(cli, vivid, tmp_path):
    """Color a gray photo; returns the outcome and the path of the picture."""
    Image.fromarray(skimage.data.coffee()[:90, :120]).convert("L").save(tmp_path / "in.png")
    argv = ("--mode=predict", f"--image_path={tmp_path / 'in.png'}", "--device=cpu")

    def run(name, *flags, weights=vivid):
        from_model = [f"--weights={weights}"] if weights else []
        return cli(*argv, *from_model, f"--output_path={tmp_path / name}.png", *flags)

    return run


def pixels(tmp_path, name):
    return np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int)


def test_a_share(predict, other, vivid, tmp_path):
    """0 is one of the models, 1 the other; between, the chroma is."""
    kept = [f"--save_chroma={tmp_path / name}.safetensors" for name in ("a", "b", "c")]
    assert predict("a", kept[0]).code == 0
    assert predict("b", kept[1], weights=other).code == 0
    assert predict("c", kept[2], f"--blend={other}:0.25").code == 0
    a, b, c = (load_chroma(tmp_path / f"{name}.safetensors") for name in ("a", "b", "c"))
    at_a = torch.nn.functional.interpolate(b.ab, a.ab.shape[-2:], mode="bilinear", antialias=True)
    torch.testing.assert_close(c.ab, 0.75 * a.ab + 0.25 * at_a, atol=0.05, rtol=0)
    assert "blended with" in c.by
    assert predict("none", f"--blend={other}:0").code == 0
    assert (pixels(tmp_path, "none") == pixels(tmp_path, "a")).all()


def test_a_mask(predict, other, tmp_path):
    mask = np.zeros((90, 120), np.uint8)
    mask[:, 60:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert predict("a").code == 0
    assert predict("c", f"--blend={other}:{tmp_path / 'mask.png'}").code == 0
    changed = (pixels(tmp_path, "a") != pixels(tmp_path, "c")).any(axis=2)
    assert not changed[:, :55].any()
    assert changed[:, 65:].mean() > 0.8


def test_files_of_chroma(predict, vivid, tmp_path):
    """One with itself is itself, to the bit."""
    file = tmp_path / "a.safetensors"
    assert predict("a", f"--save_chroma={file}").code == 0
    assert predict("b", f"--apply_chroma={file}", f"--blend={file}:0.5", weights=None).code == 0
    assert (pixels(tmp_path, "a") == pixels(tmp_path, "b")).all()


@pytest.mark.parametrize(
    ("blend", "complaint"),
    [
        ("model1", "--blend=model1: must be WEIGHTS:SHARE"),
        ("model1:1.5", "the share must be from 0 to 1"),
        ("model1:no.png", "no.png is neither a share from 0 to 1 nor a mask"),
        ("nosuch:0.5", "weights nosuch: does not exist"),
    ],
)
def test_mistakes(predict, blend, complaint):
    done = predict("x", f"--blend={blend}")
    assert done.code == 2
    assert complaint in done.error


def test_where_there_are_no_two_models(predict):
    done = predict("x", "--blend=model1:0.5", "--model=levin2004", weights=None)
    assert (done.code, "--blend mixes the colours of two models" in done.error) == (2, True)
