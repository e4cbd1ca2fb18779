"""Abbreviations in full."""

import re
from typing import Final

from voxgrad.text.dictionary import lookup
from voxgrad.text.numbers import digits
from voxgrad.text.rules import Rules, table, text_after, text_before, word_set

TITLES: Final = table("""
    Adm admiral, Amb ambassador, Atty attorney, Brig brigadier, Capt captain, Cdr commander, Cmdr commander,
    Col colonel, Cpl corporal, Dr doctor, Drs doctors, Fr father, Ft fort, Gen general, Gov governor, Hon honorable,
    Lt lieutenant, Maj major, Messrs messrs, Mlle mademoiselle, Mme madame, Mr mister, Mrs missus, Ms ms, Mt mount,
    Mx mix, Ofc officer, Pres president, Prof professor, Pt point, Pvt private, Rep representative, Rev reverend,
    Sen senator, Sgt sergeant, Supt superintendent
""")
"""Before a name."""
UNDOTTED: Final = frozenset(("Mr", "Mrs", "Ms", "Messrs", "Dr", "Mme", "Prof", "Sgt", "Capt", "Lt", "Mt", "Gov"))
"""Titles that are also written without a full stop before a name."""
STREETS: Final = table("""
    Ave avenue, Blvd boulevard, Cir circle, Ct court, Dr drive, Expy expressway, Hwy highway, Ln lane, Pkwy parkway,
    Pl place, Rd road, Sq square, St street, Ter terrace
""")
"""After a name or an ordinal."""
AFTER: Final = table("""
    Bros brothers, Co company, Corp corporation, Dept department, Esq esquire, Inc incorporated, Jr junior,
    Ltd limited, Sr senior, Univ university, al al, approx approximately, apt apartment, Apt apartment,
    assn association, Assn association, cf compare, dept department, est established, Est established, avg average,
    max maximum, min minimum, tel telephone, Tel telephone, esp especially, etc et cetera, govt government,
    Govt government, incl including, misc miscellaneous, viz namely, vs versus
""")
"""After a name or anywhere."""
_BEFORE_FIGURE: Final = frozenset(("avg", "est", "Est", "max", "min", "tel", "Tel"))
_ONLY_STREETS: Final = frozenset(("Ave", "Blvd", "Hwy", "Pkwy", "Rd"))
BARE: Final = frozenset(("Bros", "Corp", "Inc", "Jr", "Ltd", "Sr", "vs", "etc", "Apt", "Dept"))
"""Read so without a full stop, too."""
MONTHS: Final = table("""
    Jan january, Feb february, Mar march, Apr april, Jun june, Jul july, Aug august, Sep september, Sept september,
    Oct october, Nov november, Dec december
""")
_WEEKDAYS: Final = {
    "Mon": "monday", "Tue": "tuesday", "Tues": "tuesday", "Wed": "wednesday", "Thu": "thursday",
    "Thur": "thursday", "Thurs": "thursday", "Fri": "friday", "Sat": "saturday", "Sun": "sunday",
}  # fmt: skip
COUNTED: Final = table("""
    Art article, Bk book, Ch chapter, Chap chapter, Ex exhibit, Fig figure, Figs figures, No number, Nos numbers,
    Pt part, Sc scene, Sec section, Vol volume, Vols volumes, p page, pp pages, pg page, Eq equation, Ext extension,
    Rm room, Ste suite
""")
"""Before a number."""
_STATES: Final = table("""
    Ala alabama, Ariz arizona, Ark arkansas, Calif california, Colo colorado, Conn connecticut, Del delaware,
    Fla florida, Ga georgia, Ill illinois, Ind indiana, Kan kansas, Kans kansas, Ky kentucky, La louisiana,
    Mass massachusetts, Md maryland, Mich michigan, Minn minnesota, Miss mississippi, Mo missouri, Mont montana,
    Neb nebraska, Nev nevada, Okla oklahoma, Ont ontario, Ore oregon, Penn pennsylvania, Pa pennsylvania, Que quebec,
    Tenn tennessee, Tex texas, Va virginia, Vt vermont, Wash washington, Wis wisconsin, Wyo wyoming
""")
"""After a place and a comma, with a full stop."""
_CODES: Final = table("""
    AL alabama, AK alaska, AZ arizona, AR arkansas, CA california, CO colorado, CT connecticut, DE delaware,
    FL florida, GA georgia, HI hawaii, ID idaho, IL illinois, IN indiana, IA iowa, KS kansas, KY kentucky,
    LA louisiana, ME maine, MD maryland, MA massachusetts, MI michigan, MN minnesota, MS mississippi, MO missouri,
    MT montana, NE nebraska, NV nevada, NH new hampshire, NJ new jersey, NM new mexico, NY new york, NC north carolina,
    ND north dakota, OH ohio, OK oklahoma, OR oregon, PA pennsylvania, RI rhode island, SC south carolina,
    SD south dakota, TN tennessee, TX texas, UT utah, VT vermont, VA virginia, WA washington, WV west virginia,
    WI wisconsin, WY wyoming, N.Y. new york, N.J. new jersey, N.C. north carolina, S.C. south carolina,
    N.M. new mexico, N.H. new hampshire, R.I. rhode island
""")
"""After a place; as the post office writes them."""
_DEGREES: Final = {
    "Ph.D.": "PHD", "LL.D.": "LLD", "LL.B.": "LLB", "D.Phil.": "D phil", "M.Sc.": "MSC", "B.Sc.": "BSC",
}  # fmt: skip
_COMPASS: Final = {"N": "north", "S": "south", "E": "east", "W": "west"}

