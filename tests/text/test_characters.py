"""What cannot be read is left out, and what is invisible is not there, in any format."""

import pytest

from tests.tables import rows
from voxgrad.documents.html import html_to_ssml
from voxgrad.documents.markdown import markdown_to_ssml
from voxgrad.settings import TextSpec
from voxgrad.text.characters import unread
from voxgrad.text.marked_text import plain_segments
from voxgrad.text.normalize import normalize
from voxgrad.text.ssml import read_script
from voxgrad.text.tokens import encode, encode_transcript
from voxgrad.unicode import clean

SPEC = TextSpec()


@pytest.mark.parametrize(("left_out", "text", "said"), rows("text/unread.tsv"))
def test_what_cannot_be_read_is_left_out_as_one(left_out, text, said):
    found = [f"{one.text} ({one.script})" if one.script else one.text for one in unread(clean(text))]
    assert " | ".join(found) == left_out
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
