"""HTML and Markdown as SSML, and dialogues."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgrad.documents.html import HEADING_PAUSE, dialogue_to_ssml, html_to_ssml, is_dialogue, markdown_to_ssml
from voxgrad.text.ssml import read_script

EXAMPLES = 5000 if os.environ.get("VOXGRAD_LONG") else 100


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
        ("<![foo[ x ]]>a<![CDATA[b]]>", "<p>a</p>"),
        ('<h2><a id="x"></a>Title</h2>', f"<p>Title</p>{HEADING_PAUSE}"),
        ('<p>a<sup><a href="#n">1</a></sup></p><h3>Notes</h3><p id="n">1 note</p><p>b</p>', "<p>a</p><p>b</p>"),
        ('<p>a<a href="#n">1</a></p><table><tr><td><a id="n"></a>1<td>note</table><p>b</p>', "<p>a</p><p>b</p>"),
        ('<p>a<sup><a href="#n">1</a></sup><p id="n">1 note<p>b</p>', "<p>a</p><p>b</p>"),
        ('<p>a</p><p/><p class="x"/><p class="footnote">note</p><p>b</p>', "<p>a</p><p>b</p>"),
        ('<p>a<p class="footnote">note<p>b</p>', "<p>a</p><p>note</p><p>b</p>"),
        ('<div id="top"><p>a <a href="#top">↑</a> <a href="#top">[1]</a></p></div>', "<p>a</p>"),
    ],
)  # fmt: skip
def test_what_is_read_of_a_page(html, ssml):
    assert html_to_ssml(html).ssml == f"<speak>{ssml}</speak>"


@pytest.mark.parametrize(
    ("html", "read"),
    [
        ("the claim<sup>1</sup> is", "the claim is"),
        ("“so,”<sup>3</sup> he<sup>4</sup> said in<sup>5</sup> it.<sup>12</sup>", "“so,” he said in it."),
        ("word<sup>1,2</sup> word<sup>1</sup><sup>,</sup><sup>2</sup> b<sup>*</sup>", "word word b"),
        ("word<sup>[a]</sup> word<sup>[<a href='x'>citation needed</a>]</sup> word<sup>ii</sup>", "word word word"),
        ("(as he said)<sup>2</sup> in 1984<sup>3</sup>, 5 %<sup>4</sup>", "(as he said) in 1984, 5 %"),
        ("the claim¹, m² and 10⁵", "the claim, m^2 and 10^5"),
        ("E=mc<sup>2</sup>, x<sup>2</sup> + y<sup>2</sup>, 10<sup>-5</sup>, (a+b)<sup>2</sup>, 4ac<sup>2</sup>",
         "E=mc^2, x^2 + y^2, 10^-5, (a+b)^2, 4ac^2"),
        ("5 km<sup>2</sup>, m/s<sup>2</sup>, 12 in<sup>2</sup>, 2<sup>n</sup>, e<sup>x</sup>",
         "5 km^2, m/s^2, 12 in^2, 2^n, e^x"),
        ("10<sup>th</sup>, M<sup>r</sup>, N<sup>o</sup> 5, Serg<sup>t</sup>, XV<sup>e</sup>, Brand<sup>TM</sup>",
         "10th, Mr, No 5, Sergt, XVe, Brand"),
        ("<sup>14</sup>C and 3<sup>1</sup>/<sub>2</sub>, <sup>16</sup>For God, H<sub>2</sub>O",
         "14C and 3 1/2, For God, H2O"),
        ('End<a href="n.html#x">6</a>. [<a href="#n">1</a>] on<a href="#m">2</a>,<a href="#o">3</a> b', "End. on b"),
        ('<a href="#c">chapter 2</a>, <a href="#c">12</a>–<a href="#d">15</a>, p.<a href="#e">16</a>',
         "chapter 2, 12–15, p.16"),
        ('<a href="#r1">4.</a> The note', "The note"),
        ("plain [5] and [Pg 19] or [page xix], [1984], [I] think, boy[s]", "plain and or, [1984], [I] think, boy[s]"),
        ('<img alt="T"/>he night', "The night"),
        ('“<img alt="T">HE night', "“THE night"),
        ('<img alt="T"/> HE night', "THE night"),
        ('<img alt="A"/> long time', "A long time"),
        ('<img alt="I"/>’m na<img alt="ï"/>ve', "I’m naïve"),
        ('<img alt="image"/>The end <img alt="B"/> of <img alt="a map"/>it <img/>all', "The end  of it all"),
    ],
)  # fmt: skip
def test_what_of_a_paragraph_is_a_mark(html, read):
    assert html_to_ssml(html).ssml == f"<speak><p>{read}</p></speak>"
    assert html_to_ssml(f"<table><tr><td>{html}</table>").ssml == f"<speak><p>{read}.</p></speak>"


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