SHORT: Final = frozenset((
    *TITLES, *STREETS, *AFTER, *MONTHS, *_WEEKDAYS, *COUNTED, *_STATES, *_CODES, *(word.lower() for word in COUNTED),
))  # fmt: skip
"""Every abbreviation that a user's own lexicon may claim as a word."""

_BEFORE_CAPITAL: Final = r"[\"')\]]*(?:$|\s+[\"'(]?[A-Z])"
_ENDS_SENTENCE: Final = re.compile(
    r"[\"')\]\s]*$|[\"')]* [\"'(]?(?:After|All|An?|And|As|At|But|He|Her|His|How|If|In|It|My|No|On|Our|She|So|That|The"
    r"|Then|There|They|This|We|What|When|Who|Why|Yes|You)\b"
)
"""Where a full stop ends the sentence besides the abbreviation."""
_SAINTS: Final = word_set("""
    Agnes Alban Albans Andrew Andrews Ann Anne Anselm Anthony Augustine Austell Barts Benedict Bernard Bride Catharines
    Catherine Charles Clair Clare Clement Cloud Croix David Davids Denis Edmund Elizabeth Elmo Francis Gall Gallen
    George Germain Giles Gotthard Helena Helens Helier Ignatius Ives James Jerome Joan John Johns Joseph Jude Kilda
    Kitts Lawrence Leonard Louis Lucia Lucy Luke Maarten Margaret Mark Martin Mary Matthew Michael Michel Moritz
    Nicholas Olaf Pancras Patrick Paul Peter Petersburg Philip Pierre Raphael Sebastian Simon Stephen Swithin Teresa
    Theresa Thomas Tropez Ursula Valentine Vincent Vitus
""")
_BEFORE_SAINT: Final = word_set("""
    A After All An And Around As At Before But By Fort For From In Into Like Mount Near Of On Or Our Over Port Saint
    The To Toward Until Visit When Where While With
""")
_ZIP: Final = r" (\d{5})(?:-(\d{4}))?(?![\d,])"
_NO_PLACE: Final = word_set("Ah Alright Fine Hello Hey Hi No Oh Okay Right So Sorry Sure Thanks Uh Um Well Yeah Yes")
_DEGREE_OR_STATE: Final = {"MD": word_set("Annapolis Baltimore Bethesda Frederick Rockville Spring")}


def _dotted(match: re.Match[str]) -> str:
    """An abbreviation with its full stop, in full; the stop stays where it ends the sentence too."""
    word, before, after = match[1], text_before(match, 24), text_after(match, 24)
    if after[:1].isalpha() or before[-1:] == ".":
        return match[0]
    counted = COUNTED.get(word, COUNTED.get(word.capitalize()))
    figures = r" ?#?(?:\d|[IVXL]{2,}\b)" if word[:2].lower() == "no" else r" ?(?:#?\d|(?!I\b)[IVXLivxl]+\b)"
    if counted is not None and re.match(figures, after):
        return f"{counted} "
    stop = "." if _ENDS_SENTENCE.match(after) else ""
    return _place(word, before, after, stop) or _other(word, before, after, stop) or match[0]


