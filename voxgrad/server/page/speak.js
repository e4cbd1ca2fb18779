// Speak: a text is played while it is made, with its mel and the words under the playhead.

import { $, attempt, el, json, request } from "./common.js";
import { drawMel } from "./mel.js";

let controller = null; // of the request that runs
let player = null;
let voices = [];

/** Plays 16-bit pieces one after another, and knows where it is. */
class Player {
  constructor(rate) {
    this.context = new AudioContext();
    this.rate = rate;
    this.pieces = []; // {start, length: seconds of the audio, at: of the context's clock}
    this.next = 0;
    this.length = 0;
  }

  add(samples) {
    if (!samples.length) return;
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
    buffer.getChannelData(0).set(Float32Array.from(samples, (value) => value / 32768));
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    const at = Math.max(this.next, this.context.currentTime + 0.05);
    source.start(at);
    this.pieces.push({ start: this.length, length: buffer.duration, at });
    this.next = at + buffer.duration;
    this.length += buffer.duration;
  }

  /** Seconds of the audio that have been heard. */
  get position() {
    const now = this.context.currentTime;
    const piece = this.pieces.findLast((one) => one.at <= now);
    return piece ? piece.start + Math.min(now - piece.at, piece.length) : 0;
  }

  get ended() {
    return this.context.state === "closed" || this.context.currentTime >= this.next;
  }

  stop() {
    if (this.context.state !== "closed") this.context.close();
  }
}

/** What has been made so far: the bytes of a WAV, its samples, the mel and the words. */
class Made {
  constructor() {
    this.bytes = [];
    this.size = 0;
    this.data = -1; // where the samples begin
    this.rate = 22050;
    this.frames = []; // of the mel, with the second they begin at
    this.words = [];
    this.seconds = 0;
  }

  /** Takes a piece of the file; returns its samples. */
  add(piece) {
    let samples = piece;
    if (this.data < 0) {
      const view = new DataView(piece.buffer);
      let place = 12;
      while (view.getUint32(place) !== 0x64617461) {
        if (view.getUint32(place) === 0x666d7420) this.rate = view.getUint32(place + 12, true);
        const size = view.getUint32(place + 4, true);
        place += 8 + size + (size % 2);
      }
      this.data = place + 8;
      samples = piece.slice(this.data);
    }
    this.bytes.push(piece);
    this.size += piece.length;
    this.seconds = (this.size - this.data) / 2 / this.rate;
    return new Int16Array(samples.buffer, samples.byteOffset, samples.byteLength >> 1);
  }

  samples() {
    const all = new Uint8Array(this.size);
    let place = 0;
    for (const piece of this.bytes) {
      all.set(piece, place);
      place += piece.length;
    }
    return new Int16Array(all.slice(this.data).buffer);
  }

  /** The file, with its lengths filled in. */
  file() {
    const first = this.bytes[0].slice();
    const view = new DataView(first.buffer);
    view.setUint32(4, this.size - 8, true);
    view.setUint32(this.data - 4, this.size - this.data, true);
    return new Blob([first, ...this.bytes.slice(1)], { type: "audio/wav" });
  }
}

let made = null;

async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line.replace(/^data: /, ""));
  }
}

const decoded = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));

