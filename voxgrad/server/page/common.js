// What all views share: elements, questions, times, and requests to the server.

export const $ = (id) => document.getElementById(id);

/** An element with properties and children; text is never read as HTML. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function button(text, act, properties = {}) {
  return el("button", { type: "button", textContent: text, onclick: () => attempt(act), ...properties });
}

/** The title of a view, which is focused when the view opens. */
export function heading(text) {
  return el("h1", { textContent: text, tabIndex: -1 });
}

export function details(summary, ...children) {
  return el("details", {}, el("summary", { textContent: summary }), ...children);
}

/** A label above a control, with a hint below it. */
export function field(text, control, hint) {
  const small = hint ? el("small", { textContent: hint, id: `${control.id}-hint` }) : null;
  if (small) control.setAttribute("aria-describedby", small.id);
  return el("div", { className: "field" }, el("label", { for: control.id, textContent: text }), control, small);
}

/** One of several choices, as a card with a title and a line below it. */
export function choice(group, value, title, text, checked = false) {
  const input = el("input", { type: "radio", name: group, value, checked });
  return el("label", { className: "choice" }, input, el("span", {}, el("strong", { textContent: title }), el("small", { textContent: text })));
}

export const chosen = (place, group) => place.querySelector(`input[name=${group}]:checked`)?.value;

/** Runs something; a failure is shown at the bottom of the page until something else is done. */
export async function attempt(act) {
  const notice = $("notice");
  notice.hidden = true;
  try {
    return await act();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    notice.textContent = error.message;
    notice.hidden = false;
    return undefined;
  }
}

/** Asks for a line, or only for consent where `value` is undefined; null where it is declined. */
export function ask(text, value, type = "text") {
  const dialog = $("question");
  const input = $("question-input");
  $("question-text").textContent = text;
  input.hidden = value === undefined;
  input.type = type;
  input.value = value ?? "";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes" ? input.value : null);
  });
}

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname);
}

/** A request; the answer is a Response whose status is fine. Asks for the token where one is needed. */
export async function request(path, options = {}) {
  const headers = { ...options.headers };
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it running?");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) {
    const typed = await ask("The token of this server", "", "password");
    if (typed) {
      sessionStorage.setItem("token", typed);
      return request(path, options);
    }
  }
  const told = await answer.json().catch(() => null);
  const error = new Error(told?.error?.message ?? `The server answered with status ${answer.status}.`);
  error.status = answer.status;
  throw error;
}

/** A request with a JSON body, if any, and a JSON answer. */
export async function json(method, path, body) {
  const answer = await request(path, body === undefined ? { method } : { ...posted(body), method });
  return answer.status === 204 ? null : answer.json();
}

/** An answer as something that can be played or saved. */
export async function objectUrl(path, options) {
  return URL.createObjectURL(await (await request(path, options)).blob());
}

/** Options of a request with a JSON body. */
export function posted(body, signal) {
  return { method: "POST", signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

/** A text, spoken, as something that can be played or saved. */
export const spoken = (body) => objectUrl("/v1/audio/speech", posted(body));

/** Saves something under a name, as a click on a link does. */
export function download(url, name) {
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** Seconds as 0:36, 1:05 or 2:01:05. */
export function clock(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const shown = hours ? [hours, String(minutes).padStart(2, "0")] : [minutes];
  return [...shown, String(whole % 60).padStart(2, "0")].join(":");
}

/** The same, but 36 s under a minute. */
export const duration = (seconds) => (Math.round(seconds) < 60 ? `${Math.round(seconds)} s` : clock(seconds));

let playing = null;

/** Plays a file, and stops what was played before; resolves when it has ended or was stopped. */
export function play(url) {
  playing?.pause();
  const audio = new Audio(url);
  playing = audio;
  return new Promise((resolve, reject) => {
    audio.onended = audio.onpause = resolve;
    audio.onerror = () => reject(new Error("This browser cannot play the audio."));
    audio.play().catch(reject);
  });
}

export function silence() {
  playing?.pause();
}

const previews = new Map();

const GREETINGS = {
  en: "Hello. This is how I sound.",
  es: "Hola. Así sueno yo.",
  fr: "Bonjour. Voilà ma voix.",
  it: "Ciao. Questa è la mia voce.",
  pt: "Olá. Esta é a minha voz.",
  de: "Hallo. So klinge ich.",
  nl: "Hallo. Zo klink ik.",
};

/** A sentence in a voice and its language, made once. */
export async function preview(voice, own = "en") {
  const language = own in GREETINGS ? own : "en";
  if (!previews.has(voice)) {
    previews.set(voice, await spoken({ input: GREETINGS[language], voice, language, response_format: "wav" }));
  }
  return play(previews.get(voice));
}

/** A button that is busy while something is made and played. */
export function playButton(text, act, properties = {}) {
  const control = button(text, async () => {
    control.setAttribute("aria-busy", "true");
    try {
      await act();
    } finally {
      control.removeAttribute("aria-busy");
    }
  }, properties);
  control.classList.add("play");
  return control;
}
