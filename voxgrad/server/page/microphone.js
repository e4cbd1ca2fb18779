// The microphone as it is: 48 kHz, one channel, no echo cancellation, no noise suppression, no automatic gain. It stays
// open; a take begins with speech and ends with silence, or when it is told to.

const RATE = 48000;
const PIECE = 2048 / RATE; // seconds; see recorder-worklet.js
const BEFORE = 0.5; // seconds kept before speech begins
const AFTER = 1.1; // seconds of silence that end a take
const KEPT = 0.5; // of them
const AT_LEAST = 0.25; // seconds of speech that begin one
const FLOOR_SECONDS = 3; // over which the background is measured
const ABOVE = 10; // dB over the background that are speech
const QUIETEST = -55; // dB of full scale that speech has at least
const LONGEST = 30; // seconds of a take

const decibels = (power) => 10 * Math.log10(power + 1e-10);

export class Microphone {
  /** `heard` is called with every piece's peak, 0 to 1; `took` with a finished take, a 16-bit WAV. */
  constructor(heard, took) {
    Object.assign(this, { heard, took, state: "off", pieces: [], levels: [], loud: 0, quiet: 0 });
  }

  /** Opens the device, or the one that is chosen; `device` is "" for the system's own. */
  async open(device = "") {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("Browsers allow the microphone only on pages at localhost or over https.");
    }
    await this.close();
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    if (device) audio.deviceId = { exact: device };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Error(`The microphone cannot be used (${error.message}). Allow it in the browser.`);
    }
    this.context = new AudioContext({ sampleRate: RATE });
    await this.context.audioWorklet.addModule("/page/recorder-worklet.js");
    const recorder = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
    recorder.port.onmessage = ({ data }) => this.receive(data);
    this.context.createMediaStreamSource(this.stream).connect(recorder);
    this.state = "open";
  }

  /** The microphones that there are, with names; only known once one is open. */
  async devices() {
    const found = await navigator.mediaDevices.enumerateDevices();
    return found.filter((one) => one.kind === "audioinput").map((one, number) => ({ id: one.deviceId, name: one.label || `Microphone ${number + 1}` }));
  }

  /** Waits for speech. */
  arm() {
    this.pieces = [];
    this.loud = this.quiet = 0;
    this.state = "armed";
  }

  /** Stops to wait; what was begun is dropped. */
  disarm() {
    if (this.state !== "off") this.state = "open";
  }

  /** Ends the take at once. */
  finish() {
    if (this.state !== "speaking") return;
    this.state = "open";
    const silent = Math.floor(Math.max(0, this.quiet - KEPT) / PIECE);
    this.took(wav(this.pieces.slice(0, this.pieces.length - silent)));
  }

  async close() {
    this.state = "off";
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    if (this.context && this.context.state !== "closed") await this.context.close();
    this.stream = null;
  }

  get seconds() {
    return this.pieces.length * PIECE;
  }

  receive(piece) {
    if (this.state === "off") return;
    const level = decibels(piece.reduce((sum, value) => sum + value * value, 0) / piece.length);
    this.levels.push(level);
    if (this.levels.length * PIECE > FLOOR_SECONDS) this.levels.shift();
    this.heard(piece.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
    if (this.state === "open") return;
    this.pieces.push(piece);
    const floor = this.levels.toSorted((a, b) => a - b)[Math.floor(this.levels.length / 5)];
    const speech = level > Math.max(floor + ABOVE, QUIETEST);
    if (this.state === "armed") {
      this.loud = speech ? this.loud + PIECE : 0;
      const most = Math.ceil((BEFORE + this.loud) / PIECE);
      if (this.pieces.length > most) this.pieces = this.pieces.slice(-most);
      if (this.loud < AT_LEAST) return;
      this.state = "speaking";
      this.floor = floor; // the sentence itself must not raise it
      return;
    }
    this.quiet = level > Math.max(this.floor + ABOVE, QUIETEST) ? 0 : this.quiet + PIECE;
    if (this.quiet >= AFTER || this.seconds > LONGEST) this.finish();
  }
}

function wav(pieces) {
  const count = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const word = (place, text) => [...text].forEach((sign, n) => view.setUint8(place + n, sign.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + 2 * count, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, 2 * RATE, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, 2 * count, true);
  let place = 44;
  for (const piece of pieces) {
    for (const value of piece) {
      view.setInt16(place, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true);
      place += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
