// Speak: a text, a voice, and a player that plays while speech is made.

import { attempt, button, chosen, clock, details, download, duration, el, field, heading, json, playButton, posted, preview, request, silence, spoken } from "./common.js";
import { Player, Speech } from "./player.js";

const TEXT = "The sun is warm today, and the birds are singing.";
const TONES = [
  ["0.7", "Calm"],
  ["1", "Natural"],
  ["1.3", "Lively"],
];
const PAGE = 24; // voices shown at once
const FILTERS = {
  show: [["", "All"], ["Yours", "Yours"], ["American", "American"], ["British", "British"], ["Real reader", "Real readers"]],
  sex: [["", "Any"], ["Female", "Female"], ["Male", "Male"]],
  pitch: [["", "Any"], ["Low pitch", "Low"], ["Middle pitch", "Middle"], ["High pitch", "High"]],
}; // tags, and what the buttons say

const languageNames = new Intl.DisplayNames(["en"], { type: "language" });

const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** An included speaker: what its name says, and what the server knows. */
function about({ name, sex, accent, pitch }) {
  const reader = /^libri-(\d+)$/.exec(name);
  const blend = /^(?:mix|new)(\d+)$/.exec(name);
  const title = reader ? `Reader ${reader[1]}` : blend ? `Blend ${blend[1]}` : capital(name.replace(/^[a-z]{2}_/, ""));
  const origin = accent && !["American", "British"].includes(accent) ? `${accent} accent` : accent;
  const kind = reader ? "Real reader" : blend ? "Blend of two voices" : null;
  return { title, tags: [sex && capital(sex), origin, kind, pitch && `${capital(pitch)} pitch`].filter(Boolean) };
}

function catalogue(voices) {
  const own = voices.filter((one) => one.kind === "voice").map((one) => ({ id: one.id, title: one.name, languages: one.languages, tags: ["Yours", ...one.speaker_details.flatMap((speaker) => about(speaker).tags)] }));
  const included = voices
    .filter((one) => one.kind === "base")
    .flatMap((one) => [
      { id: one.id, title: `${capital(one.name)}, the default voice`, languages: one.languages, tags: [] },
      ...one.speaker_details.filter(() => one.speakers.length > 1).map((speaker) => ({ id: `${one.id}:${speaker.name}`, languages: one.languages, ...about(speaker) })),
    ]);
  return [...own, ...included];
}

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