def _other(word: str, before: str, after: str, stop: str) -> str | None:
    if word in TITLES and re.match(r" |\x03", after):
        return TITLES[word]
    if word in MONTHS and (word not in {"Mar", "Jun", "Jul", "Sep"} or re.match(r",? ?\d", after)):
        return MONTHS[word] + stop
    if word in _WEEKDAYS and (word not in {"Sat", "Sun"} or re.match(r",? (?:\d|[A-Z][a-z]{2})", after)):
        return _WEEKDAYS[word] + stop
    if word == "etc" and re.match(_BEFORE_CAPITAL, after):
        stop = "."
    before_figure = re.match(r" [\d$(]", after) is not None and re.search(r"\d $", before) is None
    return AFTER[word] + stop if word in AFTER and (word not in _BEFORE_FIGURE or before_figure) else None


def _place(word: str, before: str, after: str, stop: str) -> str | None:
    if word in _STATES and re.search(r"[A-Z][a-z]+, $", before):
        return _STATES[word] + stop
    if word not in STREETS:
        return None
    follows_name = re.search(r"(?:[A-Z][a-z]+(?:'s)?|\d(?:st|nd|rd|th)) $", before) is not None
    may_end_a_name = bool(stop) or re.match(r" [A-Z]", after) is None or _HOUSE_NUMBER.search(before) is not None
    if (follows_name and may_end_a_name) or word in _ONLY_STREETS:
        return STREETS[word] + stop
    if ends_with_street(word, before, after):
        return f"{STREETS[word]}."
    return "saint" if word == "St" and re.match(r" [A-Z]", after) else None


def ends_with_street(word: str, before: str, after: str) -> bool:
    """Whether ``word``, without its full stop, is the street that ends a sentence: "near Wall St. Nobody came"."""
    following = re.match(r"[\"')\]]*\s+[\"'(]?([A-Z][a-z']*)", after)
    named = re.search(r"\b([A-Z][a-z]+(?:'s)?|\d+(?:st|nd|rd|th)) $", before)
    if word not in STREETS or following is None or named is None or named[1] in _BEFORE_SAINT:
        return False
    if _HOUSE_NUMBER.search(before) is not None:  # the town of a postal address may follow
        return _ENDS_SENTENCE.match(after) is not None
    return word not in TITLES and following[1].removesuffix("'s") not in _SAINTS


_HOUSE_NUMBER: Final = re.compile(r"\d\w* (?:[A-Z]\w* )+$")
_NO_SENTENCE: Final = word_set("Com Doc Edu Exe Gov Html Io Jpg Js Md Net Org Pdf Png Py Txt Zip")


def is_stuck(text: str, start: int, stop: int) -> bool:
    """Whether a space is missing between a mark and the capital at ``stop``: "He was tall.He was six.", "Mr.Smith"."""
    before = text[max(start - 32, 0) : start].rpartition(" ")[2].lstrip("\"'([“‘")
    after = re.match(r"(?:[A-Z][a-z']+|[AI])(?![\w(/@_-]|\.\w)", text[stop : stop + 24])
    if after is None or re.search(r"[/@\\_=#]|\.(?!m$)", before) is not None:
        return False
    if text[start] != "." or before in TITLES or before in STREETS or before in {"a.m", "p.m"}:
        return before[-1:].isalnum()
    if len(before) < 2 or not (before[-1].islower() or before.isdecimal()) or after[0] in _NO_SENTENCE:
        return False
    if _ENDS_SENTENCE.match(f" {after[0]} ") is not None or after[0] == "I":
        return True
    return before.islower() and before != after[0].lower() and lookup(before) is not None  # and no typing.Any


def _state(match: re.Match[str]) -> str:
    place, code, zip_code, zip_places = match.groups()
    unlikely = place in _NO_PLACE or place not in _DEGREE_OR_STATE.get(code, {place})
    return match[0] if unlikely and not zip_code else f"{place}, {_CODES[code]}{_zip_code(zip_code, zip_places)}"


def _zip_code(code: str, places: str | None) -> str:
    return (f" {digits(code)}" if code else "") + (f", {digits(places)}" if places else "")


def _full(name: str) -> str:
    return _WEEKDAYS.get(name, MONTHS.get(name, name))


