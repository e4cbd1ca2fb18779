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
    "houses": "HH AW1 Z IH0 Z",
    "mohrenschildt": "M AO1 R AH0 N SH IH2 L T",
    "nebuchadnezzar": "N EH2 B AH0 K AH0 D N EH1 Z ER0",
    "provocateur": "P R OW0 V AA2 K AH0 T ER1",
    "provocateurs": "P R OW0 V AA2 K AH0 T ER1 Z",
    "seafaring": "S IY1 F EH2 R IH0 NG",
    "springy": "S P R IH1 NG IY0",
    "tomfoolery": "T AA2 M F UW1 L ER0 IY0",
    "unquenchable": "AH0 N K W EH1 N CH AH0 B AH0 L",
    "etc": "EH2 T S EH1 T ER0 AH0",
    "etc.": "EH2 T S EH1 T ER0 AH0",
    "i.e.": "AY1 IY1",
    "a.m.": "EY1 EH1 M",
    # AudioClips of the mouth, which would be spelt for want of a vowel.
    "brr": "B ER1",
    "brrr": "B ER1",
    "grr": "G ER1",
    "grrr": "G ER1",
    "mmm": "AH1 M",
    "pfft": "F AH1 T",
    "psst": "P IH1 S T",
    "shhh": "SH AH1",
    "tsk": "T IH1 S K",
    "zzz": "Z AH1 Z",
}
