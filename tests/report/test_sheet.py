"""A page of tables, sentences and links: whole, escaped, and empty parts left out."""

from __future__ import annotations

from interlaw.report import SheetPart, plain_page


def test_what_is_written_stands_there_and_cannot_run() -> None:
    parts = [
        SheetPart(title="Table", columns=("a", "b"), rows=(("1", "<script>x</script>"),)),
        SheetPart(title="Words", items=("one <b>",), links=("sub/report.html",)),
    ]
    page = plain_page(title="A <title>", intro="Said & done.", parts=parts)
    assert "<script>x" not in page
    assert "<td>&lt;script&gt;x&lt;/script&gt;</td>" in page
    assert "<li>one &lt;b&gt;</li>" in page
    assert '<a href="sub/report.html">sub/report.html</a>' in page
    assert page.count("<table>") == 1
    assert "A &lt;title&gt;" in page
    assert "default-src 'none'" in page


def test_a_place_is_no_script() -> None:
    page = plain_page(title="t", intro="", parts=[SheetPart(title="x", links=("javascript:alert(1)", 'a"b.png'))])
    assert 'href="javascript%3Aalert%281%29"' in page
    assert 'href="a%22b.png"' in page
