"""Measures and sums of money, alone, in a range, per something; numbers as other countries write them."""

import re
from typing import Final

from voxgrad.text.numbers import AMOUNT, FRACTION, cardinal, counted, quantity
from voxgrad.text.rules import Rules, comes_after, table, text_after, text_before

UNITS: Final = {
    sign: (one, many or re.sub(r"(?= (?:per|celsius|fahrenheit)\b)|$", "s", one, count=1))
    for sign, names in table("""
    % percent/percent, ‰ per mille/per mille, ° degree, °C degree celsius, °F degree fahrenheit, km kilometer, m meter,
    cm centimeter, mm millimeter, μm micrometer, nm nanometer, mi mile, ft foot/feet, in inch/inches, yd yard,
    yds yard, kg kilogram, g gram, mg milligram, μg microgram, mcg microgram, lb pound, lbs pound, oz ounce, L liter,
    l liter, mL milliliter, ml milliliter, cl centiliter, dl deciliter, dL deciliter, gal gallon, qt quart,
    tbsp tablespoon, tsp teaspoon, mph mile per hour, mpg mile per gallon, kph kilometer per hour,
    kmh kilometer per hour, rpm revolution per minute, bpm beat per minute, fps frame per second, dpi dot per inch,
    ppm part per million, ppb part per billion, psi pound per square inch, Hz hertz/hertz, kHz kilohertz/kilohertz,
    MHz megahertz/megahertz, GHz gigahertz/gigahertz, THz terahertz/terahertz, W watt, mW milliwatt, kW kilowatt,
    MW megawatt, GW gigawatt, TW terawatt, Wh watt hour, kWh kilowatt hour, MWh megawatt hour, GWh gigawatt hour,
    V volt, mV millivolt, kV kilovolt, mA milliamp, mAh milliamp hour, Ah amp hour, Ω ohm, kΩ kilohm, MΩ megohm,
    μF microfarad, kJ kilojoule, cal calorie, kcal kilocalorie, eV electron volt, Pa pascal, hPa hectopascal,
    kPa kilopascal, atm atmosphere, hp horsepower/horsepower, KB kilobyte, MB megabyte, GB gigabyte, TB terabyte,
    PB petabyte, KiB kibibyte, MiB mebibyte, GiB gibibyte, TiB tebibyte, Mb megabit, Gb gigabit, bps bit per second,
    kbps kilobit per second, Mbps megabit per second, Gbps gigabit per second, px pixel, pt point, dB decibel,
    s second, sec second, secs second, ms millisecond, μs microsecond, ns nanosecond, min minute, mins minute, h hour,
    hr hour, hrs hour, wk week, wks week, mo month, mos month, yr year, yrs year, ha hectare, cc cubic centimeter,
    doz dozen/dozen, pcs piece
    """).items()
    for one, _, many in [names.partition("/")]
}
"""One and many of each unit, by its sign; a longer sign is also read where its capitals differ."""
_LOWERED: Final = {
    sign.lower(): names for sign, names in reversed(UNITS.items()) if len(sign) > 1 and sign not in {"Ah", "Pa", "ha"}
}
_LENGTHS: Final = frozenset(("km", "m", "cm", "mm", "mi", "ft", "in", "yd"))
_UNSPACED_ONLY: Final = frozenset(("pt", "s"))

_STOP_WORDS: Final = (
    "a|about|after|again|ago|all|an|and|are|around|as|at|away|because|been|before|but|by|can|could|did|each|for"
    "|from|had|has|have|he|her|his|i|if|in|into|is|it|its|less|long|more|of|off|on|or|out|over|per|she|so|tall|than"
    "|that|the|their|then|there|they|this|through|to|too|under|up|was|we|were|when|where|which|who|wide|will|with"
    "|would|you|each|every|total|alone|apart|deep|high|thick|now|today|just|only|while|between|until|since|back"
)
_NOUN_AFTER: Final = rf" (?!(?:{_STOP_WORDS})\b)[a-z]"
_ARTICLE: Final = r"(?i:\b(?:an?|another|per|every)) (?:[a-z]+ )?$"
_DETERMINER: Final = r"(?i:\b(?:the|this|that|its|their|his|her|our|my|your|'s)) $"
_PARTICIPLE: Final = r" [a-z]+(?:ed|en|nt|st|de|id)\b"
_MEASURED: Final = (
    r" (?:bills?|notes?|coins?|stamps?|tickets?|races?|sprints?|hurdles|relay|freestyle)\b"
    rf"|-[a-z]| (?:deep|high|long|tall|thick|wide) (?!(?:{_STOP_WORDS})\b)[a-z]"
)
JOINT: Final = r"\s?(?:-|\u2013)\s?"


