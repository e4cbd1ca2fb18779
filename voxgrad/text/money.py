"""Sums of money: an amount with its currency, alone, in a range, with a scale, per something."""

import re
from typing import Final

from voxgrad.text.numbers import AMOUNT, cardinal, count, quantity
from voxgrad.text.quantities import JOINT, PER, is_attributive, is_one, per

_CURRENCIES: Final = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "jeon", "jeon"),
    "₽": ("ruble", "rubles", "kopeck", "kopecks"),
    "₺": ("lira", "lira", "kurus", "kurus"),
    "₪": ("shekel", "shekels", "agora", "agorot"),
    "₱": ("peso", "pesos", "centavo", "centavos"),
    "₿": ("bitcoin", "bitcoins", "cent", "cents"),
}
SIGNS: Final = "".join(_CURRENCIES)
_CODES: Final = {"USD": "$", "GBP": "£", "EUR": "€", "JPY": "¥", "INR": "₹"}
_COUNTRIES: Final = {
    "US": "US ", "A": "australian ", "AU": "australian ", "C": "canadian ", "CA": "canadian ",
    "HK": "hong kong ", "NZ": "new zealand ", "S": "singapore ",
}  # fmt: skip
_SCALES: Final = {
    "k": "thousand", "m": "million", "mm": "million", "mn": "million", "mil": "million", "b": "billion",
    "bn": "billion", "t": "trillion", "tn": "trillion", "trn": "trillion",
}  # fmt: skip
_SCALE: Final = (
    r"(?:[ -]?(?P<scale>(?i:hundred|thousand|million|billion|trillion|bn|mn|mm|trn?|tn|mil|[kmbt]))\b)"
)
_PLACES: Final = re.compile(r"\.\d\d$")
_SIGN: Final = f"[{SIGNS}]"
_MONEY: Final = re.compile(
    rf"(?:(?<!\w)(?P<country>US|AU?|CA?|HK|NZ|S)(?=\$))?"
    rf"(?:(?P<sign>{_SIGN})|\b(?P<code>{'|'.join(_CODES)})(?= ?\d))\s?"
    rf"(?:(?P<low>{AMOUNT})(?:[ ]?(?P<low_scale>(?i:thousand|million|billion|trillion|bn|[kmb]))\b)?"
    rf"{JOINT}{_SIGN}?(?=[\d.]))?"
    rf"(?P<amount>{AMOUNT}){_SCALE}?(?P<named>[- ](?:dollar|pound|euro)(?![a-z]))?{PER}"
)
_MONEY_AFTER: Final = re.compile(
    rf"(?P<amount>{AMOUNT})\s?(?:(?P<sign>[£€¥₹₩₽₺₪₱₿])|(?P<code>{'|'.join(_CODES)})\b)"
)
_CENTS: Final = re.compile(rf"({AMOUNT})\s?(¢)|(?<![\w.,])(\d\d?)([pc])\b(?!\.)")
_SCALED: Final = re.compile(rf"(?<![A-Za-z])({AMOUNT})(bn|mn|M)\b(?!\.)")


def _scale(written: str | None) -> str:
    return "" if written is None else f" {_SCALES.get(written.lower(), written.lower())}"


def _money(match: re.Match[str]) -> str:
    sign = match["sign"] if match["sign"] is not None else _CODES[match["code"]]
    start = " " if match.string[match.start() - 1 : match.start()].isalnum() else ""
    names = _CURRENCIES[sign]
    country = _COUNTRIES.get(match["country"], "")
    amount, low, scale = match["amount"], match["low"], _scale(match["scale"])
    attributive = match["named"] is not None or is_attributive(match)
    rate = per(match["per"])
    if low and not scale and (_PLACES.search(low) or _PLACES.search(amount)):
        return f"{start}{_sum(low, names, country)} to {_sum(amount, names, country)}{rate}"
    if low:
        start += f"{quantity(low)}{_scale(match['low_scale'])} to "
    if low or scale:
        return f"{start}{quantity(amount)}{scale} {country}{names[0] if attributive else names[1]}{rate}"
    return f"{start}{_sum(amount, names, country, attributive=attributive)}{rate}"


def _sum(amount: str, names: tuple[str, str, str, str], country: str, *, attributive: bool = False) -> str:
    one, many, small_one, small_many = names
    whole, _, places = amount.partition(".")
    if places and len(places) != 2:
        return f"{quantity(amount)} {country}{one if attributive else many}"
    parts: list[str] = []
    small = int(places) if places else 0
    if not small or whole.strip("0,"):
        parts.append(f"{count(whole)} {country}{one if is_one(whole) or attributive else many}")
    if small:
        parts.append(f"{cardinal(str(small))} {small_one if small == 1 or attributive else small_many}")
    return (" " if attributive else ", ").join(parts)


def _money_after(match: re.Match[str]) -> str:
    sign = match["sign"] if match["sign"] is not None else _CODES[match["code"]]
    one, many = _CURRENCIES[sign][:2]
    return f"{quantity(match['amount'])} {one if is_one(match['amount']) else many}"


def _cents(match: re.Match[str]) -> str:
    amount, sign = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    one, many = ("penny", "pence") if sign == "p" else ("cent", "cents")
    return f"{quantity(amount)} {one if is_one(amount) or (sign != 'p' and is_attributive(match)) else many}"


def _scaled(match: re.Match[str]) -> str:
    return f"{quantity(match[1])}{_scale(match[2])}"


def read_money(text: str) -> str:
    """Write out sums of money, and counts with a short scale (``5M``)."""
    if re.search(_SIGN, text) is not None or re.search(r"\d ?[A-Z]{3}\b|[A-Z]{3} ?\d", text) is not None:
        text = _MONEY.sub(_money, text)
        text = _MONEY_AFTER.sub(_money_after, text)
    if "¢" in text or re.search(r"\d[pc]\b", text) is not None:
        text = _CENTS.sub(_cents, text)
    return _SCALED.sub(_scaled, text)
