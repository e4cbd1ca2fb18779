"""Segments, built as text, prosody and events come in the order of a document."""

from dataclasses import replace

from voxgrad.text.marked_text import PLAIN, Break, Event, MarkedText, Pause, Prosody, Segment, Sound


class SegmentBuilder:
    """Gathers text until something ends it.

    Attributes:
        items: what is complete.
    """

    def __init__(self) -> None:
        self.items: list[Segment | Sound] = []
        self._text: list[str] = []
        self._length = 0
        self._prosodies: list[tuple[int, Prosody]] = []
        self._events: list[tuple[int, Event]] = []

    def say(self, text: str, prosody: Prosody) -> None:
        """More text, spoken in some way."""
        if prosody != (self._prosodies[-1][1] if self._prosodies else PLAIN):
            self._prosodies.append((self._length, prosody))
        self._text.append(text)
        self._length += len(text)

    def happen(self, event: Event, prosody: Prosody) -> None:
        """Something that happens after the text so far; a pause parts words."""
        self._events.append((self._length, event))
        if isinstance(event, Pause):
            self.say(" ", prosody)

    def play(self, sound: Sound) -> None:
        """A sound, after what has been flushed."""
        self.items.append(sound)

    def flush(self, ends: Break, voice: str | None, *, whole: bool = False) -> None:
        """The text so far as a segment. Without any, what was before it ends as strongly as this."""
        text = "".join(self._text)
        content = MarkedText(text, tuple(self._prosodies), tuple(self._events))
        last = self.items[-1] if self.items else None
        events: list[tuple[int, Event]] = []
        if text.strip():
            self.items.append(Segment(content, ends, voice, whole))
        elif isinstance(last, Segment):
            end = len(last.content.text)
            said = last.content.with_events([(end, event) for _, event in content.events])
            strongest = min(last.ends, ends, key=list(Break).index)
            self.items[-1] = replace(last, content=said, ends=strongest)
        else:  # they wait for the first text
            events = [(0, event) for _, event in self._events]
        self._text, self._length, self._prosodies, self._events = [], 0, [], events

    def finished(self) -> tuple[Segment | Sound, ...]:
        """All items, in order."""
        self.flush(Break.PARAGRAPH, None)
        if self._events:
            self.items.append(Segment(MarkedText("", (), tuple((0, event) for _, event in self._events))))
        return tuple(self.items)
