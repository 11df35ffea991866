"""A page of tables, sentences and links: whole, escaped, and empty parts left out."""

from __future__ import annotations

from interlaw.report import SheetPart, plain_page, table_of

SCRIPT = "<script>x</script>"


def test_what_is_written_stands_there_and_cannot_run() -> None:
    parts = [
        SheetPart(title="Table", table=table_of([{"A": "1", "B": SCRIPT}], caption="c")),
        SheetPart(title="Words", sentences=("one <b>",), links=("sub/report.html",)),
        SheetPart(title="Nothing to say"),
    ]
    page = plain_page(title="A <title>", intro="Said & done.", parts=parts)
    assert SCRIPT not in page
    assert "<td>&lt;script&gt;x&lt;/script&gt;</td>" in page
    assert "<li>one &lt;b&gt;</li>" in page
    assert '<a href="sub/report.html">sub/report.html</a>' in page
    assert page.count("<table>") == 1
    assert "Nothing to say" not in page
    assert "A &lt;title&gt;" in page
    assert "default-src 'none'" in page


def test_a_column_with_one_number_ends_at_the_right_and_one_of_dashes_and_words_does_not() -> None:
    rows = [{"interval": "0.02 to 0.05", "status": "flat"}, {"interval": "no bound", "status": "–"}]
    table = table_of(rows, caption="c")
    assert [column.right for column in table.columns] == [True, False]


def test_a_place_is_no_script() -> None:
    page = plain_page(title="t", intro="", parts=[SheetPart(title="x", links=("javascript:alert(1)", 'a"b.png'))])
    assert 'href="javascript%3Aalert%281%29"' in page
    assert 'href="a%22b.png"' in page
