// Draws a mel, as far as it is made, with a line where it is played.

const COLOURS = [
  [8, 6, 20],
  [74, 18, 107],
  [182, 54, 121],
  [251, 136, 97],
  [252, 253, 191],
];

function colour(value) {
  const place = (value / 255) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(place), COLOURS.length - 2);
  return COLOURS[low].map((part, n) => part + (COLOURS[low + 1][n] - part) * (place - low));
}

const PALETTE = Array.from({ length: 256 }, (_, value) => colour(value));

function picture(part) {
  const frames = part.values.length / part.bands;
  const image = new ImageData(frames, part.bands);
  for (let frame = 0; frame < frames; frame += 1) {
    for (let band = 0; band < part.bands; band += 1) {
      const pixel = ((part.bands - 1 - band) * frames + frame) * 4;
      image.data.set([...PALETTE[part.values[frame * part.bands + band]], 255], pixel);
    }
  }
  const canvas = new OffscreenCanvas(frames, part.bands);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** `parts`: start and stop in seconds, bands, and values 0 to 255, frame by frame. */
export function drawMel(canvas, parts, seconds, position) {
  const context = canvas.getContext("2d");
  context.fillStyle = "#08061c";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const scale = canvas.width / Math.max(seconds, 0.1);
  for (const part of parts) {
    part.picture ??= picture(part);
    context.drawImage(part.picture, part.start * scale, 0, (part.stop - part.start) * scale, canvas.height);
  }
  context.fillStyle = "#ffffff";
  context.fillRect(position * scale - 1, 0, 2, canvas.height);
}