def is_attributive(match: re.Match[str]) -> bool:
    """Whether the measure qualifies a noun ("a 5 km run", "two $20 bills") and so stays in the singular."""
    following = text_after(match, 12)
    if re.match(_MEASURED, following) is not None:
        return True
    if re.match(_NOUN_AFTER, following) is None:
        return False
    is_determined = comes_after(_DETERMINER, match, 16) and re.match(_PARTICIPLE, following) is None
    return is_determined or comes_after(_ARTICLE, match, 16)


def is_one(amount: str) -> bool:
    """Whether the unit is in the singular."""
    return amount.replace(",", "").lstrip("0") == "1" or re.fullmatch(r"\d+/\d+", amount) is not None


def per(written: str | None) -> str:
    """What stands below the stroke, as ``/kg/day``, in words."""
    words = [""]
    for unit in (written or "").replace(" ", "").split("/")[1:]:
        sign, power = unit.partition("^")[::2]
        names = _names(sign)
        name = names[0] if names else sign
        is_time = name in {"second", "minute", "hour"}
        words.append(f"per {name} squared" if power == "2" and is_time else f"per {_powered(name, power)}")
    return " ".join(words)


def _powered(name: str, power: str | None) -> str:
    return {"2": "square ", "3": "cubic "}.get(power, "") + name if power else name


def _names(sign: str) -> tuple[str, str] | None:
    sign = re.sub(r"^°\s?(?=[CF])", "°", sign)
    if sign in UNITS:
        return UNITS[sign]
    return _LOWERED.get(sign.lower()) if len(sign) > 1 else None


def _measure(match: re.Match[str]) -> str:
    sign, gap, amount, low, power = (match[name] for name in ("unit", "gap", "amount", "low", "power"))
    names = _names(sign)
    if names is None or (power and power[0] != "^" and sign not in _LENGTHS):
        return match[0]
    if (gap and sign in _UNSPACED_ONLY) or (sign.lower() == "in" and not _is_inch(match)):
        return match[0]
    exponent = power.strip("^") if power else {"s": "2", "c": "3"}.get((match["square"] or "")[:1].lower())
    one, many = (_powered(name, exponent) for name in names)
    singular = (is_one(amount) and not low) or gap == "-" or is_attributive(match)
    words = f"{quantity(low)} to {quantity(amount)}" if low else quantity(amount)
    joint = "-" if gap == "-" and " " not in one else " "
    stop = "." if match["stop"] and re.match(r"[\"')]*(?:$| [A-Z])", text_after(match, 4)) else ""
    return f"{words}{joint}{one if singular else many}{per(match['per'])}{stop}"


def _is_inch(match: re.Match[str]) -> bool:  # and not the preposition
    if match["gap"] != " " or match["square"] or match["power"]:
        return True
    shape = r"$|[,;:!?)]|[ -](?:x|by|tall|long|wide|deep|thick|high|diameter|screen|display)\b"
    return re.match(shape, text_after(match, 12)) is not None


def _read_inches(text: str) -> str:
    """``27"`` is a measure only where no quotation is open that the mark could close."""
    is_open = False

    def read(match: re.Match[str]) -> str:
        nonlocal is_open
        if match[1] is None or (match[2] == '"' and is_open):
            is_open = not is_open
            return match[0]
        singular = is_one(match[1]) or is_attributive(match)
        return f"{quantity(match[1])} {'inch' if singular else 'inches'}"

    return re.sub(_QUOTE, read, text)


