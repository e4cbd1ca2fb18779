import re
import time
from itertools import islice, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import rows
from tests.text.plain import passages
from voxgrad.settings import TextSpec
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.passages import MOST_TOKENS, Break, sentences
from voxgrad.text.unread_remarks import unread_remarks

SPEC = TextSpec()


def cut(*texts: str) -> list[tuple[str, Break]]:
    return [(one.written, one.ends) for one in passages(texts, SPEC)]


@pytest.mark.parametrize("marked", [row[1] for row in rows("text/sentences.tsv")])
def test_sentences_end_where_they_do(marked):
    assert list(sentences(marked.replace("|", ""))) == [sentence.strip() for sentence in marked.split("|")]
    assert list(sentences(" \n ")) == []


def test_an_empty_line_and_a_new_text_end_a_paragraph():
    assert cut("Chapter 1\n\nIt was. And so\non.", "Next.") == [
        ("Chapter 1", Break.PARAGRAPH),
        ("It was.", Break.SENTENCE),
        ("And so\non.", Break.PARAGRAPH),
        ("Next.", Break.PARAGRAPH),
    ]


def test_a_long_sentence_is_cut_at_its_strongest_mark_near_the_middle():
    sentence = (
        "The old road ran along the river, past the mill, for a mile or more; then it turned away from the water, "
        "between two rows of trees, and climbed the hill."
    )
    found = cut(sentence)
    assert found[0][0].endswith("mile or more;")
    assert found[0][1] is Break.CLAUSE
    assert found[-1][1] is Break.PARAGRAPH
    assert " ".join(written for written, _ in found) == sentence


def test_without_marks_it_is_cut_between_words_and_goes_on_there():
    sentence = "word " * 100 + "word."
    found = list(passages([sentence], SPEC))
    assert all(one.ends is Break.WORD for one in found[:-1])
    assert all(one.encoded.normalised.endswith("word,") for one in found[:-1])
    assert " ".join(one.written for one in found) == sentence


def test_the_first_passage_of_a_long_text_is_short():
    text = "He turned sharply, and faced him across the table, while all the others were still waiting there. " * 4
    first, *others = [len(one.encoded.tokens) for one in passages([text], SPEC)]
    assert first <= 80 < max(others)
    assert len(cut(text[:98])) == 1


def test_what_says_nothing_is_left_out():
    assert cut("* * *\n\n😀\n\n—\n\nHello.\n\n...") == [("Hello.", Break.PARAGRAPH)]
    assert cut("", " \n ", "😀") == []


def test_phones_in_braces_are_not_cut():
    braced = "{HH AH0 L OW1 HH AH0 L OW1 HH AH0 L OW1 HH AH0 L OW1}"
    found = cut(f"{braced} and {braced} and {braced} and {braced} and {braced}")
    assert len(found) > 1
    assert all(written.count("{") == written.count("}") for written, _ in found)


def test_the_lexicon_holds_in_every_passage():
    lexicon = Lexicon.parse("voxgrad V AA1 K S", "test")
    found = list(passages(["Voxgrad it is. And voxgrad."], SPEC, lexicon))
    assert [one.encoded.words[index].source for one, index in zip(found, (0, 1), strict=True)] == ["lexicon"] * 2


def test_texts_may_still_be_coming():
    endless = repeat("One. Two.")
    assert [one.written for one in islice(passages(endless, SPEC), 5)] == ["One.", "Two.", "One.", "Two.", "One."]


def test_what_is_in_another_script_is_left_out():
    found = list(passages(["Hello. Привет. One (два) three."], SPEC))
    assert [one.written for one in found] == ["Hello.", "One (два) three."]
    assert [word.word for word in found[1].encoded.words] == ["one", "three"]


def test_a_stray_brace_cuts_no_word():
    found = list(passages(["{" + "wonderful words " * 60], SPEC))
    assert {word.word for one in found for word in one.encoded.words} == {"wonderful", "words"}


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="aK1 .,;:!?-–—()[]<>/\"'“”…\n{}%$😀é你", max_size=700))
def test_passages_are_short_and_in_order_and_lose_no_letter(text):
    text = re.sub("<(/?)a", r"<\1", text)  # <a> is a tag of HTML, which is left out
    found = list(passages([text], SPEC))
    assert all(len(one.encoded.tokens) <= MOST_TOKENS or len(one.written) < 8 for one in found)
    position = 0
    for one in found:
        position = text.index(one.written, position) + len(one.written)
    said = "".join(one.written for one in found)
    assert said.count("K") == text.count("K")
    list(unread_remarks(text))


@pytest.mark.parametrize(
    "text",
    ["a" * 10**6, "word " * 200_000, "1" * 10**5, "Hello there. " * 77_000, "!? " * 10**4, "." * 10**5, "{" * 10**5],
    ids=["letters", "words", "digits", "sentences", "marks", "stops", "braces"],
)
def test_a_megabyte_of_anything_begins_soon(text):
    began = time.process_time()
    found = list(islice(passages([text], SPEC), 20))
    assert all(len(one.encoded.tokens) <= MOST_TOKENS for one in found)
    assert time.process_time() - began < 20  # a guard against quadratic time, which would take hours


def test_what_is_left_out_is_told_with_its_place():
    text = "First.\n<p>\nSo 你好 &#20320;.\n\n😀 {HH AX0 L OW1} 😀 {name}"
    assert list(unread_remarks(text)) == [
        "not read: 你好 你 (Chinese, line 3), 😀 (line 5, 2 times)",
        "read as text, because not all of it is phones: {HH AX0 L OW1}",
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
