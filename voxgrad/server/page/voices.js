// Voices: hear, compare, rename, export, delete and bring back.

import { $, ask, button, el, json, objectUrl } from "./common.js";
import { showCard } from "./clone.js";

const SAMPLE = "This is how I sound.";
let playing = null;

export async function openVoices() {
  const [{ voices }, deleted] = await Promise.all([json("GET", "/v1/audio/voices"), json("GET", "/api/trash")]);
  $("voice-list").replaceChildren(...voices.map(entry));
  const removed = deleted.voices.map((one) =>
    el("div", { className: "card row" }, el("span", { textContent: one.ref }), button("Bring back", () => bringBack(one.ref), { ariaLabel: `Bring ${one.ref} back` })),
  );
  $("trash").replaceChildren(...(removed.length ? removed : [el("p", { className: "quiet", textContent: "Nothing." })]));
}

function entry(voice) {
  const card = el("div");
  const buttons = [button("Play", () => play(voice), { ariaLabel: `Play ${voice.name}` })];
  if (voice.kind === "voice") {
    const path = `/api/voices/${encodeURIComponent(voice.ref)}`;
    buttons.push(
      button("Card", () => showCard(voice.ref, card), { ariaLabel: `Card of ${voice.name}` }),
      button("Rename", () => rename(voice, path), { ariaLabel: `Rename ${voice.name}` }),
      button("Export", () => save(voice, path), { ariaLabel: `Export ${voice.name}` }),
      button("Delete", () => remove(voice, path), { ariaLabel: `Delete ${voice.name}` }),
    );
  }
  const kind = voice.kind === "base" ? `base, speakers: ${voice.speakers.length}` : voice.ref;
  const about = [kind, `${(voice.size / 1e6).toFixed(1)} MB`, voice.consent].filter(Boolean).join(" · ");
  return el(
    "div",
    { className: "card" },
    el(
      "div",
      { className: "row" },
      el("div", {}, el("strong", { textContent: voice.name }), el("br"), el("small", { textContent: about })),
      el("div", { className: "buttons" }, ...buttons),
    ),
    card,
  );
}

async function play(voice) {
  playing?.pause();
  const source = await objectUrl("/v1/audio/speech", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ input: SAMPLE, voice: voice.id, response_format: "wav" }),
  });
  playing = new Audio(source);
  playing.onended = () => URL.revokeObjectURL(source);
  await playing.play();
}

async function rename(voice, path) {
  const name = await ask(`Another name for ${voice.name}`, voice.name);
  if (name === null || name === voice.name) return;
  await json("POST", `${path}/rename`, { name });
  await openVoices();
}

async function save(voice, path) {
  const link = el("a", { href: await objectUrl(`${path}/export`), download: `${voice.ref.replace("@", "-")}.voxgrad` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function remove(voice, path) {
  if ((await ask(`Delete ${voice.ref}? It can be brought back for two weeks.`)) === null) return;
  await json("DELETE", path);
  await openVoices();
}

async function bringBack(ref) {
  await json("POST", "/api/trash/restore", { ref });
  await openVoices();
}
