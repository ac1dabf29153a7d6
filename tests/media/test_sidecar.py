"""XMP beside photos goes along, with a mark, and is no file that was left out."""

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
        Image.fromarray(skimage.data.chelsea()[100:132, 100:148]).save(folder / name)
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
    Image.fromarray(skimage.data.chelsea()[100:132, 100:148]).save(tmp_path / "x.png")
    (tmp_path / "x.xmp").write_text(XMP)
    assert cli("--mode=predict", f"--image_path={tmp_path / 'x.png'}", f"--weights={vivid}").code == 0
    assert "InferredBy" in (tmp_path / "x_colorized.xmp").read_text()
    assert (tmp_path / "x.xmp").read_text() == XMP
