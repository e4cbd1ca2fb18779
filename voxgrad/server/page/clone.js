// Clone: how long it may take, one bar, and at the end the person beside the clone.

import { attempt, button, choice, chosen, details, duration, el, field, heading, json, play, playButton, spoken } from "./common.js";
import { link } from "./home.js";

const KINDS = [
  ["instant", "A minute and a half", "A first impression. The sound of the voice, roughly."],
  ["fast", "About ten minutes", "Recommended. The voice and its way of speaking."],
  ["balanced", "An hour or two", "For five minutes of recordings and more."],
];
const SAMPLES = {
  en: "I never said these words.",
  es: "Yo nunca dije estas palabras.",
  fr: "Je n'ai jamais dit ces mots.",
  it: "Non ho mai detto queste parole.",
  pt: "Eu nunca disse estas palavras.",
  de: "Diese Worte habe ich nie gesagt.",
  nl: "Deze woorden heb ik nooit gezegd.",
};
// What the tasks take of the whole, in the order in which they come. Loading and measuring are short.
const SHARES = { prepare: 0.05, "measure pitch": 0.02, adapt: 0.13, align: 0.02, train: 0.7, card: 0.08 };
const SHARES_OF = { instant: { prepare: 0.08, "measure pitch": 0.03, adapt: 0.45, align: 0.02, train: 0.28, card: 0.14 } };
const SAYS = {
  load: "Getting ready",
  prepare: "Listening to the recordings",
  measure: "Measuring the speed of this computer",
  "measure pitch": "Measuring the pitch",
  adapt: "Adapting to the voice",
  align: "Aligning the sounds with the texts",
  train: "Learning the voice",
  card: "Comparing the clone with you",
};

export async function cloneView(place, id, query) {
  const [session, { presets }] = await Promise.all([json("GET", `/api/recordings/${id}`), json("GET", "/api/recordings")]);
  const path = `/api/recordings/${id}/clone`;
  let timer = null;
  let reached = 0;

  const title = heading(`The voice of ${session.speaker}`);
  const preset = el("select", { id: "preset" }, new Option("as chosen above", ""), ...presets.map((name) => new Option(name, name)));
  const time = el("input", { id: "minutes", type: "number", min: 1, max: 1440 });
  const kinds = KINDS.filter(([name]) => presets.includes(name));
  const settings = el(
    "section",
    {},
    el("fieldset", {}, el("legend", { textContent: "How much time may it take?" }), ...kinds.map(([name, text, about]) => choice("kind", name, text, about, name === "fast")), el("small", { textContent: "On a small computer, with two processor cores. A larger one takes less time." })),
    details("Details", field("Preset", preset), field("Minutes of training", time, "Leave this empty for as many as the preset takes.")),
  );
  const start = button("Make the voice", begin, { className: "primary", id: "clone" });
  const cancel = button("Stop", stop, { id: "cancel" });
  const again = button("Make it again", choose, { id: "remake", hidden: true });
  const more = link("Record more", `#/record/${id}`);
  const bar = el("progress", { max: 1, ariaLabel: "Progress" });
  const status = el("p", { role: "status", id: "clone-status" });
  const working = el("section", { className: "card", hidden: true }, bar, status);
  const result = el("section", { id: "result", hidden: true });
  const buttons = el("div", { className: "buttons" }, start, cancel, again, more);

  /** A voice that is there can be made anew, from more recordings or in more time. */
  function choose() {
    title.textContent = `The voice of ${session.speaker}`;
    result.hidden = again.hidden = working.hidden = true;
    settings.hidden = start.hidden = false;
  }

  async function begin() {
    const body = { preset: preset.value || chosen(settings, "kind") };
    if (time.value) body.minutes = Number(time.value);
    reached = 0;
    history.replaceState(null, "", `#/clone/${id}`);
    show(await json("POST", path, body));
  }

  async function stop() {
    show(await json("DELETE", path));
    status.textContent = "Saving and stopping …";
  }

  function show(job) {
    clearTimeout(timer);
    const { state } = job;
    const running = state === "running";
    settings.hidden = running || state === "done";
    working.hidden = false;
    bar.hidden = !running;
    start.hidden = running || state === "done";
    start.textContent = state === "stopped" ? "Continue" : "Make the voice";
    cancel.hidden = !running;
    again.hidden = state !== "done";
    more.hidden = running;
    const { done, left } = progress(job);
    reached = Math.max(reached, done); // a bar that goes back is not believed
    bar.value = reached;
    status.className = state === "failed" ? "bad" : "";
    status.textContent = {
      running: `${SAYS[job.task] ?? "Working"}.${left === null ? "" : ` ${duration(left)} left.`}`,
      stopped: "Stopped. Press Continue to resume.",
      failed: job.message,
      done: "",
    }[state];
    if (running) timer = setTimeout(() => attempt(async () => show(await json("GET", path))), 1000);
    if (state === "done") attempt(() => finish(job));
  }

  async function finish(job) {
    working.hidden = true;
    title.textContent = `${session.speaker} can speak`;
    result.hidden = false;
    await showResult(job.result.voice, result);
  }

  if (session.clone?.state === "done" && query.has("again")) choose();
  else if (session.clone) show(session.clone);
  cancel.hidden = session.clone?.state !== "running";
  place.append(title, settings, working, result, buttons);
  return () => clearTimeout(timer);
}

