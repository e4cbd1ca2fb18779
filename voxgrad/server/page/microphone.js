// The microphone as it is: 48 kHz, one channel, no echo cancellation, no noise suppression, no automatic gain.

const RATE = 48000;

export class Take {
  /** Starts to record; `level` is called with the peak of every piece, 0 to 1. */
  static async start(level) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("The browser gives the microphone to pages at localhost or over https only.");
    }
    const take = new Take();
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    try {
      take.stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Error(`The microphone cannot be used (${error.message}): allow it in the browser.`);
    }
    take.context = new AudioContext({ sampleRate: RATE });
    await take.context.audioWorklet.addModule("/page/recorder-worklet.js");
    take.pieces = [];
    const recorder = new AudioWorkletNode(take.context, "recorder", { numberOfOutputs: 0 });
    recorder.port.onmessage = ({ data }) => {
      take.pieces.push(data);
      level(data.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
    };
    take.context.createMediaStreamSource(take.stream).connect(recorder);
    return take;
  }

  get seconds() {
    return (this.pieces.length * (this.pieces[0]?.length ?? 0)) / RATE;
  }

  /** Ends it; returns a 16-bit WAV. */
  async stop() {
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
    return wav(this.pieces);
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
