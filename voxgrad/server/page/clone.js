// The clone: one button, its progress and curve, cancel and resume, and the card at the end.

import { attempt, button, el, json, minutes, request } from "./common.js";

const TASKS = {
  load: "Loading the program",
  prepare: "Preparing the recordings",
  measure: "Measuring the speed of this computer",
  "measure pitch": "Measuring the pitch of the recordings",
  adapt: "Adapting the base to the speaker",
  align: "Aligning texts and recordings",
  train: "Training",
  card: "Comparing voice and base",
};

export function clonePanel(session, presets) {
  let timer = null;
  const path = `/api/recordings/${session.id}/clone`;
  const preset = el("select", { id: "preset" }, ...["fast", ...presets.filter((name) => name !== "fast")].map((name) => new Option(name, name)));
  const time = el("input", { id: "minutes", type: "number", min: 1, max: 1440, placeholder: "as the preset needs" });
  const start = button("Make the voice", begin, { className: "main", id: "clone" });
  const cancel = button("Cancel", stop, { hidden: true, id: "cancel" });
  const bar = el("progress", { max: 1, hidden: true, "aria-label": "Progress" });
  const status = el("p", { role: "status", id: "clone-status" });
  const curve = el("div");
  const card = el("div", { id: "card" });

  async function begin() {
    const body = { preset: preset.value };
    if (time.value) body.minutes = Number(time.value);
    card.replaceChildren();
    show(await json("POST", path, body));
  }

  async function stop() {
    show(await json("DELETE", path));
    status.textContent = "Stopping: what is done is saved …";
  }

  async function look() {
    show(await json("GET", path));
  }

  function show(job) {
    clearTimeout(timer);
    const running = job.state === "running";
    start.disabled = running;
    start.textContent = job.state === "stopped" ? "Resume" : "Make the voice";
    cancel.hidden = !running;
    bar.hidden = !running;
    if (job.total) bar.value = job.done / job.total;
    else bar.removeAttribute("value");
    if (job.preset) preset.value = job.preset;
    if (job.minutes) time.value = job.minutes;
    status.className = { failed: "bad", done: "good" }[job.state] ?? "";
    status.textContent = sentence(job);
    curve.replaceChildren(drawn(job.curve));
    if (running) timer = setTimeout(() => attempt(look), 1000);
    if (job.state === "done") attempt(() => showCard(job.result.voice, card));
  }

  // A session from before may have a voice already, or one that was stopped.
  if (session.clone) show(session.clone);
  const element = el(
    "div",
    { className: "card" },
    el("h3", { textContent: "The voice" }),
    el(
      "div",
      { className: "fields" },
      el("div", {}, el("label", { for: "preset", textContent: "Preset" }), preset),
      el("div", {}, el("label", { for: "minutes", textContent: "Minutes of training" }), time),
    ),
    el("div", { className: "buttons" }, start, cancel),
    bar,
    status,
    curve,
    card,
  );
  return { element, leave: () => clearTimeout(timer) };
}

function sentence(job) {
  if (job.state === "failed") return job.message;
  if (job.state === "stopped") return "Stopped. Resume goes on where it stopped.";
  if (job.state === "done") return `${job.result.voice}: ${job.result.clips} clips. ${job.result.verdict}`;
  const task = TASKS[job.task] ?? "Working";
  const count = job.total ? `: ${job.done} of ${job.total}` : "";
  const left = job.seconds_left === null || job.seconds_left === undefined ? "" : `, ${minutes(job.seconds_left)} left`;
  return `${task}${count}${left}. ${job.message ?? ""}`;
}

/** The figures of the held-out sentences by step, one line each, scaled to themselves. */
function drawn(points) {
  const names = points?.length > 1 ? Object.keys(points.at(-1)).filter((name) => name !== "step" && name !== "stage") : [];
  const figures = names.map((name) => {
    const known = points.filter((point) => Number.isFinite(point[name]));
    const low = Math.min(...known.map((point) => point[name]));
    const high = Math.max(...known.map((point) => point[name]));
    const first = known[0].step;
    const wide = Math.max(known.at(-1).step - first, 1);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 -4 100 108");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${name} from ${known[0][name].toFixed(3)} to ${known.at(-1)[name].toFixed(3)}`);
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    const place = (point) => `${(100 * (point.step - first)) / wide},${100 * (1 - (point[name] - low) / Math.max(high - low, 1e-9))}`;
    line.setAttribute("points", known.map(place).join(" "));
    svg.append(line);
    const caption = `${name.replaceAll("_", " ")}: ${known.at(-1)[name].toFixed(3)}, less is better`;
    return el("figure", {}, el("figcaption", { textContent: caption }), svg);
  });
  return el("div", { className: "takes" }, ...figures);
}

/** Shows what the card of a voice says: its words, pictures and audio, and nothing else of the file. */
export async function showCard(voice, place) {
  const path = `/api/voices/${encodeURIComponent(voice)}/card`;
  let answer;
  try {
    answer = await request(path);
  } catch (error) {
    if (error.status !== 404) throw error;
    place.textContent = "Comparing voice and base …";
    await json("POST", path, {});
    answer = await request(path);
  }
  // Its styles are its own, and our policy would refuse them.
  const text = (await answer.text()).replace(/<style[^]*?<\/style>/gi, "");
  const page = new DOMParser().parseFromString(text, "text/html");
  const parts = [el("h3", { textContent: page.querySelector("h1")?.textContent ?? voice })];
  const rows = [...page.querySelectorAll("table tr")].map((row) => el("tr", {}, ...[...row.cells].map((cell) => el(cell.tagName.toLowerCase(), { textContent: cell.textContent }))));
  parts.push(el("table", {}, ...rows));
  for (const takes of page.querySelectorAll(".takes")) {
    parts.push(el("h3", { textContent: takes.previousElementSibling?.textContent ?? "" }));
    parts.push(el("div", { className: "takes" }, ...[...takes.querySelectorAll("figure")].map(copied)));
  }
  place.replaceChildren(...parts);
}

function copied(figure) {
  const embedded = (selector) => {
    const source = figure.querySelector(selector)?.getAttribute("src") ?? "";
    return /^data:(image|audio)\//.test(source) ? source : "";
  };
  const name = figure.querySelector("figcaption")?.textContent ?? "";
  return el(
    "figure",
    {},
    el("figcaption", { textContent: name }),
    el("img", { src: embedded("img"), alt: `Mel spectrogram, ${name}` }),
    el("audio", { controls: true, preload: "none", src: embedded("audio"), ariaLabel: name }),
  );
}
