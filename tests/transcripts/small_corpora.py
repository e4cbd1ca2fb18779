"""Small corpora in the forms that people bring, made of empty recordings: for the tests of transcripts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Files = Mapping[str, str]
Expected = list[tuple[str, str, str | None]]

GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 9
tiers? <exists>
size = {size}
item []:
{tiers}"""
TIER = """    item [{number}]:
        class = "IntervalTier"
        name = "{name}"
        xmin = 0
        xmax = 9
        intervals: size = {size}
{intervals}"""
INTERVAL = """        intervals [{number}]:
            xmin = {start}
            xmax = {stop}
            text = "{text}"
"""
EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>
<TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="500"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2000"/>
<TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="3000"/><TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4000"/>
</TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="A-utt" PARTICIPANT="ann">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>Alpha &amp; more.</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="bob">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
<ANNOTATION_VALUE>Beta.</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER LINGUISTIC_TYPE_REF="tr" TIER_ID="German" PARENT_REF="bob">
<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a2"><ANNOTATION_VALUE>Nein.</ANNOTATION_VALUE>
</REF_ANNOTATION></ANNOTATION></TIER>
</ANNOTATION_DOCUMENT>
"""
LABELS = "0.009\t0.960\tAlpha here.\n\\\t100.0\t8000.0\n1.2\t2.5\tBeta there.\n3\t3\t\n"
SRT = (
    "1\n00:00:00,500 --> 00:00:02,000\n<i>Alpha</i> was\n\n2\n00:00:02,000 --> 00:00:03,000\nhere.\n\n"
    "3\n00:00:04,000 --> 00:00:05,500\n{\\an8}Beta.\n"
)
VTT = (
    "WEBVTT\n\nNOTE made by hand\n\n00:00.500 --> 00:02.000\n<v Ann>Alpha &amp; <c.loud>more</c>.</v>\n\n"
    "b\n00:03.000 --> 00:04.000 align:start\n<v Bob>Beta.\n"
)
VALIDATED = (
    "client_id\tpath\tsentence_id\tsentence\tup_votes\tdown_votes\tage\tlocale\n"
    f'{"ab" * 64}\tcommon_voice_en_1.mp3\tx\tAlpha, "quoted" here.\t2\t0\t\ten\n'
    f"{'cd' * 64}\tcommon_voice_en_2.mp3\ty\tBeta.\t2\t0\t\ten\n"
)


def grid(**tiers: list[tuple[float, float, str]]) -> str:
    """A TextGrid in Praat's long format; a tier's name may have ``__`` for `` - ``."""
    made = []
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        lines = (
            INTERVAL.format(number=index, start=start, stop=stop, text=text)
            for index, (start, stop, text) in enumerate(intervals, 1)
        )
        made.append(
            TIER.format(number=number, name=name.replace("__", " - "), size=len(intervals), intervals="".join(lines))
        )
    return GRID.format(size=len(tiers), tiers="".join(made))


@dataclass(frozen=True)
class Sample:
    """A corpus in small.

    Attributes:
        form: what it is recognised as.
        sounds: its recordings.
        files: its other files.
        texts: id, text and speaker of all that is in it, in order; of what has times, those of the segments.
        main: the file that variants damage.
    """

    form: str
    sounds: tuple[str, ...]
    files: Files
    texts: Expected
    main: str

    def write(self, folder: Path) -> Path:
        """Makes it in a folder."""
        for name in self.sounds:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content.encode())
        return folder


AB = [("a", "Alpha, and more.", None), ("b", "Beta.", None)]
SPOKEN = [("a", "Alpha, and more.", "ann"), ("b", "Beta.", "bob")]
WAVS = ("a.wav", "b.wav")
SAMPLES = {
    "label track": Sample(
        "audacity",
        ("book.mp3",),
        {"book.txt": LABELS},
        [("book", "Alpha here.", None), ("book", "Beta there.", None)],
        "book.txt",
    ),
    "label track under its own name": Sample(
        "audacity",
        ("book.wav",),
        {"Label Track.txt": LABELS, "README.txt": "Read aloud in May."},
        [("book", "Alpha here.", None), ("book", "Beta there.", None)],
        "Label Track.txt",
    ),
    "srt": Sample(
        "srt",
        ("book.mp3",),
        {"book.en.srt": SRT},
        [("book", "Alpha was here.", None), ("book", "Beta.", None)],
        "book.en.srt",
    ),
    "vtt": Sample(
        "vtt",
        ("book.wav",),
        {"book.vtt": VTT},
        [("book", "Alpha & more.", "Ann"), ("book", "Beta.", "Bob")],
        "book.vtt",
    ),
    "textgrid": Sample(
        "textgrid",
        WAVS,
        {
            "a.TextGrid": grid(utterance=[(0, 1, ""), (1, 3, "Alpha, and more."), (3, 9, "")]),
            "b.TextGrid": grid(text=[(0, 1, ""), (1, 3, "Beta."), (3, 9, "")]),
        },
        AB,
        "a.TextGrid",
    ),
    "long textgrid of two speakers": Sample(
        "textgrid",
        ("talk.wav",),
        {
            "grids/talk.TextGrid": grid(
                ann=[(0, 1, ""), (1, 3, 'He said ""hi"".'), (3, 9, "")],
                bob=[(0, 4, ""), (4, 6, "Beta."), (6, 9, "")],
                notes=[(0, 9, "good take")],
            )
        },
        [("talk", 'He said "hi".', "ann"), ("talk", "Beta.", "bob")],
        "grids/talk.TextGrid",
    ),
    "aligned words": Sample(
        "textgrid",
        ("a.wav",),
        {
            "a.TextGrid": grid(
                ann__words=[(0, 1, ""), (1, 2, "alpha"), (2, 3, "here"), (3, 5, ""), (5, 6, "beta"), (6, 9, "sil")],
                ann__phones=[(0, 1, ""), (1, 2, "AE1"), (2, 9, "")],
            )
        },
        [("a", "alpha here", "ann"), ("a", "beta", "ann")],
        "a.TextGrid",
    ),
    "elan": Sample(
        "elan",
        ("talk.wav",),
        {"talk.eaf": EAF},
        [("talk", "Alpha & more.", "ann"), ("talk", "Beta.", "bob")],
        "talk.eaf",
    ),
    "librispeech": Sample(
        "librispeech",
        ("84/121123/84-121123-0000.flac", "84/121123/84-121123-0001.flac", "116/1/116-1-0000.flac"),
        {
            "84/121123/84-121123.trans.txt": "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT IN LESS\n",
            "116/1/116-1.trans.txt": "116-1-0000 AS I\n",
        },
        [
            ("116-1-0000", "AS I", "116"),
            ("84-121123-0000", "GO DO YOU HEAR", "84"),
            ("84-121123-0001", "BUT IN LESS", "84"),
        ],
        "84/121123/84-121123.trans.txt",
    ),
    "libritts": Sample(
        "libritts",
        ("84/1/84_1_000000_000000.wav", "84/1/84_1_000000_000001.wav"),
        {
            "84/1/84_1_000000_000000.normalized.txt": "Mister Alpha.",
            "84/1/84_1_000000_000000.original.txt": "Mr. Alpha.",
            "84/1/84_1_000000_000001.original.txt": "Mr. Beta.",
        },
        [("84_1_000000_000000", "Mister Alpha.", "84"), ("84_1_000000_000001", "Mr. Beta.", "84")],
        "84/1/84_1_000000_000000.normalized.txt",
    ),
    "vctk": Sample(
        "vctk",
        ("wav48/p225/p225_001.wav", "wav48/p226/p226_001_mic1.flac", "wav48/p226/p226_001_mic2.flac"),
        {
            "txt/p225/p225_001.txt": "Please call\n Stella.",
            "txt/p226/p226_001.txt": "Ask her.",
            "speaker-info.txt": "p",
        },
        [("p225_001", "Please call Stella.", "p225"), ("p226_001_mic1", "Ask her.", "p226")],
        "txt/p225/p225_001.txt",
    ),
    "festvox": Sample(
        "festvox",
        ("cmu_us_bdl_arctic/wav/arctic_a0001.wav", "cmu_us_slt_arctic/wav/arctic_a0001.wav"),
        {
            "cmu_us_bdl_arctic/etc/txt.done.data": '( arctic_a0001 "He said \\"Alpha\\"." )\n',
            "cmu_us_slt_arctic/etc/txt.done.data": '( arctic_a0001 "Isn\'t Beta." )\n',
        },
        [
            ("cmu_us_bdl_arctic-arctic_a0001", 'He said "Alpha".', "bdl"),
            ("cmu_us_slt_arctic-arctic_a0001", "Isn't Beta.", "slt"),
        ],
        "cmu_us_bdl_arctic/etc/txt.done.data",
    ),
    "kaldi": Sample(
        "kaldi",
        WAVS,
        {
            "data/train/wav.scp": "u1 /home/else/corpus/a.wav\nu2 b.wav\n",
            "data/train/text": "u1 Alpha, and more.\nu2\tBeta.\n",
            "data/train/utt2spk": "u1 ann\nu2 bob\n",
        },
        SPOKEN,
        "data/train/text",
    ),
    "kaldi with segments": Sample(
        "kaldi",
        ("talk.wav",),
        {
            "wav.scp": "talk talk.wav\n",
            "segments": "u1 talk 0.5 2.0\nu2 talk 3.0 4.0\n",
            "text": "u1 Alpha.\nu2 Beta.\n",
            "utt2spk": "u1 ann\nu2 bob\n",
        },
        [("talk", "Alpha.", "ann"), ("talk", "Beta.", "bob")],
        "text",
    ),
    "common voice": Sample(
        "common-voice",
        ("clips/common_voice_en_1.mp3", "clips/common_voice_en_2.mp3"),
        {"validated.tsv": VALIDATED, "train.tsv": VALIDATED, "other.tsv": VALIDATED},
        [
            ("common_voice_en_1", 'Alpha, "quoted" here.', "abababababab"),
            ("common_voice_en_2", "Beta.", "cdcdcdcdcdcd"),
        ],
        "validated.tsv",
    ),
    "audiofolder": Sample(
        "csv",
        WAVS,
        {"metadata.csv": 'file_name,transcription\na.wav,"Alpha, and more."\nb.wav,Beta.\n'},
        AB,
        "metadata.csv",
    ),
    "csv with speakers": Sample(
        "csv",
        WAVS,
        {"list.csv": 'speaker;text;audio\nann;"Alpha, and more.";a.wav\nbob;Beta.;b.wav\n'},
        SPOKEN,
        "list.csv",
    ),
    "tsv with a header": Sample(
        "csv", WAVS, {"data.tsv": "audio\ttext\na.wav\tAlpha, and more.\nb.wav\tBeta.\n"}, AB, "data.tsv"
    ),
    "tsv without one": Sample(
        "csv", WAVS, {"train.txt": "a.wav\tAlpha, and more.\tann\nb.wav\tBeta.\tbob\n"}, SPOKEN, "train.txt"
    ),
    "filelists": Sample(
        "paths",
        WAVS,
        {
            "filelists/x_train_filelist.txt": "DUMMY/a.wav|Alpha, and more.\n",
            "filelists/x_val_filelist.txt": "DUMMY/b.wav|Beta.\n",
        },
        AB,
        "filelists/x_train_filelist.txt",
    ),
    "paths of another machine": Sample(
        "paths",
        ("wavs/a.wav", "wavs/b.wav"),
        {"filelist.txt": "C:\\voice\\wavs\\a.wav|Alpha, and more.\n/home/x/voice/wavs/b.wav|Beta.\n"},
        AB,
        "filelist.txt",
    ),
    "psv": Sample("paths", WAVS, {"all.psv": "a.wav|Alpha, and more.|ann\nb.wav|Beta.|bob\n"}, SPOKEN, "all.psv"),
    "list": Sample(
        "gpt-sovits", WAVS, {"v.list": "out/a.wav|ann|en|Alpha, and more.\nout/b.wav|bob|EN|Beta.\n"}, SPOKEN, "v.list"
    ),
    "piper": Sample(
        "piper",
        ("a.wav", "b.wav", "c.wav"),
        {"metadata.csv": "a|ann|Alpha was here.\nb|ann|Beta was here.\nc|ann|Gamma.\n"},
        [("a", "Alpha was here.", "ann"), ("b", "Beta was here.", "ann"), ("c", "Gamma.", "ann")],
        "metadata.csv",
    ),
    "f5": Sample(
        "f5",
        ("wavs/a.wav",),
        {"metadata.csv": "audio_file|text\nwavs/a.wav|Alpha.\n"},
        [("wavs-a", "Alpha.", None)],
        "metadata.csv",
    ),
    "jsonl": Sample(
        "jsonl",
        ("a.wav",),
        {"metadata.jsonl": '{"audio": "a.wav", "text": "Alpha.", "speaker": "ann"}\n'},
        [("a", "Alpha.", "ann")],
        "metadata.jsonl",
    ),
    "metadata.txt": Sample("ljspeech", WAVS, {"metadata.txt": "a|Alpha, and more.\nb|Beta.\n"}, AB, "metadata.txt"),
    "m-ailabs": Sample(
        "subfolders",
        ("en_US/by_book/female/mary_ann/one/wavs/f_01.wav", "en_US/by_book/male/elliot/one/wavs/f_01.wav"),
        {
            "en_US/by_book/female/mary_ann/one/metadata.csv": "f_01|Alpha 1.|Alpha one.\n",
            "en_US/by_book/male/elliot/one/metadata.csv": "f_01|Beta.|Beta.\n",
        },
        [
            ("en_US-by_book-female-mary_ann-one-f_01", "Alpha one.", "mary_ann"),
            ("en_US-by_book-male-elliot-one-f_01", "Beta.", "elliot"),
        ],
        "en_US/by_book/female/mary_ann/one/metadata.csv",
    ),
    "piper recording studio": Sample(
        "paths",
        ("wav/en-US_0/0.wav", "wav/en-US_0/1.wav"),
        {"metadata.csv": 'en-US_0/0.wav|"He said ""hi""."\r\nen-US_0/1.wav|Beta.\r\n'},
        [("en-US_0-0", 'He said "hi".', None), ("en-US_0-1", "Beta.", None)],
        "metadata.csv",
    ),
    "mimic recording studio": Sample(
        "mimic", WAVS, {"77-metadata.txt": "a.wav|Alpha, and more.|16\nb.wav|Beta.|5\n"}, AB, "77-metadata.txt"
    ),
    "texts in a folder of their own": Sample(
        "beside",
        ("wav/a.wav", "wav/b.wav"),
        {"txt/a.txt": "Alpha, and more.", "txt/b.txt": "Beta."},
        [("wav-a", "Alpha, and more.", None), ("wav-b", "Beta.", None)],
        "txt/a.txt",
    ),
}