def _minutes_and_seconds(match: re.Match[str]) -> str:
    """``21'30"`` is a time where it is no height: after a distance or "in", or with more than eleven "inches"."""
    minutes, seconds = match[1], match[2]
    may_be_height = len(minutes) == 1 and int(seconds) < 12 and seconds[0] != "0"
    if may_be_height and not comes_after(_RACE, match, 40):
        return match[0]
    parts = [counted(minutes, "minute")] + ([counted(seconds, "second")] if int(seconds) else [])
    return " ".join(part.removesuffix("s") if is_attributive(match) else part for part in parts)


def _unit_alone(match: re.Match[str]) -> str:
    one, many = UNITS[match[0]]
    return one if is_attributive(match) else many


def _unit_per_unit(match: re.Match[str]) -> str:
    above, below = UNITS.get(match[1]), UNITS.get(match[2])
    return match[0] if above is None or below is None else f"{above[1]} per {below[0]}"


PER: Final = r"(?P<per>(?:\s?/\s?[A-Za-z]{1,10}(?:\^[23])?)+)?"
_RACE: Final = (
    r"(?i:\d ?(?:k|km|m|mi|miles?|kilometers?|kilometres?|meters?|metres?|yards?)\b[^.;]{0,20}"
    r"|\b(?:marathon|race|lap|record)[^.;]{0,20}|\b(?:ran|run|swam|rowed|finished|time)\b[^.;]{0,24}\b(?:in|of)) ?$"
)
_QUOTE: Final = rf"(?:({FRACTION}|{AMOUNT})(''|\"))|\""
_ALONE: Final = (
    "Hz|kHz|MHz|GHz|THz|dB|mA|mAh|mV|kV|mW|kW|GW|TW|Wh|kWh|MWh|GWh|kΩ|MΩ|Ω|μF|kJ|kPa|hPa|eV|mL|dL|kbps|Mbps|Gbps|KiB|GiB"
    "|TiB|Mb|Gb|kcal|km|cm|mm|μm|kg|mg|μg|μs|°C|°F|mph|kph|rpm|bpm|fps|dpi|ppm|psi|lbs"
)
"""Units that no word and no acronym is written like."""
_NUMBERED: Final = (
    r"(?i:\b(?:apartment|apt|appendix|article|block|building|bus|chapter|class|exit|fig|figure|flat|form|gate|grade|hall"
    r"|highway|iphone|level|line|model|no|number|page|part|platform|question|room|route|row|rule|schedule|seat|section"
    r"|size|suite|table|terminal|type|unit|version)\.? )$"
)
_WARM: Final = (
    r"(?i:(?:\b(?:about|above|and|around|at|below|between|by|feels|fell|from|hit|is|just|like|minus|nearly|of|only|over"
    r"|reached|rose|than|to|under|was) |[-\u2013]))$"
)
"""Before a temperature of one figure."""


def _temperature(match: re.Match[str]) -> str:
    """``72F``, but not the seat 12F or the century in "the 20C"."""
    amount, sign = match[1], match[2]
    named = match[0] != amount + sign
    sure = len(amount) > 1 or comes_after(_WARM, match, 12)
    numbered = comes_after(_NUMBERED, match, 12) or (sign == "C" and text_before(match, 4) == "the ")
    return f"{amount}°{sign}" if named or (sure and not numbered) else match[0]


