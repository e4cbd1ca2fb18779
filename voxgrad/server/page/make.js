// Make a voice: consent first, then recordings, then the clone.

import { $, ask, attempt, button, el, json, minutes, request } from "./common.js";
import { clonePanel } from "./clone.js";
import { promptsPanel } from "./prompts.js";

let leave = () => {}; // ends what the open session runs

export async function openMake() {
  if (!$("session").hidden) return;
  const { sessions } = await json("GET", "/api/recordings");
  const list = $("sessions");
  list.replaceChildren();
  if (sessions.length) list.append(el("h2", { textContent: "Voices in the making" }));
  for (const one of sessions.toReversed()) {
    const told = one.kind === "prompts" ? `${one.takes} of ${one.prompts} sentences, ${minutes(one.seconds)} minutes` : "recordings brought along";
    const state = one.clone ? `, ${one.clone.state}` : "";
    list.append(
      el(
        "div",
        { className: "card row" },
        el("div", {}, el("strong", { textContent: one.name }), ` by ${one.speaker}: ${told}${state}`),
        el(
          "div",
          { className: "buttons" },
          button("Go on", () => openSession(one.id), { ariaLabel: `Go on with ${one.name}` }),
          button("Delete", () => remove(one), { ariaLabel: `Delete the recordings of ${one.name}` }),
        ),
      ),
    );
  }
}

async function remove(one) {
  if ((await ask(`Delete the recordings of ${one.name} for good? Voices made of them stay.`)) === null) return;
  await json("DELETE", `/api/recordings/${one.id}`);
  await openMake();
}

async function begin() {
  const own = $("own-prompts").value.trim();
  const kind = document.querySelector("input[name=kind]:checked").value;
  const body = {
    name: $("voice-name").value,
    speaker: $("speaker-name").value,
    statement: $("statement").value,
    agreed: $("agreed").checked,
    kind,
  };
  if (own && kind === "prompts") body.prompts = own.split("\n");
  const session = await json("POST", "/api/recordings", body);
  $("begin").reset();
  await openSession(session.id);
}

async function openSession(id) {
  const session = await json("GET", `/api/recordings/${id}`);
  const { presets } = await json("GET", "/api/recordings");
  const place = $("session");
  const recordings = session.kind === "prompts" ? promptsPanel(session) : filesPanel(session);
  const clone = clonePanel(session, presets);
  leave = () => {
    recordings.leave?.();
    clone.leave();
  };
  place.replaceChildren(
    el("div", { className: "row" }, el("h2", { textContent: `${session.name}, spoken by ${session.speaker}` }), button("Back", close)),
    recordings.element,
    clone.element,
  );
  $("begin").hidden = true;
  $("sessions").hidden = true;
  place.hidden = false;
  place.querySelector("h2").focus();
}

async function close() {
  leave();
  $("session").hidden = true;
  $("begin").hidden = false;
  $("sessions").hidden = false;
  await openMake();
}

function filesPanel(session) {
  const listed = el("p", { role: "status" });
  const show = (state) => {
    listed.textContent = state.files.length ? `${state.files.length} files: ${state.files.slice(0, 8).join(", ")}${state.files.length > 8 ? " …" : ""}` : "No files yet.";
  };
  const send = async (files) => {
    let done = 0;
    for (const file of files) {
      listed.textContent = `Sending ${file.name} (${(done += 1)} of ${files.length}) …`;
      const path = `/api/recordings/${session.id}/files?name=${encodeURIComponent(file.name)}`;
      show(await (await request(path, { method: "PUT", body: file })).json());
    }
  };
  const usable = (files) => [...files].filter((file) => /\.(wav|flac|ogg|opus|mp3|aiff?|m4a|txt|lab|csv|jsonl|list|psv|zip)$/i.test(file.name));
  const folder = el("input", { type: "file", id: "folder", webkitdirectory: true, onchange: () => attempt(() => send(usable(folder.files))) });
  const files = el("input", { type: "file", id: "files", multiple: true, onchange: () => attempt(() => send(usable(files.files))) });
  const area = el(
    "div",
    { className: "card" },
    el("p", { textContent: "Recordings with a metadata.csv of name|text lines, or with a .txt file beside each. Files can be dropped here." }),
    el("label", { for: "folder", textContent: "A folder" }),
    folder,
    el("label", { for: "files", textContent: "Files, or a zip" }),
    files,
    listed,
  );
  area.ondragover = (event) => event.preventDefault();
  area.ondrop = (event) => {
    event.preventDefault();
    attempt(() => send(usable(event.dataTransfer.files)));
  };
  show(session);
  return { element: area };
}

$("begin").onsubmit = (event) => {
  event.preventDefault();
  attempt(begin);
};