_SLASHED: Final = {"w/o": "without", "w/": "with", "b/c": "because", "c/o": "care of"}
_ALTERNATIVES: Final = (
    "s?he/s?he|he/they|she/they|his/hers?|hers?/his|him/her|her/him|himself/herself|herself/himself|his/her/their"
    "|he/she/they|him/her/them|is/are|was/were|has/have|yes/no|true/false|male/female|men/women|boys?/girls?|mr/mrs"
)
"""Words of which one is meant; "and/or" and pairs such as "input/output" are said without a word between them."""
_CODE_NAMES: Final = "|".join(map(re.escape, _CODES))
_STATE_NAMES: Final = "|".join(sorted({name.title() for name in _CODES.values()}, key=len, reverse=True))
_DAY_NAMES: Final = "|".join((*_WEEKDAYS, *(name.title() for name in set(_WEEKDAYS.values()))))
_MONTH_NAMES: Final = "|".join((*MONTHS, *(name.title() for name in (*set(MONTHS.values()), "may"))))
_STREET: Final = (
    rf"\b((?!The |An? |My |Your )[A-Z][a-z]+|\d+(?:st|nd|rd|th)) ({'|'.join(STREETS)})"
    r"(?=$|[,;:!?)]|\.$| [a-z]| (?:[NS][EW]|[NSEW])\b)"
)
_write_out: Final = Rules(
    (
        rf"\b({_DAY_NAMES}|{_MONTH_NAMES})\.?\s?[-\u2013]\s?({_DAY_NAMES}|{_MONTH_NAMES})\b",
        lambda match: f"{_full(match[1])} to {_full(match[2])}",
    ),
    (rf"\b({_DAY_NAMES}),? (?=(?:{_MONTH_NAMES})\b|\d)", lambda match: match[0].replace(match[1], _full(match[1]))),
    (r"\bA\s?[-\u2013]\s?Z\b", "A. to Z"),
    (r"\b(?:WW|ww)(I|II|1|2)\b", lambda match: f"world war {'two' if match[1] in {'II', '2'} else 'one'}"),
    (r"\bi\.e\.", "that is"),
    (r"\be\.g\.", "for example"),
    (r"\b(?:Ph\.D|LL\.[DB]|D\.Phil|[MB]\.Sc)\.(?!\w)", lambda match: _DEGREES[match[0]]),
    (r"(?<=\d )([NSEW])\.(?= [A-Z])", lambda match: _COMPASS[match[1]]),
    (rf"\b([A-Z][a-z]+),? ({_CODE_NAMES}){_ZIP}", _state),
    (rf"\b([A-Z][a-z]+), ({_CODE_NAMES})()()(?=[,;:)]|\.?$|\.\s| [a-z])", _state),
    (rf"\b({_STATE_NAMES}),?{_ZIP}", lambda match: match[1] + _zip_code(match[2], match[3])),
    (r"\bc(?:a)?\. ?(?=\d{3,4}\b)", "circa "),
    (r"\b([A-Za-z]{1,6})\.", _dotted),
    (_STREET, lambda match: f"{match[1]} {STREETS[match[2]]}"),
    (rf"\b({'|'.join(UNDOTTED)})(?= [A-Z\x03])", lambda match: TITLES[match[1]]),
    (r"\bSt(?= [A-Z])", "saint"),
    (rf"\b({'|'.join(BARE)})\b", lambda match: AFTER[match[1]]),
    (r"(?<=[a-z] )vs?\.? (?=[A-Z])", "versus "),
    (r"&c\.", " et cetera"),
    (r"\b(w/o|w/|b/c|c/o)(?![\w/])|\b(w/)(?=[a-z])", lambda match: f"{_SLASHED[match[1] or match[2]]} "),
    (rf"\b(?i:{_ALTERNATIVES})\b(?![/\w])", lambda match: match[0].replace("/", " or ")),
    (r"\bS/he\b", "He or she"),
    (r"\bs/he\b", "he or she"),
)
_DOTTED_WORD: Final = re.compile(r"\b([A-Za-z]{1,6})\.")
_DOTTED_WORDS: Final = SHORT | {"c", "ca", "d", "e", "g", "i", "v", "D", "N", "S", "E", "W", "Sc", "Phil"}
_UNDOTTED_WORD: Final = re.compile(
    r"&c|\b[A-Za-z]{1,7}/[A-Za-z\s,.;:!?)]|\b[A-Za-z]/$|[A-Za-z]\s?[-\u2013]\s?[A-Z]|, [A-Z][A-Z.]|[a-z] v |\d{5}"
    rf"|\b(?:{'|'.join((*UNDOTTED, *STREETS, *BARE, *_WEEKDAYS, 'WW'))})\b|WW[12I]"
)


def write_out(text: str) -> str:
    """Abbreviations in full."""
    dotted = not _DOTTED_WORDS.isdisjoint(_DOTTED_WORD.findall(text))
    return _write_out(text) if dotted or _UNDOTTED_WORD.search(text) is not None else text
