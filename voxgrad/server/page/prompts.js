// Prompts one by one: each is recorded, sent and checked at once, and asked for again where it failed.

import { attempt, button, el, json, minutes, objectUrl, request } from "./common.js";
import { Take } from "./microphone.js";

const LONGEST = 60; // seconds of a take

export function promptsPanel(session) {
  let state = session;
  let current = (state.texts.find((one) => one.seconds === null) ?? state.texts[0]).number;
  let take = null;
  let last = null; // a take that failed, to be kept anyway
  const path = (number) => `/api/recordings/${session.id}/takes/${number}`;

  const told = el("p", { className: "quiet", id: "recorded" });
  const count = el("p", { className: "quiet" });
  const prompt = el("p", { className: "prompt", id: "prompt", "aria-live": "polite" });
  const status = el("p", { role: "status", id: "take-status" });
  const level = el("meter", { min: 0, max: 1, low: 0.05, high: 0.95, optimum: 0.5, value: 0, "aria-label": "Level of the microphone" });
  const record = button("Record", toggle, { className: "main", id: "record" });
  const keep = button("Keep it anyway", () => send(last, true), { hidden: true, id: "keep" });
  const play = button("Play the take", playTake, { id: "play-take" });
  const drop = button("Remove the take", removeTake);
  const list = el("ol", { className: "prompts" });

  function show() {
    const one = state.texts[current - 1];
    const covered = Object.values(state.coverage).filter((times) => times > 0).length;
    const all = Object.keys(state.coverage).length;
    told.textContent = `${state.takes} of ${state.texts.length} sentences, ${minutes(state.seconds)} minutes; ${covered} of ${all} sounds of English covered.`;
    count.textContent = `Sentence ${current}${one.seconds === null ? "" : ", recorded"}`;
    prompt.textContent = one.text;
    play.disabled = drop.disabled = one.seconds === null;
    list.replaceChildren(
      ...state.texts.map(({ number, text, seconds }) =>
        el(
          "li",
          {},
          button(`${seconds === null ? "" : "✓ "}${text}`, () => go(number), { "aria-current": String(number === current), ariaLabel: `${text}${seconds === null ? "" : ", recorded"}` }),
        ),
      ),
    );
  }

  function go(number) {
    current = Math.max(1, Math.min(state.texts.length, number));
    last = null;
    keep.hidden = true;
    status.textContent = "";
    show();
  }

  async function toggle() {
    if (take) return finish();
    keep.hidden = true;
    record.disabled = true;
    try {
      take = await Take.start((peak) => {
        level.value = peak;
        if (take?.seconds > LONGEST) attempt(finish);
      });
    } finally {
      record.disabled = false;
    }
    record.textContent = "Stop";
    status.className = "";
    status.textContent = "Recording: wait a moment, read the sentence, wait a moment, then stop.";
    return undefined;
  }

  async function finish() {
    const recording = await take.stop();
    take = null;
    level.value = 0;
    record.textContent = "Record";
    await send(recording, false);
  }

  async function send(recording, anyway) {
    record.disabled = true;
    status.className = "";
    status.textContent = "Checking …";
    try {
      const options = { method: "PUT", body: recording, headers: { "Content-Type": "audio/wav" } };
      const answer = await (await request(`${path(current)}${anyway ? "?keep=1" : ""}`, options)).json();
      state = answer.session;
      if (answer.kept) {
        const following = state.texts.find((one) => one.number > current && one.seconds === null) ?? state.texts.find((one) => one.seconds === null);
        go(following?.number ?? current);
        status.className = "good";
        status.textContent = following ? "Good. Now the next one." : "All sentences are recorded.";
        return;
      }
      last = recording;
      keep.hidden = false;
      status.className = "bad";
      status.textContent = `Please say it again. ${answer.report.problems.map((one) => one.message).join(" ")}`;
      show();
    } catch (error) {
      status.textContent = "";
      throw error;
    } finally {
      record.disabled = false;
      record.focus();
    }
  }

  async function playTake() {
    const audio = new Audio(await objectUrl(path(current)));
    audio.onended = () => URL.revokeObjectURL(audio.src);
    await audio.play();
  }

  async function removeTake() {
    state = await json("DELETE", path(current));
    go(current);
  }

  show();
  const element = el(
    "div",
    { className: "card" },
    told,
    count,
    prompt,
    level,
    el("div", { className: "buttons" }, record, keep, play, drop, button("Previous", () => go(current - 1)), button("Next", () => go(current + 1))),
    status,
    el("details", {}, el("summary", { textContent: "All sentences" }), list),
  );
  return { element, leave: () => take?.stop() };
}