/** How much of the whole is done, 0 to 1, and the seconds left; null while nobody can tell. */
function progress(job) {
  const shares = SHARES_OF[job.preset] ?? SHARES;
  const names = Object.keys(shares);
  const at = names.indexOf(job.task);
  if (at < 0) return { done: 0, left: null };
  const part = job.total ? Math.min(1, job.done / job.total) : 0;
  const before = names.slice(0, at).reduce((sum, name) => sum + shares[name], 0);
  const done = before + part * shares[job.task];
  if (job.seconds_left === null || job.seconds_left === undefined || !job.seconds) return { done, left: null };
  // For the tasks that come, the pace of the whole so far; where it was resumed, that of this task.
  const later = 1 - before - shares[job.task];
  const pace = job.before ? job.seconds_left / Math.max((1 - part) * shares[job.task], 0.001) : job.seconds / Math.max(done, 0.02);
  return { done, left: job.seconds_left + later * pace };
}

/** The card of a voice, made where it is missing: sentences that judge it, and its page as a document. */
async function card(voice, place) {
  const path = `/api/voices/${encodeURIComponent(voice)}/card`;
  let found;
  try {
    found = await json("GET", path);
  } catch (error) {
    if (error.status !== 404) throw error;
    place.textContent = "Comparing the clone with you …";
    await json("POST", path, {});
    found = await json("GET", path);
  }
  // Its styles are its own, and our policy would refuse them.
  const text = found.page.replace(/<style[^]*?<\/style>/gi, "");
  return { verdicts: found.verdicts, page: new DOMParser().parseFromString(text, "text/html") };
}

const embedded = (element) => {
  const source = element?.getAttribute("src") ?? "";
  return /^data:(image|audio)\//.test(source) ? source : "";
};

/** The person beside the clone, a text to try, and the figures behind "Details". */
export async function showResult(voice, place) {
  place.replaceChildren(el("p", { className: "quiet", role: "status", textContent: "Comparing the clone with you …" }));
  const { verdicts, page } = await card(voice, place);
  const [first] = page.querySelectorAll(".takes");
  const audio = Object.fromEntries([...(first?.querySelectorAll("figure") ?? [])].map((one) => [one.querySelector("figcaption")?.textContent.trim() ?? "", embedded(one.querySelector("audio"))]));
  const sentence = first?.previousElementSibling?.textContent ?? "";
  const lang = first?.previousElementSibling?.lang || "en";
  const name = voice.split("@")[0];
  const text = el("input", { id: "try", lang, value: SAMPLES[lang] ?? "", maxLength: 500 });
  const status = el("p", { role: "status", className: "quiet" });
  const say = async () => {
    status.textContent = "Speaking …";
    const url = await spoken({ input: text.value, voice, response_format: "wav" });
    status.textContent = "";
    await play(url);
  };
  const form = el("form", { className: "row" }, field("Hear the clone say anything", text), el("button", { className: "primary", id: "say", textContent: "Say it" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    attempt(say);
  };
  const pair = [
    ["recording", "You"],
    ["voice", "Your clone"],
  ].filter(([key]) => audio[key]);
  place.replaceChildren(
    el("ul", { className: "verdicts" }, ...verdicts.map((text) => el("li", { className: text.startsWith("Not measured") ? "aside" : "", textContent: text }))),
    el("p", { className: "quiet", lang, textContent: sentence ? `“${sentence.trim()}”` : "" }),
    el("div", { className: "pair" }, ...pair.map(([key, title]) => playButton(title, () => play(audio[key]), { className: "large" }))),
    form,
    status,
    el("div", { className: "buttons" }, link("Speak with this voice", `#/speak?voice=${encodeURIComponent(name)}`)),
    details("Details", ...figures(page)),
  );
}

/** The card's words, figures and pictures, and nothing else of the file. */
function figures(page) {
  const rows = [...page.querySelectorAll("table tr")].map((row) => el("tr", {}, ...[...row.cells].map((cell) => el(cell.tagName.toLowerCase(), { textContent: cell.textContent }))));
  const words = [...page.querySelectorAll("h1, body > p, details > p")];
  const parts = [...words.map((one) => el("p", { textContent: one.textContent })), el("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Figures" }, el("table", {}, ...rows))];
  for (const takes of page.querySelectorAll(".takes")) {
    parts.push(el("h2", { textContent: takes.previousElementSibling?.textContent ?? "" }));
    parts.push(el("div", { className: "cards" }, ...[...takes.querySelectorAll("figure")].map(copied)));
  }
  return parts;
}

function copied(figure) {
  const name = figure.querySelector("figcaption")?.textContent ?? "";
  return el(
    "figure",
    {},
    el("figcaption", { textContent: name }),
    el("img", { src: embedded(figure.querySelector("img")), alt: `Mel spectrogram, ${name}` }),
    el("audio", { controls: true, preload: "none", src: embedded(figure.querySelector("audio")), ariaLabel: name }),
  );
}