export async function speakView(place, _, query) {
  const [{ voices }, { properties }] = await Promise.all([json("GET", "/v1/audio/voices"), json("GET", "/v1/audio/options")]);
  const all = catalogue(voices);
  const named = query.get("voice");
  const wanted = named ?? localStorage.getItem("voice");
  let voice = all.find((one) => one.id === wanted) ?? all[0];
  let controller = null; // of the request that runs
  let speech = null;
  let player = null;
  let said = null; // what was asked for
  let speaker = ""; // the title of the voice that said it

  const text = el("textarea", { id: "text", rows: 5, required: true, maxLength: 100000, value: query.get("text") ?? localStorage.getItem("text") ?? TEXT });
  text.oninput = () => remember("text", text.value);
  const speed = el("input", { id: "speed", type: "range", min: 0.6, max: 1.6, step: 0.05, value: query.get("speed") ?? 1 });
  const pace = el("output", { for: "speed" });
  const paced = () => (pace.textContent = `${Number(speed.value).toFixed(2)} ×`);
  speed.oninput = paced;
  const tone = query.get("tone") ?? "1";
  const tones = segments("tone", TONES, tone);
  const language = el("select", { id: "language" });
  const languages = field("Language", language);
  language.onchange = () => {
    remember("language", language.value);
    text.lang = spokenLanguage();
  };
  const spokenLanguage = () => (language.value === "auto" ? "" : language.value || voice.languages[0]);
  const seed = el("input", { id: "seed", type: "number", min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, value: query.get("seed") ?? 0 });
  const options = el("div", { id: "options", className: "fields" }, ...Object.entries(properties).filter(([name]) => !["speed", "pitch_range", "language"].includes(name)).map(([name, property]) => optionControl(name, property)));
  const status = el("p", { role: "status", id: "speak-status" });
  if (named && voice.id !== named) status.textContent = `There is no voice “${named}” here: ${voice.title} is chosen.`;
  const words = el("p", { id: "words" });
  const toggle = button("Pause", () => (player.playing && player.position < player.length ? player.pause() : player.play(player.position >= player.length ? 0 : player.position)), { id: "toggle" });
  const seek = el("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, ariaLabel: "Position", id: "seek" });
  seek.oninput = () => player?.play(Number(seek.value));
  const time = el("span", { className: "quiet" });
  const heard = el("section", { className: "card", id: "heard", hidden: true }, words, el("div", { className: "row player" }, toggle, seek, time));
  const saved = el(
    "div",
    { className: "buttons", hidden: true },
    button("Save as MP3", () => save("mp3"), { id: "mp3" }),
    button("Save as WAV", () => download(URL.createObjectURL(speech.file()), `${fileName()}.wav`), { id: "wav" }),
    button("Copy link", copyLink, { id: "link" }),
    button("Say it another way", () => ((seed.value = Number(seed.value) + 1), speak()), { id: "again" }),
  );
  heard.append(saved);
  const start = el("button", { className: "primary", id: "speak", textContent: "Speak" });
  const stop = button("Stop", halt, { id: "stop", hidden: true });
  const now = el("strong", { id: "voice" });
  const picker = voicePicker(all, (one) => {
    voice = one;
    remember("voice", one.id);
    picked();
    status.textContent = "";
    start.focus(); // the card that was pressed is drawn anew, and this is what comes next
  });
  const picked = () => {
    now.textContent = voice.title;
    picker.mark(voice.id);
    const [own, ...others] = voice.languages;
    const choices = [["", languageNames.of(own)], ...others.map((code) => [code, languageNames.of(code)]), ["auto", "Guess for each paragraph"]];
    const wantedLanguage = language.value || (query.get("language") ?? localStorage.getItem("language") ?? "");
    language.replaceChildren(...choices.map(([code, title]) => new Option(title, code)));
    language.value = choices.some(([code]) => code === wantedLanguage) ? wantedLanguage : "";
    languages.hidden = others.length === 0;
    text.lang = spokenLanguage();
  };
  const fileName = () => `${speaker.toLowerCase().replace(/[^a-z0-9]+/g, "-")}-${said.seed}`;

  /** Keeps what was changed, also over that of the address, for when the page is loaded again. */
  function remember(name, value) {
    localStorage.setItem(name, value);
    query.delete(name);
    history.replaceState(null, "", `#/speak${query.size ? `?${query}` : ""}`);
  }

  function asked() {
    const given = [...options.querySelectorAll("input, select")].filter((control) => control.value !== "");
    const typed = ({ value, dataset }) => (dataset.type === "string" ? value : dataset.type === "boolean" ? value === "true" : Number(value));
    return {
      input: text.value,
      voice: voice.id,
      seed: Number(seed.value),
      speed: Number(speed.value),
      pitch_range: Number(chosen(tones, "tone")),
      ...(language.value ? { language: language.value } : {}),
      ...Object.fromEntries(given.map((control) => [control.name, typed(control)])),
    };
  }

  async function speak() {
    halt();
    silence();
    controller = new AbortController();
    const { signal } = controller;
    player?.close();
    [speech, player, said, speaker] = [new Speech(), new Player(), asked(), voice.title];
    words.replaceChildren();
    saved.hidden = true;
    stop.hidden = false;
    status.textContent = "Speaking …";
    try {
      const answer = await request("/v1/audio/speech", posted({ ...said, response_format: "wav", stream_format: "sse", include: ["words"] }, signal));
      for await (const event of events(answer)) {
        if (event.type === "error") throw new Error(event.error.message);
        if (event.type === "speech.audio.delta") take(event);
      }
      status.textContent = `${duration(speech.seconds)} of speech.`;
      saved.hidden = false;
    } catch (error) {
      status.textContent = "";
      throw error;
    } finally {
      if (controller?.signal === signal) controller = null;
      stop.hidden = controller === null;
    }
  }

  function take(event) {
    const first = speech.size === 0;
    player.add(speech.add(decoded(event.audio)), speech.rate);
    for (const word of event.passage?.words ?? []) {
      const control = el("button", { type: "button", textContent: word.text, onclick: () => player.play(word.start) });
      speech.words.push({ ...word, control });
      words.append(control, " ");
    }
    if (!first) return;
    heard.hidden = false;
    if (matchMedia("(max-width: 40rem)").matches) start.scrollIntoView(); // the player would be below the screen of a phone
    player.play(0);
    requestAnimationFrame(follow);
  }

  function follow() {
    if (!player || !heard.isConnected) return;
    const { position, length } = player;
    const runs = player.playing && (position < length || controller !== null);
    toggle.textContent = runs ? "Pause" : "Play";
    seek.max = Math.max(length, 0.1);
    if (document.activeElement !== seek || runs) seek.value = position;
    time.textContent = `${clock(position)} / ${clock(length)}`;
    for (const { start, stop: end, control } of speech.words) control.classList.toggle("now", start <= position && position < end);
    requestAnimationFrame(follow);
  }

  function halt() {
    controller?.abort();
    controller = null;
    player?.pause();
    stop.hidden = true;
  }

  async function save(format) {
    status.textContent = "Saving …";
    download(await spoken({ ...said, response_format: format }), `${fileName()}.${format}`);
    status.textContent = "";
  }

  async function copyLink() {
    const values = new URLSearchParams({ voice: said.voice, text: said.input, speed: said.speed, tone: said.pitch_range, seed: said.seed, ...(said.language ? { language: said.language } : {}) });
    await navigator.clipboard.writeText(`${location.origin}/#/speak?${values}`);
    status.textContent = "The link is copied.";
  }

  const form = el(
    "form",
    { id: "speak-form" },
    field("Text", text),
    el("div", { className: "row" }, languages, tones, el("div", { className: "field" }, el("label", { for: "speed", textContent: "Speed" }), el("div", { className: "inline" }, speed, pace))),
    details("Details", field("Seed", seed, "Another number says the same text slightly differently."), options),
    el("div", { className: "buttons" }, start, stop, el("span", { className: "quiet" }, "Voice: ", now)),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    attempt(speak);
  };
  paced();
  picked();
  place.append(heading("Speak"), form, status, heard, el("h2", { textContent: "Voices" }), picker.element);
  return () => {
    halt();
    player?.close();
    player = null;
  };
}

/** One of a few values, side by side. */
function segments(name, values, checked) {
  const choices = values.map(([value, text]) => el("label", {}, el("input", { type: "radio", name, value, checked: value === checked }), el("span", { textContent: text })));
  return el("fieldset", { className: "segments" }, el("legend", { textContent: capital(name) }), ...choices);
}

/** Cards of all voices, with search and filters. */
function voicePicker(all, pick) {
  const known = new Set(all.flatMap((one) => one.tags));
  const search = el("input", { id: "search", type: "search", placeholder: "Name, or Spanish", autocomplete: "off" });
  const filters = el("div", { className: "filters" }, ...Object.entries(FILTERS).map(([name, choices]) => segments(name, choices.filter(([tag]) => !tag || known.has(tag)), "")));
  const cards = el("div", { className: "cards", id: "voices" });
  const more = button("Show more", () => draw((shown += PAGE)), { id: "more" });
  const none = el("p", { className: "quiet", textContent: "No voice is like this." });
  let shown = PAGE;
  let current = "";

  function draw() {
    const tags = Object.keys(FILTERS).map((name) => chosen(filters, name)).filter(Boolean);
    const typed = search.value.trim().toLowerCase();
    const found = all.filter((one) => tags.every((tag) => one.tags.includes(tag)) && `${one.title} ${one.id} ${one.tags.join(" ")}`.toLowerCase().includes(typed));
    cards.replaceChildren(...found.slice(0, shown).map(card));
    none.hidden = found.length > 0;
    more.hidden = found.length <= shown;
  }

  function card(one) {
    const used = one.id === current;
    return el(
      "div",
      { className: `card${used ? " used" : ""}` },
      el("strong", { textContent: one.title }),
      el("small", { textContent: one.tags.join(" · ") }),
      el(
        "div",
        { className: "buttons" },
        playButton("Play", () => preview(one.id, one.languages[0]), { ariaLabel: `Play ${one.title}` }),
        button(used ? "Chosen" : "Choose", () => pick(one), { ariaLabel: `${used ? "Chosen" : "Choose"}: ${one.title}`, "aria-pressed": String(used) }),
      ),
    );
  }

  search.oninput = filters.onchange = () => draw((shown = PAGE));
  const mark = (id) => {
    current = id;
    draw();
  };
  return { element: el("section", {}, field("Search", search), filters, none, cards, el("div", { className: "buttons center" }, more)), mark };
}

/** A control for a setting that the server knows; empty means its default. */
function optionControl(name, property) {
  const kind = property.anyOf?.find((one) => one.type !== "null") ?? property;
  const usual = property.default ?? "default";
  const named = { id: `option-${name}`, name };
  const choices = kind.enum ?? (kind.type === "boolean" ? [true, false] : null);
  const control = choices
    ? el("select", named, new Option(usual, ""), ...choices.filter((one) => one !== usual).map((one) => new Option(one, one)))
    : el("input", { ...named, type: kind.type === "string" ? "text" : "number", min: kind.minimum ?? "", max: kind.maximum ?? "", step: kind.type === "integer" ? 1 : "any", placeholder: usual });
  control.dataset.type = kind.type;
  const label = name[0].toUpperCase() + name.slice(1).replaceAll("_", " ") + (property.unit ? ` (${property.unit})` : "");
  return field(label, control, property.description);
}