read_counts_per: Final = Rules(
    (
        r"(?<=\d)\s?(/\s?(?:km|mi|mile|h|hr|hour|min|minute|day|week|month|year|person))\b(?!/)",
        lambda match: per(match[1]),
    ),
    guard="/",
)
"""Writes out what a figure without a unit is counted in ("3/week"), times too ("4:18/km")."""
_read_feet: Final = Rules(
    (r"(?<![\w.,'])(\d{1,3})'\s?([0-5]?\d)(?:\"|'')(?!\w)", _minutes_and_seconds),
    (
        r"(?<![\w.,'])([1-9])(?:'|\s?ft\.?)\s?(1[01]|\d)(?:\.\d+)?(?:\"|''|\s?in\b\.?)?(?!\d)",
        lambda match: f"{cardinal(match[1])} foot {quantity(match[2])}",
    ),
    (
        r"(?<![\w.,'])(\d{1,3})'(?= (?:tall|high|long|wide|deep|x|by)\b)",
        lambda match: f"{cardinal(match[1])} {'foot' if match[1] == '1' else 'feet'}",
    ),
    guard=r"\d(?:'|\s?ft)",
)
_read_measures: Final = Rules(
    (rf"(?<![A-Za-z_.+])({AMOUNT})(?:o| degrees? | ?deg\.? )?([CF])\b(?! (?:bra|cup))", _temperature),
    (
        (
            rf"(?<![A-Za-z])(?:(?P<low>{AMOUNT})(?:(?:\s?(?:%|°\s?[CF]?))?(?:-| ?\u2013 ?)| to )(?=[\d.]))?"
            rf"(?P<amount>{FRACTION}|{AMOUNT})(?P<gap>[ -]?)"
            rf"(?P<square>(?:sq|cu)\.?\s)?(?P<unit>%|‰|°(?:\s?[CF]\b)?|[A-Za-zμΩ]{{1,5}}(?![A-Za-zμΩ]))(?P<power>\^?[23]\b)?"
            rf"(?P<stop>(?<=ft|in|lb|oz|hr|km|mi|ec|bs|rs|yd|al|in|kg|sp|cm|mm)\.(?![\w]))?{PER}(?![\w'\d])"
        ),
        _measure,
    ),
)


def read_quantities(text: str) -> str:
    """Write out measures, and amounts with a percent sign."""
    text = _read_feet(text)
    return _read_measures(_read_inches(text) if re.search(r"\d(?:''|\")", text) is not None else text)


read_rates: Final = Rules((r"\b([A-Za-z]{1,4})/([A-Za-z]{1,3})\b", _unit_per_unit), guard="/")
"""Writes out units per units without an amount ("in km/h")."""
read_units: Final = Rules((rf"(?<![\w.&°'-])(?:{_ALONE})(?![\w&'^²³]|-\w|\.\w)", _unit_alone))
"""Writes out units that stand alone ("the kHz range")."""


_CURRENCIES: Final = {
    sign: tuple(names.split("/"))
    for sign, names in table("""
    $ dollar/dollars/cent/cents, £ pound/pounds/penny/pence, € euro/euros/cent/cents, ¥ yen/yen/sen/sen,
    ₹ rupee/rupees/paisa/paise, ₩ won/won/jeon/jeon, ₽ ruble/rubles/kopeck/kopecks, ₺ lira/lira/kurus/kurus,
    ₪ shekel/shekels/agora/agorot, ₱ peso/pesos/centavo/centavos, ₿ bitcoin/bitcoins/cent/cents
    """).items()
}
"""One and many, and those of the hundredth part."""
SIGNS: Final = "".join(_CURRENCIES)
_CODES: Final = {"USD": "$", "GBP": "£", "EUR": "€", "JPY": "¥", "INR": "₹"}
_COUNTRIES: Final = {
    "US": "US ", "A": "australian ", "AU": "australian ", "C": "canadian ", "CA": "canadian ",
    "HK": "hong kong ", "NZ": "new zealand ", "S": "singapore ",
}  # fmt: skip
_SCALES: Final = table("""
    k thousand, m million, mm million, mn million, mil million,
    b billion, bn billion, t trillion, tn trillion, trn trillion
""")
_SCALE: Final = r"(?:[ -]?(?P<scale>(?i:hundred|thousand|million|billion|trillion|bn|mn|mm|trn?|tn|mil|[kmbt]))\b)"
_PLACES: Final = re.compile(r"\.\d\d$")
_SIGN: Final = f"[{SIGNS}]"
_CODE: Final = rf"(?P<code>{'|'.join(_CODES)})"
_NO_LENGTH: Final = re.compile(
    r" (?:(?:active|daily|extra|monthly|more|new|other|young) )?(?:people|men|women|children|copies"
    r"|(?!(?:across|always|does|finals|has|heats|hurdles|less|perhaps|plus|poles|races|relays|ropes|runs|sprints|this|times|towards|tracks|unless"
    r"|upwards|walls|was|waves)\b)[A-Za-z]{3,}s)\b"
)
"""What is counted in thousands and millions, where a length or a name in ``m`` and ``k`` is none."""
_COUNTS: Final = (
    r"(?i:\b(?:audience|budget|costs?|debts?|electorate|losses|population|profits?|revenues?|sales|turnover|worth)"
    r"\b[^.!?\d]{0,20})$"
)


