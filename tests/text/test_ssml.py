"""SSML: a table of documents and what they come to; whatever is broken is one error, and bombs are refused at once."""

import os
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import rows
from voxgrad.errors import BadInputError
from voxgrad.settings import TextSpec
from voxgrad.text.lexicon import NONE, Lexicon
from voxgrad.text.marked_text import PLAIN, Mark, Prosody, Segment, Sound, plain_segments, without_html
from voxgrad.text.passages import Passage, segment_passages
from voxgrad.text.ssml import Script, is_ssml, read_script
from voxgrad.text.symbols import ENGLISH

ROWS = rows("text/ssml.tsv")
EXAMPLES = 10_000 if os.environ.get("VOXGRAD_LONG") else 300


def outcome(text: str, *, plain: bool = False) -> str:
    """Passages between bars: words, ``[1s]`` and ``[x0.5]`` for pauses, ``@name`` for marks, ``(…)`` for prosody.

    A language other than English comes first.
    """
    try:
        script = Script(tuple(plain_segments(text)), ()) if plain else read_script(text)
        found = [
            _passage(one) if isinstance(one, Passage) else _sound(one)
            for one in segment_passages(script.items, _front_end)
        ]
    except BadInputError as error:
        return f"ERROR {error.message}"
    warnings = "".join(f" !{warning}" for warning in script.warnings)
    return f"{' | '.join(found)}{warnings}"


def _front_end(segment: Segment) -> tuple[TextSpec, Lexicon]:
    return TextSpec(language=segment.language or ENGLISH), NONE


def _passage(passage: Passage) -> str:
    words = [word.word for word in passage.encoded.words]
    parts = []
    current = PLAIN
    for at in range(len(words) + 1):
        parts += [_event(event) for index, event in passage.events if index == at]
        for index, prosody in passage.prosodies:
            if index == at < len(words) and prosody != current:
                parts.append(_prosody(prosody))
                current = prosody
        parts += words[at : at + 1]
    voice = "" if passage.voice is None else f"{passage.voice}: "
    if passage.encoded.language != ENGLISH:
        voice += f"[{passage.encoded.language}] "
    return f"{voice}{' '.join(parts)} /{passage.ends.value}"


def _event(event: object) -> str:
    if isinstance(event, Mark):
        return f"@{event.name}"
    seconds = f"{event.seconds:g}s" if event.seconds or not event.sentences else ""
    return f"[{seconds}{f'x{event.sentences:.3g}' if event.sentences else ''}]"


def _prosody(prosody: Prosody) -> str:
    parts = {
        "rate ": None if prosody.rate == 1 else f"{prosody.rate:.3g}",
        "pitch ": f"{prosody.semitones:+.3g}st" if prosody.semitones else None,
        "": f"{prosody.hertz:+g}Hz" if prosody.hertz else None,
        "at ": None if prosody.target is None else f"{prosody.target:g}Hz",
        "volume ": f"{prosody.decibels:+.3g}dB" if prosody.decibels else None,
    }
    return f"({', '.join(name + value for name, value in parts.items() if value is not None)})"


def _sound(sound: Sound) -> str:
    level = f" {sound.decibels:+g}dB" if sound.decibels else ""
    return f"<{sound.file}{level}>" if sound.file else f"<tone {sound.seconds:.2f}s>"


@pytest.mark.parametrize(("kind", "document", "expected"), ROWS, ids=[f"{row[0]}: {row[1]!a}" for row in ROWS])
def test_what_a_document_comes_to(kind, document, expected):
    if kind == "HTML":
        assert without_html(document) == expected
    else:
        assert outcome(document, plain=kind == "plain text") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<speak>a</speak>", True),
        (' \n<speak version="1.1">a</speak>', True),
        ("\ufeff<speak>a</speak>", True),
        ('<?xml version="1.0"?>\n<!-- b --><speak/>', True),
        ("<!DOCTYPE speak><speak>a</speak>", True),
        ("<speak>unfinished", True),
        ("a <speak>b</speak>", False),
        ("<speaker>Hi", False),
        ("speak", False),
        ("", False),
    ],
)
def test_a_document_is_known_by_its_beginning(text, expected):
    assert is_ssml(text) is expected


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
    assert script.warnings == ("& and < that are not markup are read as text",)


def bomb() -> str:
    lines = ['<!ENTITY a0 "ha">']
    lines += [f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 12)]
    return f"<!DOCTYPE speak [{''.join(lines)}]><speak>&a11;</speak>"


