"""HTML and Markdown as SSML, and dialogues."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgrad.documents.dialogue import dialogue_to_ssml, is_dialogue
from voxgrad.documents.html import HEADING_PAUSE, html_to_ssml, markdown_to_ssml
from voxgrad.text.ssml import read_script

EXAMPLES = 5000 if os.environ.get("VOXGRAD_LONG") else 200


@pytest.mark.parametrize(
    ("html", "ssml"),
    [
        ("plain", "<p>plain</p>"),
        ("<h1>Title</h1><p>Text.</p>", f"<p>Title</p>{HEADING_PAUSE}<p>Text.</p>"),
        ("<p>one<p>two", "<p>one</p><p>two</p>"),
        ("<p>Tom &amp; J&eacute;r&ocirc;me &lt;3</p>", "<p>Tom &amp; Jérôme &lt;3</p>"),
        ("<ul><li>a<li>b</ul>", "<p>a</p><p>b</p>"),
        ("<ol><li>a<li>b</ol>", "<p>1. a</p><p>2. b</p>"),
        ('<ol start="5"><li>a</ol>', "<p>5. a</p>"),
        ("<blockquote><p>quoted</p></blockquote>", "<p>quoted</p>"),
        ('<a href="http://x.org/y">a link</a>', "<p>a link</p>"),
        ("<em>so</em> <strong>very</strong>", ('<p><emphasis level="moderate">so</emphasis> '
         '<emphasis level="strong">very</emphasis></p>')),
        ("<b>bold</b> <i>italic</i>", "<p>bold italic</p>"),
        ("a<br>b", '<p>a <break strength="weak"/>b</p>'),
        ("<pre><code>x = 1</code></pre><p>after</p>", "<p>after</p>"),
        ("the <code>ls</code> command", "<p>the ls command</p>"),
        ("<script>alert(1)</script><style>p {}</style><title>t</title>text", "<p>text</p>"),
        ('<p hidden>no</p><p style="display: none">no</p><p aria-hidden="true">no</p><p>yes</p>', "<p>yes</p>"),
        ("<nav><a>menu</a></nav><p>yes</p>", "<p>yes</p>"),
        ("a<sup><a href='#n1'>1</a></sup> b", "<p>a b</p>"),
        ("x<sup>2</sup> and 4<sup>th</sup>", "<p>x^2 and 4th</p>"),
        ('a<a epub:type="noteref" href="#n">1</a><aside epub:type="footnote">note</aside>', "<p>a</p>"),
        ('<section role="doc-endnotes"><p>note</p></section><p>b</p>', "<p>b</p>"),
        ("<table><tr><th>Name<th>Age<tr><td>Al<td>5<tr><td>Bo<td>6</table>",
         "<p>Name: Al; Age: 5.</p><p>Name: Bo; Age: 6.</p>"),
        ("<table><tr><td>a<td>b</tr></table>", "<p>a; b.</p>"),
        ("<q>Hi</q>", "<p>“Hi”</p>"),
        ("<em>open <p>next", '<p><emphasis level="moderate">open</emphasis></p><p>next</p>'.replace("open<", "open <")),
        ("<p></p><div>  </div>", ""),
        ("a\x00b\x08c\ufffe", "<p>a b c</p>"),
    ],
)  # fmt: skip
def test_what_is_read_of_a_page(html, ssml):
    assert html_to_ssml(html).ssml == f"<speak>{ssml}</speak>"


def test_code_blocks_are_left_out_with_one_warning():
    assert html_to_ssml("<pre>a</pre><p>b</p><pre>c</pre>").warnings == ("code blocks are left out",)
    assert html_to_ssml("<p>b</p>").warnings == ()


def test_a_page_is_parted_at_ids():
    converted = html_to_ssml(
        '<p>zero</p><h2 id="a">A</h2><p>one</p><p id="b">two</p>', anchors=["a", "b", "c"]
    )
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


MARKUP = (
    "<p> </p> <h1> </h1> <em> </em> <table> <tr> <td> <th> </table> <ul> <ol> <li> </ol> <pre> </pre> <sup> </sup> <a>"
    " <script> </script> <!-- --> <br/> <q> &amp; & < > word <p/> <svg/> </div> <?x?> <![CDATA[ ]]> \x00 é"
)
HTML = st.lists(
    st.sampled_from([*MARKUP.split(" "), " "]) | st.text(max_size=4),
    max_size=25,
).map("".join)


@settings(max_examples=EXAMPLES, deadline=None)
@given(HTML)
def test_any_page_becomes_ssml_that_can_be_read(html):
    read_script(html_to_ssml(html).ssml)
    read_script(markdown_to_ssml(html).ssml)


def test_turns_have_the_voices_of_their_speakers():
    written = (
        "The play begins.\n\nAlice: Hello, Bob.\nALICE: Are you\nthere?\n\nbob:Hi: no.\nbob: I am & was.\n\n"
        "They leave."
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