def _scale(written: str | None) -> str:
    return "" if written is None else f" {_SCALES.get(written.lower(), written.lower())}"


def _money(match: re.Match[str]) -> str:
    start = " " if text_before(match, 1).isalnum() else ""
    names, country = _currency(match), _COUNTRIES.get(match["country"], "")
    amount, low, scale = match["amount"], match["low"], _scale(match["scale"])
    attributive = match["named"] is not None or is_attributive(match)
    if low and not scale and (_PLACES.search(low) or _PLACES.search(amount)):
        words = f"{_sum(low, names, country)} to {_sum(amount, names, country)}"
    elif low or scale:
        lowest = f"{quantity(low)}{_scale(match['low_scale'])} to " if low else ""
        words = f"{lowest}{quantity(amount)}{scale} {country}{names[0] if attributive else names[1]}"
    else:
        words = _sum(amount, names, country, attributive=attributive)
    return f"{start}{words}{per(match['per'])}"


def _currency(match: re.Match[str]) -> tuple[str, ...]:
    return _CURRENCIES[match["sign"] if match["sign"] is not None else _CODES[match["code"]]]


def _sum(amount: str, names: tuple[str, ...], country: str, *, attributive: bool = False) -> str:
    one, many, small_one, small_many = names
    whole, _, places = amount.partition(".")
    if places and len(places) != 2:
        return f"{quantity(amount)} {country}{one if attributive else many}"
    small = int(places or 0)
    large = f"{cardinal(whole or '0')} {country}{one if is_one(whole) or attributive else many}"
    if not small:
        return large
    cents = f"{cardinal(small)} {small_one if small == 1 or attributive else small_many}"
    return f"{large} {cents}" if whole.strip("0,") else cents


def _money_after(match: re.Match[str]) -> str:
    one, many = _currency(match)[:2]
    return f"{quantity(match['amount'])} {one if is_one(match['amount']) else many}"


def _cents(match: re.Match[str]) -> str:
    amount, sign = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    one, many = ("penny", "pence") if sign == "p" else ("cent", "cents")
    return f"{quantity(amount)} {one if is_one(amount) or (sign != 'p' and is_attributive(match)) else many}"


def _scaled(match: re.Match[str]) -> str:
    is_count = _NO_LENGTH.match(match.string, match.end()) and match[0] not in {"2K", "4K", "5K", "8K"}
    is_sum = match[2] == "m" and comes_after(_COUNTS, match, 32)
    if match[2] in "Kkm" and not is_count and not is_sum:
        return match[0]
    return f"{quantity(match[1])}{_scale(match[2])}"


_read_sums: Final = Rules(
    (
        (
            rf"(?:(?<!\w)(?P<country>US|AU?|CA?|HK|NZ|S)(?=\$))?(?:(?P<sign>{_SIGN})|\b{_CODE}(?= ?\d))\s?"
            rf"(?:(?P<low>{AMOUNT})(?:[ ]?(?P<low_scale>(?i:thousand|million|billion|trillion|bn|[kmb]))\b)?"
            rf"{JOINT}{_SIGN}?(?=[\d.]))?"
            rf"(?P<amount>{AMOUNT}){_SCALE}?(?P<named>[- ](?:dollar|pound|euro)(?![a-z]))?{PER}"
        ),
        _money,
    ),
    (rf"(?P<amount>{AMOUNT})\s?(?:(?P<sign>[£€¥₹₩₽₺₪₱₿])|{_CODE}\b)", _money_after),
    guard=rf"{_SIGN}|\d ?[A-Z]{{3}}\b|[A-Z]{{3}} ?\d",
)
_read_cents: Final = Rules((rf"({AMOUNT})\s?(¢)|(?<![\w.,])(\d\d?)([pc])\b(?!\.)", _cents), guard=r"¢|\d[pc]\b")
_read_scales: Final = Rules((rf"(?<![A-Za-z])({AMOUNT})(bn|mn|tn|trn|[KMkm])\b(?!\.)", _scaled))