async function speak() {
  stop();
  controller = new AbortController();
  const { signal } = controller;
  made = new Made();
  player = null;
  $("heard").hidden = false;
  $("words").replaceChildren();
  $("download").hidden = true;
  setBusy(true);
  const status = $("speak-status");
  status.textContent = "Speaking …";
  const body = {
    input: $("text").value,
    voice: $("speaker").value ? `${$("voice").value}:${$("speaker").value}` : $("voice").value,
    seed: Number($("seed").value),
    response_format: "wav",
    stream_format: "sse",
    include: ["words", "mel"],
    ...chosenOptions(),
  };
  try {
    const answer = await request("/v1/audio/speech", {
      method: "POST",
      signal,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    for await (const event of events(answer)) {
      if (event.type === "error") throw new Error(event.error.message);
      if (event.type === "speech.audio.delta") take(event);
    }
    status.textContent = `${made.seconds.toFixed(1)} s of speech, seed ${body.seed}.`;
    const link = $("download");
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(made.file());
    link.download = `${$("voice").value}-${body.seed}.wav`;
    link.hidden = false;
    $("replay").disabled = false;
    $("again").disabled = false;
  } catch (error) {
    status.textContent = "";
    throw error;
  } finally {
    if (controller?.signal === signal) setBusy(false);
  }
}

function take(event) {
  const samples = made.add(decoded(event.audio));
  player ??= new Player(made.rate);
  player.add(samples);
  if (event.mel) made.frames.push({ start: event.passage.start, stop: event.passage.stop, bands: event.mel.bands, values: decoded(event.mel.frames) });
  for (const word of event.passage?.words ?? []) {
    const span = document.createElement("span");
    span.textContent = word.text;
    made.words.push({ ...word, span });
    $("words").append(span, " ");
  }
  if (made.bytes.length === 1) requestAnimationFrame(follow);
}

function follow() {
  if (!player) return;
  const { position } = player;
  drawMel($("mel"), made.frames, made.seconds, position);
  for (const word of made.words) word.span.classList.toggle("now", word.start <= position && position < word.stop);
  if (!player.ended || controller) requestAnimationFrame(follow);
  else $("stop").disabled = true;
}

function replay() {
  player?.stop();
  player = new Player(made.rate);
  player.add(made.samples());
  $("stop").disabled = false;
  requestAnimationFrame(follow);
}

function stop() {
  controller?.abort();
  controller = null;
  player?.stop();
  player = null;
  setBusy(false);
}

function setBusy(busy) {
  $("stop").disabled = !busy && (player === null || player.ended);
  if (!busy) controller = null;
}

function speakersOf() {
  const voice = voices.find((one) => one.id === $("voice").value);
  const speakers = voice?.speakers ?? [];
  $("speaker").replaceChildren(new Option("its own", ""), ...speakers.map((name) => new Option(name, name)));
  $("speaker").disabled = speakers.length < 2;
}

/** A control for every setting that the server knows; empty means its default. */
function optionControl(name, property) {
  const kind = property.anyOf?.find((one) => one.type !== "null") ?? property;
  const usual = property.default ?? "the voice's own";
  const named = { id: `option-${name}`, name, title: property.description ?? "" };
  const choices = kind.enum ?? (kind.type === "boolean" ? [true, false] : null);
  const control = choices
    ? el("select", named, new Option(usual, ""), ...choices.filter((one) => one !== usual).map((one) => new Option(one, one)))
    : el("input", { ...named, type: kind.type === "string" ? "text" : "number", min: kind.minimum ?? "", max: kind.maximum ?? "", step: kind.type === "integer" ? 1 : "any", placeholder: usual });
  control.dataset.type = kind.type;
  const label = name[0].toUpperCase() + name.slice(1).replaceAll("_", " ") + (property.unit ? ` (${property.unit})` : "");
  return el("div", {}, el("label", { for: named.id, textContent: label, title: named.title }), control);
}

function chosenOptions() {
  const given = [...$("options").querySelectorAll("input, select")].filter((control) => control.value !== "");
  return Object.fromEntries(given.map(({ name, value, dataset }) => [name, dataset.type === "string" ? value : dataset.type === "boolean" ? value === "true" : Number(value)]));
}

export async function openSpeak() {
  if (!$("options").children.length) {
    const { properties } = await json("GET", "/v1/audio/options");
    $("options").replaceChildren(...Object.entries(properties).map(([name, property]) => optionControl(name, property)));
  }
  const chosen = $("voice").value;
  voices = (await json("GET", "/v1/audio/voices")).voices;
  $("voice").replaceChildren(...voices.map((one) => new Option(one.kind === "base" ? `${one.name} (base)` : one.name, one.id)));
  if (voices.some((one) => one.id === chosen)) $("voice").value = chosen;
  else speakersOf();
}

$("speak-form").onsubmit = (event) => {
  event.preventDefault();
  attempt(speak);
};
$("again").onclick = () => {
  $("seed").value = Number($("seed").value) + 1;
  attempt(speak);
};
$("stop").onclick = stop;
$("replay").onclick = replay;
$("voice").onchange = speakersOf;
