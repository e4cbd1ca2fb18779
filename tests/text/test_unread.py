"""What of a text cannot be read: it is left out, and named with its place; and what is invisible is not there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.plain import passages
from voxgrad.documents.html import html_to_ssml, markdown_to_ssml
from voxgrad.errors import BadInputError
from voxgrad.settings import TextSpec
from voxgrad.text.characters import unread
from voxgrad.text.marked_text import plain_segments
from voxgrad.text.normalize import NothingToSayError, normalize
from voxgrad.text.passages import unread_remarks
from voxgrad.text.ssml import is_ssml, read_script
from voxgrad.text.tokens import encode, encode_transcript
from voxgrad.unicode import clean

SPEC = TextSpec()


@pytest.mark.parametrize(
    ("text", "left_out", "said"),
    [
        ("plain words, 5 °C — £3…", [], "plain words, five degrees celsius -- three pounds..."),
        ("café ½ № π µm x² ﬁ", [], "cafe one half no. pi mu m x squared fi"),
        ("Hello 你好, how are you?", [("你好", "Chinese")], "hello, how are you?"),
        ("the word (λόγος) here", [("λόγος", "Greek")], "the word here"),
        ("the angle θ (γωνία) is π", [("γωνία", "Greek")], "the angle theta is pi"),
        ("He wrote: ο λόγος, ἦν.", [("ο λόγος, ἦν", "Greek")], "he wrote:."),
        ("5 κιλά", [("κιλά", "Greek")], "five"),
        ("10 kΩ Привет, мир!", [("Привет, мир", "Cyrillic")], "ten kilohms!"),
        ("我有3个苹果。 So do I.", [("我有3个苹果", "Chinese")], ". so do i."),
        ("It is ٣ o'clock, १२३.", [], "it is three o'clock, one hundred twenty-three."),
        ("fun 😀 and 🎉🎉, 😀!", [("😀", ""), ("🎉🎉", ""), ("😀", "")], "fun and,!"),
        ("a 👨\u200d👩\u200d👧 ❤️ b 🇩🇪.", [("👨👩👧", ""), ("❤", ""), ("🇩🇪", "")], "a b."),
        ("┌─┐ box ★ Acme™", [("┌─┐", ""), ("★", ""), ("™", "")], "box acme"),
        ("\ue000 private", [("\ue000", "")], "private"),
        ("￥5 and ５％ of 20 ℃", [], "five yen and five percent of twenty degrees celsius"),
        ("α β and αβγ", [("αβγ", "Greek")], "alpha beta and"),
    ],
)
def test_what_cannot_be_read_is_left_out_as_one(text, left_out, said):
    assert [(one.text, one.script) for one in unread(clean(text))] == left_out
    assert normalize(text) == said


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("A beau\u00adti\u00adful morn\u00ading", "A beautiful morning"),
        ("a broken\u00ad\n word", "a brokenword"),
        ("\ufeffzero\u200bwidth \u2060w\u200co\u200dr\u200ed\u202as", "zerowidth words"),
        ("no\u00a0break, thin\u2009space,\u3000wide", "no break, thin space, wide"),
        ("5\u202f000 and 1\u00a0000\u00a0000", "5000 and 1000000"),
        ("cafe\u0301 A\u030angstro\u0308m", "café Ångström"),
        ("❤\ufe0f", "❤"),
        ("one\r\ntwo\rthree\u2028four\u2029five", "one\ntwo\nthree\nfour\n\nfive"),
        ("\x1b[1;31mred\x1b[0m\x07 page\x0cnext", "red  page next"),
    ],
)
def test_what_is_invisible_is_not_there(text, cleaned):
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize("sign", ["\u00ad", "\u200b", "\u200d", "\u2060", "\ufe0f", "&shy;", "&#8203;"])
def test_invisible_characters_do_not_part_words_in_any_format(sign):
    written = f"A beau{sign}ti{sign}ful&nbsp;cafe\u0301."
    ssml = f"<speak>{written}</speak>"
    for items in (
        plain_segments(written),
        read_script(ssml).items,
        read_script(html_to_ssml(f"<p>{written}</p>").ssml).items,
        read_script(markdown_to_ssml(written).ssml).items,
    ):
        assert [item.content.text for item in items] == ["A beautiful café."]
    assert encode(written, SPEC).normalised == encode_transcript(written, SPEC).normalised == "a beautiful cafe."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Dear {name}, hi.", "dear name, hi."),
        (r"Use \frac{1}{2} of \sqrt{x}.", "use frac one two of sqrt x."),
        (r"\textbf{bold} {pause} x_{n} {{double}} {", "textbf bold pause x n double"),
        ("{ color: red; } {HH AH0} {first name}", "color: red; {HH AH0} first name"),
        ("a < b & c > d </b> <i> <br", "a less than b and c greater than d br"),
        ("*a **b `c ~~d [e](f ![g", "a b c d [e](f![g"),
    ],
)
def test_markup_that_is_none_is_text(text, said):
    assert normalize(text) == said


def test_what_is_left_out_is_told_with_its_place():
    text = "First.\n<p>\nSo 你好 &#20320;.\n\n😀 {HH AX0 L OW1} 😀 {name}"
    assert list(unread_remarks(text)) == [
        "not read: 你好 你 (Chinese, line 3), 😀 (line 5, 2 times)",
        "read as text, for not all of it is phones: {HH AX0 L OW1}",
    ]
    assert list(unread_remarks("So 你好.", line=7)) == ["not read: 你好 (Chinese, line 7)"]
    assert list(unread_remarks("So 😀.")) == ["not read: 😀"]
    many = " x ".join(chr(0x1F600 + number) for number in range(25))
    assert next(unread_remarks(many)).endswith(" and 5 more")
    paragraphs = "<p>One. The wo\u00adrd λόγος is. Three.</p><p>你好</p>", "<p>κόσμε</p>"
    book = f'<speak><mark name="c1"/>{paragraphs[0]}<mark name="c2"/>{paragraphs[1]}</speak>'
    assert list(unread_remarks(book, marks={"c1": "chapter I", "c2": "chapter II"})) == [
        (
            "not read: λόγος (Greek, chapter I: “The word λόγος is.”), 你好 (Chinese, chapter I: “你好”),"
            " κόσμε (Greek, chapter II: “κόσμε”)"
        )
    ]
    assert list(unread_remarks("Plain “words” — café, 5 °C.")) == []


@pytest.mark.parametrize("text", ["Hello мир.", "Dear {name}.", "Say {HH AX0 L}."])
def test_a_transcript_leaves_nothing_out(text):
    assert encode(text, SPEC).words
    with pytest.raises(BadInputError, match=r"Cyrillic letters|is not a phone"):
        encode_transcript(text, SPEC)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("<speak>Tom & Jerry, 3 < 4 &nbsp; &eacute;t&eacute; &#0;</speak>", "Tom & Jerry, 3 < 4 été \ufffd"),
        ('<speak>AT&T <sub alias="R&D">x</sub> I <3 it\x0b</speak>', "AT&T R&D I <3 it "),
    ],
)
def test_ssml_with_signs_that_xml_lacks_is_read_with_a_warning(document, said):
    script = read_script(document)
    assert [item.content.text for item in script.items] == [said]
    assert script.warnings == ("& and < that are no markup are read as text",)


@pytest.mark.parametrize("tag", ["nav", "pre", "head", "aside hidden", "button"])
def test_markup_that_nothing_ends_takes_nothing_with_it(tag):
    assert "All of it." in html_to_ssml(f"<{tag}><p>All of it.</p>").ssml


WRITTEN = (
    "Hello word. {name} {HH AH0} { } [pause [pause 1s] < > & &amp; &#0; </b> <b> <p> <speak <![ <!-- ]]> <![CDATA["
    " <script> ``` * _ \\frac{1}{2} $5 1/2 λόγος π 你好 😀 👨\u200d👩 é e\u0301 \u00ad \u200b \u2028 \x00 \x1b[31m"
    " \U000e0041 ٣ ½ … “”"
)
PIECES = st.text(max_size=6) | st.sampled_from(WRITTEN.split(" "))
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.lists(PIECES, max_size=12).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_any_text_is_read_or_has_nothing_to_say(text):
    list(passages([text], SPEC))
    list(unread_remarks(text if not is_ssml(text) else f"a {text}"))
    for spec in (SPEC, TextSpec(frontend="official")):
        try:
            assert encode(text, spec).words
        except NothingToSayError:
            continue


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_any_document_is_read(text):
    for converted in (html_to_ssml(text), markdown_to_ssml(text)):
        assert all(len(item.content.text) for item in read_script(converted.ssml).items)
