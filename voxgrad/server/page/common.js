// What all parts of the page share: elements, questions, and requests to the server.

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

/** Runs something; a failure is shown at the top of the page. */
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
    throw new Error("The server does not answer: is it running?");
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
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const answer = await request(path, options);
  return answer.status === 204 ? null : answer.json();
}

/** An answer as something that can be played or saved. */
export async function objectUrl(path, options) {
  return URL.createObjectURL(await (await request(path, options)).blob());
}

export function minutes(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
