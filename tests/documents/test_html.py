"""HTML and Markdown as SSML, and dialogues."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import rows
from voxgrad.documents.dialogues import dialogue_to_ssml, is_dialogue
from voxgrad.documents.html import HEADING_PAUSE, html_to_ssml
from voxgrad.documents.markdown import markdown_to_ssml
from voxgrad.text.ssml import read_script

EXAMPLES = 5000 if os.environ.get("VOXGRAD_LONG") else 100


@pytest.mark.parametrize(("kind", "html", "read"), rows("documents/html.tsv"))
def test_what_is_read_of_a_page(kind, html, read):
    if kind == "paragraph":
        assert html_to_ssml(f"<table><tr><td>{html}</table>").ssml == f"<speak><p>{read}.</p></speak>"
        read = f"<p>{read}</p>"
    assert html_to_ssml(html).ssml == f"<speak>{read}</speak>"


def test_a_page_in_another_language():
    html = '<html lang="fr-FR"><body><p>Oui, <i lang="en">well</i>, <i lang="fr">non</i>.</p></body></html>'
    assert html_to_ssml(html).ssml == (
        '<speak xml:lang="fr-FR"><p>Oui, <lang xml:lang="en">well</lang>, non.</p></speak>'
    )


def test_code_blocks_are_left_out_with_one_warning():
    assert html_to_ssml("<pre>a</pre><p>b</p><pre>c</pre>").warnings == ("code blocks are left out",)
    assert html_to_ssml("<p>b</p>").warnings == ()


@pytest.mark.parametrize("tag", ["nav", "pre", "head", "aside hidden", "button"])
def test_markup_that_nothing_ends_takes_nothing_with_it(tag):
    assert "All of it." in html_to_ssml(f"<{tag}><p>All of it.</p>").ssml


def test_a_page_is_parted_at_ids():
    converted = html_to_ssml('<p>zero</p><h2 id="a">A</h2><p>one</p><p id="b">two</p>', anchors=["a", "b", "c"])
    assert [(part.anchor, part.heading) for part in converted.parts] == [("", ""), ("a", "A"), ("b", "")]
    assert converted.parts[2].ssml == "<p>two</p>"


def test_markdown():
    written = (
        "---\ntitle: not read\n---\n# Title\n\nSome *small* **text** with a [link](http://x.org) and `code`.\n\n"
        "1. one\n2. two\n\n> quote\n\n```python\nx = 1\n```\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\nlast & <b>done</b>\n"
    )
    converted = markdown_to_ssml(written)
    assert converted.ssml == (
        f"<speak><p>Title</p>{HEADING_PAUSE}"
        '<p>Some <emphasis level="moderate">small</emphasis> <emphasis level="strong">text</emphasis>'
        " with a link and code.</p><p>1. one</p><p>2. two</p><p>quote</p><p>A: 1; B: 2.</p>"
        "<p>last &amp; done</p></speak>"
    )
    assert converted.warnings == ("code blocks are left out",)


def test_footnotes_of_markdown_are_left_out():
    written = "A claim[^1] and [^x] more[^b].\n\n[^1]: The note\ngoes on.\n\n[^b]: First.\n\n    Second.\n\nAfter."
    assert markdown_to_ssml(written).ssml == "<speak><p>A claim and [^x] more.</p><p>After.</p></speak>"


MARKUP = (
    "<p> </p> <h1> </h1> <em> </em> <table> <tr> <td> <th> </table> <ul> <ol> <li> </ol> <pre> </pre> <sup> </sup> <a>"
    " <script> </script> <!-- --> <br/> <q> &amp; & < > word <p/> <svg/> </div> <?x?> <![CDATA[ ]]> \x00 é <![x["
    ' <a\thref="#n"> <p\tid="n"> <img\talt="T"> 1 [ ] ² \x01 \x03 λόγος 你好 😀 \u00ad \u2028 \x1b[31m'
    " \U000e0041 <speak ``` *"
)
HTML = st.lists(st.sampled_from([*MARKUP.split(" "), " "]) | st.text(max_size=4), max_size=25).map("".join)


@settings(max_examples=EXAMPLES, deadline=None)
@given(HTML)
def test_any_page_becomes_ssml_that_can_be_read(html):
    read_script(html_to_ssml(html).ssml)
    read_script(markdown_to_ssml(html).ssml)


def test_turns_have_the_voices_of_their_speakers():
    written = (
        "The play begins.\n\nAlice: Hello, Bob.\nALICE: Are you\nthere?\n\nbob:Hi: no.\nbob: I am & was.\n\nThey leave."
    )
    assert dialogue_to_ssml(written, ["alice", "bob"]) == (
        '<speak><p>The play begins.</p><voice name="alice"><p>Hello, Bob.</p></voice>'
        '<voice name="alice"><p>Are you there?</p></voice><p>bob:Hi: no.</p>'
        '<voice name="bob"><p>I am &amp; was.</p></voice><p>They leave.</p></speak>'
    )


def test_only_lines_that_begin_with_a_name_make_a_dialogue():
    assert is_dialogue("x\n alice : Hi", ["alice"])
    assert not is_dialogue("I told alice: Hi", ["alice"])
    assert not is_dialogue("carol: Hi", ["alice"])
