// Record: sentences are read one after another; each take is checked at once. Or recordings are brought along.

import { ask, attempt, button, duration, details, el, field, heading, json, objectUrl, play, playButton, request } from "./common.js";
import { link } from "./home.js";
import { Microphone } from "./microphone.js";

const GOALS = [
  [30, "30 s: try it"],
  [60, "1 minute: usable"],
  [180, "3 minutes: good"],
];
const SHOWN = 160; // bars of the waveform
const USABLE = /\.(wav|flac|ogg|opus|mp3|aiff?|m4a|txt|lab|csv|jsonl|list|psv|zip)$/i;

export async function recordView(place, id) {
  const session = await json("GET", `/api/recordings/${id}`);
  place.append(heading(`Record ${session.speaker}`));
  return session.kind === "prompts" ? prompts(place, session) : files(place, session);
}

/** How much is recorded, and what it is good for. */
function goal(seconds) {
  const most = GOALS.at(-1)[0];
  const bar = el("div", { className: "goal", role: "progressbar", "aria-label": "Recorded", "aria-valuemin": 0, "aria-valuemax": most, "aria-valuenow": Math.round(Math.min(seconds, most)), "aria-valuetext": duration(seconds) });
  const filled = el("div", { className: "filled" });
  filled.style.width = `${Math.min(100, (100 * seconds) / most)}%`;
  bar.append(filled);
  const marks = GOALS.map(([needed, text]) => el("li", { className: seconds >= needed ? "reached" : "", textContent: `${seconds >= needed ? "✓ " : ""}${text}` }));
  return [bar, el("ul", { className: "marks" }, el("li", { className: "so-far", textContent: `${duration(seconds)} recorded` }), ...marks)];
}