def read_money(text: str) -> str:
    """Write out sums of money, and counts with a short scale (``5M``)."""
    return _read_scales(_read_cents(_read_sums(text)))


def _spaced(match: re.Match[str]) -> str:
    whole, places = match["whole"], match["places"]
    one_group = whole.count(" ") == 1
    # "7 200 ml bottles" are seven of them; "7 000" and "12 345" are one number.
    if one_group and not places and whole.index(" ") == 1 and not whole.endswith("000"):
        return match[0]
    if comes_after(_CALL, match, 16):
        return match[0]
    return whole.replace(" ", ",") + (f".{places[1:]}" if places else "")


def _pointed(match: re.Match[str]) -> str:
    whole, places = match["whole"], match["places"]
    groups = whole.split(".")
    is_address = len(groups) == 4 and all(int(group) < _BYTE for group in groups)
    if not places and (len(groups) == 2 or is_address):  # or an English decimal
        return match[0]
    return whole.replace(".", ",") + (f".{places[1:]}" if places else "")


_BYTE: Final = 256
_CALL: Final = r"(?i:\b(?:call|dial|phone|ring|text|fax|tel|telephone|mobile|number|extension|no)\b[.:]? ?(?:is )?)$"
_START: Final = r"(?<![\w.,'/+()-])"
_UNIT: Final = "|".join(map(re.escape, sorted(UNITS, key=len, reverse=True)))
read_foreign_numbers: Final = Rules(
    (
        (
            rf"{_START}(?<!\d )(?P<whole>[1-9]\d{{0,2}}(?: \d{{3}})+)(?P<places>,\d{{1,2}}|\.\d+)?"
            r"(?![\w/'()-]|[.,]\d| \d)"
        ),
        _spaced,
    ),
    (rf"{_START}(?P<whole>[1-9]\d{{0,2}}(?:\.\d{{3}})+)(?P<places>,\d{{1,3}})?(?![\w/-]|[.,]\d)", _pointed),
    (r"(?<![\w.,'/-])[1-9]\d{0,2}(?:'\d{3})+(?![\w'/-]|\"|,\d)", lambda match: match[0].replace("'", ",")),
    (rf"{_START}[1-9]\d?(?:,\d\d)+,\d{{3}}(?![\w/-]|,\d)", lambda match: f"{int(match[0].replace(',', '')):,}"),
    (r"(?<=€)( ?\d+),(\d\d)(?![\d,.])", r"\1.\2"),
    (
        (
            rf"(?:{_START}|(?<=[{SIGNS}])|(?<=[{SIGNS}] ))(\d+),(\d{{1,2}})"
            rf"(?= ?(?:(?:{_UNIT})(?![A-Za-z])|[%‰°€₽₺₩₹]|EUR\b|(?:million|billion)\b))"
        ),
        r"\1.\2",
    ),
    guard=r"\d[ .,']\d",
)
"""Rewrites numbers of other countries as the rules for English ones expect them.

Grouped by spaces (SI, ISO 80000-1), by full stops with a decimal comma, by apostrophes (Switzerland), in pairs
(India). A number that could as well be something else, such as an IP address or a telephone number, is left alone.

>>> read_foreign_numbers("1 000 000 and 1.000.000,50 and 1'000 and 1,00,000 and 3,5 km")
'1,000,000 and 1,000,000.50 and 1,000 and 100,000 and 3.5 km'
"""
