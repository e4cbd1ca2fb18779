"""Whether speech is phrased as its punctuation says: questions, statements, pauses and long sentences.

    python tests/benchmarks/bench_phrasing.py --voice base/english [--speaker NAME]
    python tests/benchmarks/bench_phrasing.py --texts > FILE             # for another program
    python tests/benchmarks/bench_phrasing.py --wavs DIR                 # what that said, in the order of the lines

The movement at the end is that of the last 150 ms of voice against the middle of the utterance, medians in semitones. A
pause is at least 60 ms that lie 25 dB below the utterance's loud frames, within it.
"""

import argparse
import statistics
from pathlib import Path

import numpy as np
import parselmouth

import voxgrad
from voxgrad.audio.io import Waveform, read_audio

YES_NO = """Is the train late?
Did you see the lake?
Are they coming for dinner?
Can I open the window?
Was it raining in London?
Do you want more coffee?
Have you read the letter?
Will she be there on Monday?
Is that your brother?
Could we leave at nine?
Did he lock the door?
Are you sure about it?"""
STATEMENTS = """The train is late.
You have seen the lake.
They are coming for dinner.
I can open the window.
It was raining in London.
You want more coffee.
You have read the letter.
She will be there on Monday.
That is your brother.
We could leave at nine.
He has locked the door.
You are sure about it."""
OPEN = """Where is the train?
When did you see the lake?
Who is coming for dinner?
Why is the window open?
How was it in London?
What do you want to drink?
Which letter have you read?
Whose brother is that?"""
COMMAS = """We bought apples, pears, plums, and bread.
Red, white, blue, and green are the colours of the boats.
She packed a lamp, a knife, some rope, and two blankets.
After the storm, when the wind had died, we went out, and the sea was calm.
My brother, who lives in Leeds, called, but I was out.
Monday, Tuesday, Wednesday, and Thursday are taken."""
STOPS = """He opened the door. Nobody was there. The lamp was still warm.
It rained; the road was flooded; we turned back.
She said one thing: wait. So we waited. Nothing came.
"I know," he said. "You told me so." Then he left.
First we eat. Then we sleep. Tomorrow we walk.
The answer was no; there was no other; he knew it."""
NONE = """We bought a loaf of bread and some plums for the journey home.
The colours of the boats in the harbour are red and green.
She packed a lamp and some rope before the others were awake.
The wind had died and the sea was calm when we went out.
My brother who lives in Leeds called while I was out.
The morning train to the coast leaves at nine on Monday."""
LONG = (
    "When the old keeper of the lighthouse had climbed the last of the narrow stairs, with a lantern in one hand and a "
    "basket of bread and apples in the other, he found that the door, which he had locked himself the night before, "
    "stood wide open, and that the snow had drifted as far as the table.\n"
    "The committee agreed that the bridge should be repaired before the winter, that the money should come from the "
    "sale of the old mill, and that the farmers who lived on the other side of the river should have the use of the "
    "ferry without paying for it until the work was done."
)
GROUPS = {
    "yes-no questions": YES_NO,
    "statements": STATEMENTS,
    "open questions": OPEN,
    "commas": COMMAS,
    "stops": STOPS,
    "no marks": NONE,
    "long sentences": LONG,
}
MARKS = ",;:.?"
SILENCE, SHORTEST, STEP = 25.0, 0.06, 0.01
END = 0.15


def main() -> None:
    """Prints one row for every group."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", default="base/english")
    parser.add_argument("--speaker")
    parser.add_argument("--vocoder")
    parser.add_argument("--wavs", type=Path)
    parser.add_argument("--texts", action="store_true")
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    texts = {name: group.splitlines() for name, group in GROUPS.items()}
    if given.texts:
        print(*(text for group in texts.values() for text in group), sep="\n")
        return
    if given.wavs is not None:
        files = iter(sorted(given.wavs.iterdir()))
        spoken = {name: [read_audio(next(files)) for _ in group] for name, group in texts.items()}
    else:
        voice = voxgrad.load(given.voice, vocoder=given.vocoder, home=given.home)
        spoken = {
            name: [Waveform(voice.say(text, seed=0, speaker=given.speaker).samples, voice.rate) for text in group]
            for name, group in texts.items()
        }
    print("| | movement at the end | rises | pauses | marks within | words a second |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, waveforms in spoken.items():
        ends = [movement(one) for one in waveforms]
        marks = [sum(text.strip('."?').count(mark) for mark in MARKS) for text in texts[name]]
        words = sum(len(text.split()) for text in texts[name]) / sum(one.seconds for one in waveforms)
        print(
            f"| {name} | {statistics.fmean(ends):+.1f} ± {statistics.stdev(ends):.1f} | "
            f"{sum(end > 0 for end in ends)} of {len(ends)} | {sum(map(pauses, waveforms))} | {sum(marks)} | "
            f"{words:.1f} |"
        )


def movement(waveform: Waveform) -> float:
    """Semitones by which the last voice lies above the middle of the utterance."""
    sound = parselmouth.Sound(waveform.samples.astype(float), waveform.rate)
    pitch = sound.to_pitch_ac(time_step=STEP, pitch_floor=70, pitch_ceiling=500)
    voiced = pitch.selected_array["frequency"]
    voiced = voiced[voiced > 0]
    return float(12 * np.log2(np.median(voiced[-round(END / STEP) :]) / np.median(voiced)))


def pauses(waveform: Waveform) -> int:
    """Silences within an utterance."""
    hop = round(STEP * waveform.rate)
    frames = waveform.samples[: len(waveform.samples) // hop * hop].reshape(-1, hop)
    level = 10 * np.log10(np.square(frames).mean(1) + 1e-10)
    silent = level < np.quantile(level, 0.9) - SILENCE
    loud = np.flatnonzero(~silent)
    silent = silent[loud[0] : loud[-1] + 1]
    changes = np.flatnonzero(np.diff(np.concatenate(([False], silent, [False])).astype(int)))
    return int(np.sum(changes[1::2] - changes[::2] >= round(SHORTEST / STEP)))


if __name__ == "__main__":
    main()