@pytest.mark.parametrize(
    "document",
    [
        bomb(),
        f'<!DOCTYPE speak [<!ENTITY a "{"x" * 100_000}">]><speak>{"&a;" * 10_000}</speak>',
        '<!DOCTYPE speak [<!ENTITY a SYSTEM "file:///dev/zero">]><speak>&a;</speak>',
        '<!DOCTYPE speak [<!ENTITY a SYSTEM "http://127.0.0.1:9/">]><speak>&a;</speak>',
        '<!DOCTYPE speak [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]><speak>a</speak>',
    ],
    ids=["laughs", "quadratic", "file", "network", "parameter"],
)
def test_entities_are_refused_at_once(document):
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(BadInputError, match="declares entities or refers to external resources"):
            read_script(document)
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 1


def test_deep_elements_are_refused():
    with pytest.raises(BadInputError, match="elements are nested more than 500 deep"):
        read_script(f"<speak>{'<prosody>' * 100_000}")


@pytest.mark.parametrize(
    "text",
    [
        "<!---->" * 30_000,
        "<!--" * 30_000,
        "<!DOCTYPE [" * 20_000,
        "<?xml " * 30_000,
        "<break " * 30_000,
        "[pause " * 30_000,
    ],
    ids=["comments", "open comments", "types", "declarations", "breaks", "pauses"],
)
def test_what_only_begins_like_markup_costs_what_its_length_does(text):
    began = time.process_time()
    assert not is_ssml(text + "<speak")
    list(plain_segments(text))
    assert time.process_time() - began < 5


def test_a_long_document_and_its_parts_cost_what_their_length_does():
    one = "The sun <emphasis>is</emphasis> warm.<mark name='m'/> "
    began = time.process_time()
    (segment,) = read_script(f"<speak>{one * 5_000}</speak>").items
    content = segment.content
    for start in range(0, len(content.text), 50):
        content.part(start, start + 50)
    assert len(read_script(f"<speak>{f'<p>{one}</p>' * 5_000}</speak>").items) == 5_000
    assert time.process_time() - began < 15


TAGS = [
    "speak", "p", "s", "break", "prosody", "emphasis", "say-as", "sub", "phoneme", "lang", "mark", "voice",
    "audio", "w", "b", "foo:bar", "metadata", "xml",
]  # fmt: skip
ATTRIBUTES = [
    "time", "strength", "rate", "pitch", "volume", "level", "interpret-as", "format", "alias", "ph", "alphabet",
    "name", "src", "soundLevel", "xml:lang",
]  # fmt: skip
VALUES = [
    "1s", "500ms", "1x", "-1s", "1e9s", "medium", "x-strong", "slow", "80%", "+10%", "-200%", "+2st", "200Hz",
    "0Hz", "+6dB", "silent", "strong", "characters", "cardinal", "date", "mdy", "time", "telephone",
    "expletive", "IPA", "x-sampa", "təˈmɑː", "t@", "K\xa0AE1", "bob", "../x.wav", "a.wav", "en", "de",
    "99999999999", "nan", "inf", "é", "\x00",
]  # fmt: skip
TEXT = [
    "a", "Hello.", "$5", "1/2", "&amp;", "&", "&#0;", "&#x1F600;", "<", ">", "]]>", "<![CDATA[", "{K AE1 T}", "{", "é",
    " ",
]  # fmt: skip
ATTRIBUTE = st.builds(lambda name, value: f' {name}="{value}"', st.sampled_from(ATTRIBUTES), st.sampled_from(VALUES))
OPENING = st.builds(
    lambda tag, attributes, end: f"<{tag}{''.join(attributes)}{end}",
    st.sampled_from(TAGS),
    st.lists(ATTRIBUTE, max_size=3),
    st.sampled_from([">", "/>", ">", ""]),
)
CLOSING = st.sampled_from(TAGS).map(lambda tag: f"</{tag}>")
PIECES = OPENING | CLOSING | st.sampled_from(TEXT) | st.text(max_size=5)
WELL_FORMED = st.recursive(
    st.sampled_from(["one", "two.", " ", "$5", "<break/>", '<mark name="m"/>', '<audio src="a.wav"/>']),
    lambda inner: st.builds(
        lambda tag, attributes, parts: f"<{tag}{''.join(dict.fromkeys(attributes))}>{''.join(parts)}</{tag}>",
        st.sampled_from(TAGS[:-1]),
        st.lists(ATTRIBUTE, max_size=1),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)
DOCUMENTS = st.lists(PIECES, max_size=12).map("".join) | WELL_FORMED


@settings(max_examples=EXAMPLES, deadline=None)
@given(DOCUMENTS, st.booleans())
def test_any_markup_is_read_or_is_one_clear_error(document, wrapped):
    said = outcome(f"<speak>{document}</speak>" if wrapped else document)
    assert "\n" not in said.partition("ERROR")[2]
