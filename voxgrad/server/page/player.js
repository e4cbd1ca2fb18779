// Plays speech while it is made: pieces of a WAV, one after another, with pause and seek.

/** A WAV that grows, with the times of its words. */
export class Speech {
  constructor() {
    this.pieces = []; // bytes, the header first
    this.size = 0;
    this.data = -1; // where the samples begin
    this.rate = 22050;
    this.bits = 16;
    this.step = 2; // bytes from a sample to the next one of the same channel
    this.words = [];
    this.seconds = 0;
  }

  /** Takes a piece of the file; returns the samples of its first channel. */
  add(piece) {
    let samples = piece;
    if (this.data < 0) {
      const view = new DataView(piece.buffer);
      let place = 12;
      while (view.getUint32(place) !== 0x64617461) {
        if (view.getUint32(place) === 0x666d7420) {
          this.rate = view.getUint32(place + 12, true);
          this.step = view.getUint16(place + 20, true);
          this.bits = view.getUint16(place + 22, true);
        }
        const size = view.getUint32(place + 4, true);
        place += 8 + size + (size % 2);
      }
      this.data = place + 8;
      samples = piece.slice(this.data);
    }
    this.pieces.push(piece);
    this.size += piece.length;
    this.seconds = (this.size - this.data) / this.step / this.rate;
    const view = new DataView(samples.buffer, samples.byteOffset);
    const read = {
      16: (place) => view.getInt16(place, true) / 2 ** 15,
      24: (place) => (view.getInt16(place + 1, true) * 256 + view.getUint8(place)) / 2 ** 23,
      32: (place) => view.getFloat32(place, true),
    }[this.bits];
    return Float32Array.from({ length: samples.length / this.step }, (_, n) => read(n * this.step));
  }

  /** The file, with its lengths filled in. */
  file() {
    const first = this.pieces[0].slice();
    const view = new DataView(first.buffer);
    view.setUint32(4, this.size - 8, true);
    view.setUint32(this.data - 4, this.size - this.data, true);
    return new Blob([first, ...this.pieces.slice(1)], { type: "audio/wav" });
  }
}

export class Player {
  constructor() {
    this.buffers = []; // {start, buffer}
    this.length = 0;
    this.from = 0; // the position that `since` belongs to
    this.since = null; // the clock when it began to play; null: paused
    this.sources = [];
  }

  add(samples, rate) {
    if (!samples.length) return;
    this.context ??= new AudioContext();
    const buffer = this.context.createBuffer(1, samples.length, rate);
    buffer.getChannelData(0).set(samples);
    const piece = { start: this.length, buffer };
    // Speech that was waited for goes on from here.
    if (this.playing && this.clock >= this.length) this.begin(this.length);
    this.buffers.push(piece);
    this.length += buffer.duration;
    if (this.playing) this.schedule(piece);
  }

  get playing() {
    return this.since !== null;
  }

  /** Where playing would be if nothing had to be waited for. */
  get clock() {
    return this.playing ? this.from + Math.max(0, this.context.currentTime - this.since) : this.from;
  }

  get position() {
    return Math.min(this.clock, this.length);
  }

  begin(position) {
    this.from = position;
    this.since = this.context.currentTime + 0.05;
  }

  schedule({ start, buffer }) {
    const offset = Math.max(0, this.from - start);
    if (offset >= buffer.duration) return;
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    source.start(this.since + Math.max(0, start - this.from), offset);
    this.sources.push(source);
  }

  play(position = this.position) {
    this.pause();
    this.context ??= new AudioContext();
    this.begin(position);
    for (const piece of this.buffers) this.schedule(piece);
  }

  pause() {
    this.from = this.position;
    this.since = null;
    for (const source of this.sources) source.stop();
    this.sources = [];
  }

  close() {
    this.pause();
    this.context?.close();
    this.context = null;
  }
}
