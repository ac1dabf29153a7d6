"""XMP beside photos goes along, with a mark, and is no file that was left out."""

import json
from xml.etree import ElementTree

import pytest
import skimage.data
from PIL import Image

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/tiff" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def test_sidecars_of_a_folder(cli, vivid, tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    for name in ("a.png", "b.jp2"):
        Image.fromarray(skimage.data.chelsea()[100:132, 100:148]).convert("L").save(folder / name)
    (folder / "a.png.xmp").write_text(XMP)
    (folder / "b.xmp").write_text(XMP)
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={vivid}"]
    outcome = cli(*argv)
    assert outcome.code == 0
    assert ".xmp" not in outcome.out
    output = tmp_path / "old_colorized"
    assert sorted(path.name for path in output.glob("*.xmp")) == ["a.png.xmp", "b.jp2.xmp"]
    for path in output.glob("*.xmp"):
        text = path.read_text()
        assert 'dc:format="image/tiff"' in text
        assert "InferredBy>colorizer" in text
        assert "tiff:Orientation" not in text  # which is applied
    assert (folder / "b.xmp").read_text() == XMP


def test_the_sidecar_of_a_photo(cli, vivid, tmp_path):
    Image.fromarray(skimage.data.chelsea()[100:132, 100:148]).convert("L").save(tmp_path / "x.png")
    (tmp_path / "x.xmp").write_text(XMP)
    assert cli("--mode=predict", f"--image_path={tmp_path / 'x.png'}", f"--weights={vivid}").code == 0
    assert "InferredBy" in (tmp_path / "x_colorized.xmp").read_text()
    assert (tmp_path / "x.xmp").read_text() == XMP


@pytest.fixture
def marked(tmp_path):
    """A photo with XMP beside it."""
    path = tmp_path / "x.png"
    Image.fromarray(skimage.data.chelsea()[100:132, 100:148]).convert("L").save(path)
    (tmp_path / "x.xmp").write_text(XMP)
    return path


def sidecars(folder):
    """Those of colored pictures, and what of them names the author of their colours."""
    texts = {path.name: path.read_text() for path in folder.glob("*.xmp") if path.name != "x.xmp"}
    return {name: text.partition("InferredBy>")[2].partition("<")[0] for name, text in texts.items()}


def test_the_sidecar_of_a_photo_without_a_model(cli, marked, vivid, tmp_path):
    hints, kept, output = (tmp_path / name for name in ("h.json", "c.safetensors", "given.png"))
    hints.write_text(json.dumps([{"x": 20, "y": 20, "color": "#c83232"}]))
    argv = ("--mode=predict", f"--image_path={marked}", f"--output_path={output}", "--overwrite")
    assert cli(*argv, "--model=levin2004", f"--hints={hints}").code == 0
    assert sidecars(tmp_path)["given.xmp"].endswith("levin2004")
    assert cli(*argv, f"--weights={vivid}", f"--save_chroma={kept}").code == 0
    by = sidecars(tmp_path)["given.xmp"]
    assert "model1, weights sha256" in by
    (tmp_path / "given.xmp").unlink()
    assert cli(*argv, f"--apply_chroma={kept}").code == 0
    assert sidecars(tmp_path) == {"given.xmp": by}


def test_sidecars_of_several_pictures_of_a_photo(cli, marked, vivid, tmp_path):
    argv = ("--mode=predict", f"--image_path={marked}", f"--weights={vivid}", "--render_size=32,64")
    assert cli(*argv).code == 0
    found = sidecars(tmp_path)
    assert sorted(found) == ["x_colorized_32px.xmp", "x_colorized_64px.xmp"]
    assert all("model1, weights sha256" in by for by in found.values())


def test_sidecars_of_pages_in_files_of_their_own(cli, marked, vivid, tmp_path):
    page = Image.open(marked)
    page.save(tmp_path / "x.tif", save_all=True, append_images=[page])
    argv = ("--mode=predict", f"--image_path={tmp_path / 'x.tif'}", f"--weights={vivid}")
    assert cli(*argv, f"--output_path={tmp_path / 'y.png'}").code == 0
    assert sorted(sidecars(tmp_path)) == ["y_1.xmp", "y_2.xmp"]


def test_the_sidecar_of_a_photo_that_keeps_its_colors(cli, vivid, tmp_path):
    Image.fromarray(skimage.data.coffee()[100:228, 150:278]).save(tmp_path / "x.png")
    (tmp_path / "x.xmp").write_text(XMP)
    argv = ("--mode=predict", f"--image_path={tmp_path / 'x.png'}", f"--weights={vivid}")
    assert cli(*argv, "--keep_color=yes").code == 0
    copy = (tmp_path / "x_colorized.xmp").read_text()
    assert copy == XMP.replace(' tiff:Orientation="6"', "")
    assert cli(*argv, "--keep_color=no", "--overwrite").code == 0
    assert "InferredBy>colorizer" in (tmp_path / "x_colorized.xmp").read_text()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_sidecars_in_other_encodings(cli, marked, vivid, tmp_path, encoding):
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>\n'
    (tmp_path / "x.xmp").write_bytes((declared + XMP.replace("image/tiff", "größer")).encode(encoding))
    assert cli("--mode=predict", f"--image_path={marked}", f"--weights={vivid}").code == 0
    root = ElementTree.fromstring((tmp_path / "x_colorized.xmp").read_bytes())
    assert root[0][0].get("{http://purl.org/dc/elements/1.1/}format") == "größer"
    assert len(list(root.iter("{urn:colorizer:1}InferredBy"))) == 1


@pytest.mark.parametrize("xmp", [XMP.replace("rdf:", "r:").encode(), b"<?xml?>\xe9 what is this"])
def test_a_sidecar_of_an_unknown_form_is_copied(cli, marked, vivid, tmp_path, xmp):
    (tmp_path / "x.xmp").write_bytes(xmp)
    outcome = cli("--mode=predict", f"--image_path={marked}", f"--weights={vivid}")
    assert outcome.code == 0
    assert "is copied without a mark" in outcome.err
    assert (tmp_path / "x_colorized.xmp").read_bytes() == xmp