function prompts(place, session) {
  let state = session;
  let current = (state.texts.find((one) => one.seconds === null) ?? state.texts[0]).number;
  let recording = 0; // the sentence that the running take is of
  let checking = false;
  let waited = 0; // pieces of sound in which nobody spoke
  let refused = null; // a take that failed, to be heard or kept anyway
  const accepted = []; // numbers, to be undone
  const peaks = Array.from({ length: SHOWN }, () => ({ peak: 0, speech: false }));
  const path = (number) => `/api/recordings/${session.id}/takes/${number}`;

  const reached = el("div", { id: "recorded" });
  const count = el("p", { className: "quiet", id: "count" });
  const prompt = el("p", { className: "prompt", id: "prompt", lang: session.language });
  const wave = el("canvas", { width: 640, height: 72, className: "wave", role: "img", ariaLabel: "What the microphone hears" });
  const status = el("p", { role: "status", id: "take-status" });
  const chosen = el("select", { id: "device", onchange: () => attempt(() => mic.open(chosen.value).then(() => localStorage.setItem("microphone", chosen.value))) });
  const level = el("meter", { id: "level", min: 0, max: 1, low: 0.1, high: 0.9, optimum: 0.5, value: 0, ariaLabel: "Level of the microphone" });
  const start = button("Start", toggle, { id: "record" });
  const hear = playButton("Play the failed take", async () => paused(() => play(URL.createObjectURL(refused.take))), { hidden: true, id: "hear" });
  const keep = button("Keep it anyway", () => send(refused.take, refused.number, true), { hidden: true, id: "keep" });
  const replay = playButton("Play", async () => paused(async () => play(await objectUrl(path(current)))), { id: "play-take" });
  const undo = button("Undo", takeBack, { id: "undo" });
  const previous = button("Back", () => go(current - 1), { id: "previous" });
  const next = button("Next", () => go(current + 1), { id: "next" });
  const make = button("Make the voice", makeVoice, { id: "make" });
  const list = el("ol", { className: "sentences", lang: session.language });
  const open = button("Turn on the microphone", turnOn, { className: "primary", id: "turn-on" });
  const mic = new Microphone(heard, (take) => attempt(() => send(take, recording, false)));

  async function turnOn() {
    await mic.open(localStorage.getItem("microphone") ?? "").catch(() => mic.open());
    chosen.replaceChildren(...(await mic.devices()).map((one) => new Option(one.name, one.id)));
    const used = mic.stream.getAudioTracks()[0].getSettings().deviceId;
    if ([...chosen.options].some((one) => one.value === used)) chosen.value = used;
    setup.hidden = true;
    ready.hidden = false;
    tell("Say something: the line moves when you are heard. Then press Start and read the sentence aloud.");
    start.focus();
  }

  function heard(peak) {
    const was = peaks.at(-1).state;
    peaks.push({ peak, state: mic.state });
    if (peaks.length > SHOWN) peaks.shift();
    level.value = peak;
    waited = mic.state === "armed" ? waited + 1 : 0;
    if (waited === SHOWN) tell("Nothing is heard yet. Speak up, come closer, or choose another microphone below.", "", true);
    if (mic.state === "speaking" && was === "armed") {
      recording = current; // what is heard belongs to this sentence, whatever is shown later
      show();
    }
    requestAnimationFrame(draw);
  }

  function draw() {
    const context = wave.getContext("2d");
    const style = getComputedStyle(wave);
    context.clearRect(0, 0, wave.width, wave.height);
    const step = wave.width / SHOWN;
    peaks.forEach(({ peak, state: then }, n) => {
      context.fillStyle = then === "speaking" ? style.color : style.caretColor;
      const tall = Math.max(2, Math.min(1, Math.sqrt(peak)) * wave.height);
      context.fillRect(n * step, (wave.height - tall) / 2, step * 0.7, tall);
    });
  }

  function toggle() {
    if (mic.state === "speaking") return mic.finish();
    if (mic.state === "armed") {
      mic.disarm();
      return tell("Paused.");
    }
    return listen();
  }

  function listen() {
    mic.arm();
    tell("Listening. Read the sentence aloud; recording stops by itself.", "", true);
  }

  /** Plays something while the microphone does not listen, and listens again if it did. */
  async function paused(act) {
    const was = mic.state === "armed";
    mic.disarm();
    show();
    await act();
    if (was) listen();
  }

  function tell(text, className = "", quiet = false) {
    if (!quiet || !status.classList.contains("bad")) {
      status.className = className;
      status.textContent = text;
    }
    show();
  }

  function show() {
    const one = state.texts[current - 1];
    const idle = mic.state !== "speaking" && !checking;
    const enough = state.seconds >= GOALS[1][0];
    reached.replaceChildren(...goal(state.seconds));
    count.textContent = `Sentence ${current} of ${state.texts.length}${one.seconds === null ? "" : ", recorded"}`;
    prompt.textContent = one.text;
    start.textContent = { armed: "Pause", speaking: "Stop" }[mic.state] ?? "Start";
    start.className = enough && mic.state === "open" ? "" : "primary";
    start.disabled = checking;
    make.className = enough && mic.state === "open" ? "primary" : "";
    make.disabled = !idle || state.takes === 0;
    previous.disabled = !idle || current === 1;
    next.disabled = !idle || current === state.texts.length;
    replay.disabled = !idle || one.seconds === null;
    undo.disabled = !idle || (accepted.length === 0 && one.seconds === null);
    hear.hidden = keep.hidden = refused === null || refused.number !== current;
    keep.disabled = !idle;
    ready.dataset.state = checking ? "checking" : mic.state;
    list.replaceChildren(
      ...state.texts.map(({ number, text, seconds }) =>
        el("li", {}, button(`${seconds === null ? "" : "✓ "}${text}`, () => go(number), { disabled: !idle, "aria-current": String(number === current), ariaLabel: `${text}${seconds === null ? "" : ", recorded"}` })),
      ),
    );
  }

  function go(number) {
    current = Math.max(1, Math.min(state.texts.length, number));
    refused = null;
    tell("");
    if (mic.state === "armed") listen();
  }

  async function send(take, number, anyway) {
    checking = true;
    tell("Checking …");
    try {
      const options = { method: "PUT", body: take, headers: { "Content-Type": "audio/wav" } };
      const answer = await (await request(`${path(number)}${anyway ? "?keep=1" : ""}`, options)).json();
      const enough = GOALS.some(([needed]) => state.seconds < needed && answer.session.seconds >= needed);
      state = answer.session;
      checking = false;
      if (answer.kept) {
        accepted.push(number);
        refused = null;
        const following = state.texts.find((one) => one.number > number && one.seconds === null) ?? state.texts.find((one) => one.seconds === null);
        current = following?.number ?? number;
        if (following && mic.state === "open") mic.arm();
        const on = enough ? `Good. ${duration(state.seconds)} recorded. Read on, or press “Make the voice” below.` : "Good. Now the next one.";
        tell(following ? on : "All sentences are recorded.", "good");
        return;
      }
      refused = { take, number };
      current = number;
      if (mic.state === "open") mic.arm();
      tell(`Please say it again. ${answer.report.problems.map((one) => one.message).join(" ")}`, "bad");
    } catch (error) {
      checking = false;
      tell("The take could not be checked.", "bad");
      throw error;
    }
  }

  async function takeBack() {
    const number = accepted.pop() ?? current;
    state = await json("DELETE", path(number));
    go(number);
    tell(`The recording of sentence ${number} is deleted.`);
  }

  async function makeVoice() {
    const short = `Only ${Math.round(state.seconds)} seconds are recorded. The voice will hardly sound like ${state.speaker}: record at least 30 seconds, better a minute. Make it anyway?`;
    if (state.seconds < GOALS[0][0] && (await ask(short)) === null) return;
    location.hash = `#/clone/${session.id}?again`;
  }

  const keys = (event) => {
    if (event.code !== "Space" || mic.state === "off" || checking || event.target.closest("button, a, input, textarea, select, summary, dialog")) return;
    event.preventDefault();
    toggle();
  };
  document.addEventListener("keydown", keys);

  const setup = el(
    "section",
    { className: "card center" },
    el("p", { textContent: "Find a quiet room. Read each sentence as you would to a friend. Recording starts when you speak and stops when you are done." }),
    open,
  );
  const ready = el(
    "section",
    { className: "card recorder", hidden: true },
    count,
    prompt,
    wave,
    status,
    el("div", { className: "buttons center" }, previous, start, next),
    el("div", { className: "buttons center" }, hear, keep, replay, undo),
    el("div", { className: "row" }, field("Microphone", chosen), el("div", { className: "field" }, el("label", { for: "level", textContent: "Level" }), level)),
    el("small", { className: "keys", textContent: "Space bar: start, pause or stop." }),
  );
  place.append(reached, setup, ready, el("div", { className: "buttons" }, make), details("All sentences", list));
  show();
  return () => {
    document.removeEventListener("keydown", keys);
    mic.close();
  };
}

