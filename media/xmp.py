"""XMP packets: the mark that a picture's colours are inferred, and the orientation, which is applied."""

from __future__ import annotations

import codecs
import re
from xml.sax.saxutils import escape

# https://cv.iptc.org/newscodes/digitalsourcetype: a photograph in which a trained model made a part.
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF></x:xmpmeta>'
    '<?xpacket end="w"?>'
)
_END = "</rdf:RDF>"
_ORIENTATION, _INFERRED_BY = "tiff:Orientation", "colorizer:InferredBy"
_MARKS = ("Iptc4xmpExt:DigitalSourceType", _INFERRED_BY)
# UTF-32 comes first: its mark begins with that of UTF-16.
_WIDE = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def can_be_marked(xmp: bytes) -> bool:
    """Whether a packet is of the form that is understood here: in Unicode, with the usual prefix rdf."""
    try:
        return _END in _decoded(xmp, "strict")
    except UnicodeDecodeError:
        return False


def mark_xmp(xmp: bytes, by: str) -> bytes:
    """Mark an XMP packet, or a new one if it cannot be marked, with what inferred the colours; in UTF-8."""
    text = _decoded(xmp, "replace").rstrip("\0 \n")
    if _END not in text:
        text = _EMPTY
    # Padding, which is there for changes in place, would make the packet too long for a JPEG.
    head, end, tail = text.rpartition("<?xpacket end=")
    text = head.rstrip() + end + tail
    # The orientation has been applied; a property given twice would make the packet invalid.
    for name in (_ORIENTATION, *_MARKS):
        text = _without(text, name)
    note = (
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:colorizer="urn:colorizer:1">'
        f"<Iptc4xmpExt:DigitalSourceType>{_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
        f"<{_INFERRED_BY}>{escape(by)}</{_INFERRED_BY}></rdf:Description>"
    )
    head, _, tail = text.rpartition(_END)
    return f"{head}{note}{_END}{tail}".encode()


def upright_xmp(xmp: bytes) -> bytes:
    """A packet without the orientation, which has been applied; as it is if it has none."""
    text = _decoded(xmp, "strict") if can_be_marked(xmp) else ""
    return _without(text, _ORIENTATION).encode() if _ORIENTATION in text else xmp


def is_marked(xmp: bytes) -> bool:
    """Whether a packet in UTF-8 says that the colours are inferred."""
    return _INFERRED_BY.encode() in xmp


def _decoded(xmp: bytes, errors: str) -> str:
    encoding = next((name for mark, name in _WIDE.items() if xmp.startswith(mark)), None)
    if encoding is None:
        return xmp.decode("utf-8", errors)
    # It is written in UTF-8: a declaration that names the old encoding would be wrong.
    return re.sub(r"^<\?xml\s[^>]*>\s*", "", xmp.decode(encoding, errors))


def _without(text: str, name: str) -> str:
    """A packet without a property, which is an attribute or an element."""
    # One space, not \s*, whose search takes quadratic time in long white space.
    return re.sub(rf'\s?{name}="[^"]*"|<{name}>[^<]*</{name}>', "", text)
