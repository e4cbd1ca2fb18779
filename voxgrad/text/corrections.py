"""Where the dictionary's first pronunciation is a poor default for running prose, and names that it lacks."""

from typing import Final

PREFERRED_VARIANTS: Final = {
    "de": 3,
    "delegate": 2,
    "essay": 2,
    "forbidden": 2,
    "lead": 2,
    "live": 2,
    "perfect": 2,
    "re": 2,
    "recall": 2,
    "record": 2,
    "records": 2,
    "separate": 2,
    "sometimes": 2,
    "sow": 2,
    "subject": 2,
    "survey": 2,
    "thirty": 2,
    "wind": 2,
    "wound": 2,
}
"""Which of the dictionary's pronunciations to take."""

PRONUNCIATIONS: Final = {
    "etc": "EH2 T S EH1 T ER0 AH0",
    "etc.": "EH2 T S EH1 T ER0 AH0",
    "i.e.": "AY1 IY1",
    "a.m.": "EY1 EH1 M",
}
