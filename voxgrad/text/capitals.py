"""Words in capitals: spelt, or read as words; and chemical formulas."""

import re
from typing import Final

from voxgrad.text.dictionary import lookup
from voxgrad.text.rules import Rules, table, text_after, text_before, word_set

_READ: Final = word_set("""
    AIDS ASAP BASIC COVID DARPA EBITDA EPCOT ERISA FEMA FERPA FICA FIFA GIF HIPAA HUD IKEA INTERPOL JPEG JSON LASIK
    MENSA MERS NAFTA NASA NATO NORAD OPEC OSHA PETA RADAR REIT SARS SCOTUS SONAR SWAT TASER TOEFL TOML UEFA UNESCO
    UNICEF YAML YOLO ZIP
""")
"""Acronyms that are read as words, in the dictionary or not."""
_SPELT: Final = word_set("""
    AD AI AKA ALS AM BCE CE CO COO DEA DIY DOD EDT EEG ER EST ETA EU FAQ GAO GDP GPS HR ID IDE ILO IP IQ IR IRA ISBN
    ISO ISSN IT LA LED MA MIA MS NGO NYU OS OT PA PE PM PR PTA RAF RIP ROI SEC SEO SOS UAE UCLA UI UN UPS US UTC UV UX
    YMCA YWCA
""")
"""Acronyms that are spelt though the dictionary may have a word of these letters."""
_WORDS_TOO: Final = frozenset(("ACT", "ADD", "DOE", "DOT", "ERA", "POW", "SAT", "WHO"))
"""Acronyms only where a name can stand; elsewhere these are words in capitals for emphasis."""
_BEFORE_NAME: Final = r"(?i:\b(?:the|an?|take|takes|taking|took) )$"
_AFTER_NAME: Final = re.compile(r"-[a-z]|(?:,|/| and| or)? ?[A-Z]{2,}\b")
_FUNCTION_WORDS: Final = word_set("""
    A ALL AND ARE AS AT BE BUT BY DO FOR FROM GO HAVE HE I IF IN IS IT LET MY NO NOT NOW OF OFF ON OR OUR OUT SHE SO
    STOP THAT THE THEY THIS TO UP WAS WE WHAT WHY WILL WITH YOU YOUR
""")
"""Where capitals hold one of these among others, a sentence is shouted and no list of acronyms."""
_NAME_PREFIXES: Final = word_set("Da De Del Des Di Du Fitz La Le Mac Mc St Van Von")
_LETTERED: Final = table("iOS i OS, IoT IOT, PhD PHD, PhDs PHDs, pH PH, MSc MSC, BSc BSC, MiB MIB")
_CAPITALS: Final = re.compile(r"\b[A-Z]{2,}\b")
_WITHOUT_LOWER_CASE: Final = re.compile(r"(?<![a-z])[^a-z]+(?![a-z])")
_NUMERAL: Final = re.compile(r"(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_CASED: Final = re.compile(r"(?:[A-Za-z]\.){2,}|\b[a-z]*+[A-Z][A-Za-z]*+(?:'[A-Za-z]+)*+")
_SPELT_FORM: Final = re.compile(r"(?:[A-Z]\.){2,}|([A-Z]{2,})('?s)?")
_LETTER: Final = re.compile(r"([A-HJ-Z])('s)?")
_INNER_CAPITAL: Final = re.compile("[a-z][A-Z]|[A-Z]{2}[a-z]{2}")
_MIXED: Final = re.compile(r"\b(?=[A-Za-z]*(?:[a-z][A-Z]|[A-Z]{2}[a-z]{2}))[A-Za-z]+\b")
_MIXED_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LETTER_BEFORE: Final = (
    r"(?i:\b(?:plan|vitamin|type|grade|hepatitis|group|exhibit|point|option|class|section|serie|series|team|model"
    r"|the letter|side|appendix|level) )$"
)
_GREEK: Final = {"μ": "mu", "Ω": "omega", "ω": "omega"}
"""Those that units are written with, and that no other rule has read."""


def letter(character: str) -> str:
    """One letter by its name; the full stop tells the letter A from the article, as in a person's initial."""
    return "A." if character in "aA" else _GREEK.get(character, character.upper())


def spelt(letters: str) -> str:
    """Letters that are to be read one by one: a run in capitals, or apart where that would be a word."""
    if not _GREEK.keys().isdisjoint(letters):
        return " ".join(map(letter, letters))
    run = letters.upper()
    if len(run) > 1 and _is_spelt(run, shouted=False):
        return run
    beside_another = len(run) > 1 and re.search("A[AI]|^[AI]*$|[AI]A(?![B-HJ-Z])", run) is None
    return " ".join(run) if beside_another else " ".join(map(letter, run))


def _formula(match: re.Match[str]) -> str:
    formula = match[0]
    if formula == "NaN" or _LAST.search(formula) is None:
        return formula
    return " ".join(part if part.isdigit() else spelt(part) for part in re.findall(r"\d+|[A-Za-z]+", formula))


_ELEMENTS: Final = (
    "Ac|Ag|Al|Ar|As|Au|Ba|Be|Bi|Br|Ca|Cd|Ce|Cl|Co|Cr|Cs|Cu|Fe|Ga|Gd|Ge|He|Hf|Hg|In|Ir|La|Li|Mg|Mn|Mo|Na|Nb|Nd|Ne|Ni|Os"
    "|Pb|Pd|Po|Pt|Pu|Ra|Rb|Re|Rh|Rn|Ru|Sb|Sc|Se|Si|Sn|Sr|Ta|Te|Th|Ti|Tl|Xe|Zn|Zr|[BCFHIKNOPSUVWY]"
)
_LAST: Final = re.compile(r"(?:\d|Br|Cl|Se|Si|Te|(?:Al|Ga|In)As|[CFHINOPS])$")
"""Where one without a figure may end; what is no formula, such as "NBAs", ends otherwise."""
read_formulas: Final = Rules(
    (rf"(?<![\w'-])(?=\w*[a-z])(?:(?:{_ELEMENTS})\d{{0,2}}){{2,12}}(?![\w'-])", _formula), guard=r"[A-Za-z][A-Z\d]"
)
"""Spells chemical formulas with a symbol of two letters ("NaCl", "Fe2O3"); others are read as any code with figures."""


def unshout(text: str) -> str:
    """Sentences in capitals as sentences: each word that is read loses its capitals but the first."""
    capitals = _CAPITALS.findall(text)
    if len(capitals) < 2 or " " not in text:
        return text
    if not any(character.islower() for character in text):
        return _CAPITALS.sub(_titled, text)
    if _FUNCTION_WORDS.isdisjoint(capitals):
        return text
    return _WITHOUT_LOWER_CASE.sub(_unshouted_part, text)


def _unshouted_part(match: re.Match[str]) -> str:
    words = re.findall(r"[A-Z]+", match[0])
    shouted = len(words) > 2 and not _FUNCTION_WORDS.isdisjoint(words)
    return _CAPITALS.sub(_titled, match[0]) if shouted else match[0]


def _titled(match: re.Match[str]) -> str:
    word = match[0]
    if _NUMERAL.fullmatch(word) or _is_spelt(word, shouted=True):
        return word
    if word == "WHO" and text_before(match, 4) == "THE ":
        return word
    return word.capitalize()


def lower(text: str) -> str:
    """Everything in lower case but what is to be spelt."""
    if _INNER_CAPITAL.search(text) is not None:
        text = _MIXED.sub(_parted, text)
    return _CASED.sub(_cased, text)


def _cased(match: re.Match[str]) -> str:
    word = match[0]
    if _LETTER.fullmatch(word):
        return word if word[0] != "A" or _is_letter_a(match) else word.lower()
    form = _SPELT_FORM.fullmatch(word)
    if form is None:
        return word.lower()
    if form[1] is None or _is_spelt(form[1], shouted=False):
        return word
    return word if form[1] in _WORDS_TOO and _is_name(match) else word.lower()


def _is_spelt(acronym: str, *, shouted: bool) -> bool:
    if acronym in _READ or acronym == "EST":  # a zone of time, in capitals everywhere
        return acronym == "EST"
    known = lookup(acronym.lower()) is not None
    if acronym in _SPELT and not (shouted and known):
        return True
    pronounceable = len(acronym) >= (4 if shouted else 5) and re.search("[AEIOUY]", acronym) is not None
    return not (known or pronounceable)


def _is_name(match: re.Match[str]) -> bool:
    string, end = match.string, match.end()
    before = text_before(match, 8)
    if re.search(_BEFORE_NAME, before) is not None or _AFTER_NAME.match(string, end) is not None:
        return True
    opens = re.search(r"(?:^|[.!?:] [\"'(]?)$", before) is not None
    return match[0][:3] == "WHO" and opens and re.match(r"[^.!]*\?", string[end : end + 200]) is None


def _is_letter_a(match: re.Match[str]) -> bool:
    """Whether a capital A is the letter's name: beside another letter, or where no article can stand."""
    before, after = text_before(match, 12), text_after(match, 3)
    beside = re.search(r"\w-$|\b[B-HJ-Z](?: and)?[ ,.]+$", before) or re.match(r"\.|-\w|[ ,]+[B-HJ-Z]\b", after)
    ends = before and re.match(r"[,;:!?)]|$", after)
    return bool(match[0] == "A's" or beside or ends or re.search(_LETTER_BEFORE, before))


def _parted(match: re.Match[str]) -> str:
    """A name such as ``JavaScript`` or ``macOS`` in its words, where each is one."""
    word = match[0]
    parts = _MIXED_PARTS.findall(word)
    if word in _LETTERED:
        return _LETTERED[word]
    if lookup(word.lower()) is not None or parts[0] in _NAME_PREFIXES or _SPELT_FORM.fullmatch(word):
        return word
    if all(part.isupper() or lookup(part.lower()) is not None for part in parts):
        return " ".join(part.upper() if len(part) == 1 and part != "i" else part for part in parts)
    return word