function files(place, session) {
  const listed = el("p", { role: "status", id: "file-status" });
  const make = link("Make the voice", `#/clone/${session.id}?again`, "primary");
  const show = (state) => {
    const more = state.files.length > 6 ? ` and ${state.files.length - 6} more` : "";
    listed.textContent = state.files.length ? `${state.files.length} files: ${state.files.slice(0, 6).join(", ")}${more}` : "No files yet.";
    make.hidden = state.files.length === 0;
  };
  const send = async (all) => {
    const wanted = [...all].filter((file) => USABLE.test(file.name));
    let done = 0;
    for (const file of wanted) {
      listed.textContent = `Sending ${file.name} (${(done += 1)} of ${wanted.length}) …`;
      const path = `/api/recordings/${session.id}/files?name=${encodeURIComponent(file.name)}`;
      show(await (await request(path, { method: "PUT", body: file })).json());
    }
  };
  const folder = el("input", { type: "file", id: "folder", webkitdirectory: true, onchange: () => attempt(() => send(folder.files)) });
  const some = el("input", { type: "file", id: "files", multiple: true, onchange: () => attempt(() => send(some.files)) });
  const area = el(
    "section",
    { className: "card drop" },
    el("p", { textContent: "Drop recordings here, or choose them. One to three minutes of one person's speech are enough." }),
    el("div", { className: "row" }, field("Files, or a zip", some), field("A folder", folder)),
    listed,
    details(
      "Texts of the recordings",
      el("p", { textContent: "Add a text file with the same name for each recording, such as hello.txt for hello.wav, or one metadata.csv with lines of name|text. Whisper transcribes recordings without a text, if it is installed." }),
    ),
  );
  area.ondragover = (event) => event.preventDefault();
  area.ondrop = (event) => {
    event.preventDefault();
    attempt(() => send(event.dataTransfer.files));
  };
  place.append(area, el("div", { className: "buttons" }, make));
  show(session);
}
