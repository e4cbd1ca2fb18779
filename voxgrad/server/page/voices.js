// Your voices: hear, compare, rename, export, delete and restore.

import { ask, button, details, download, el, heading, json, objectUrl, playButton, preview } from "./common.js";
import { showResult } from "./clone.js";
import { link, unfinished } from "./home.js";

export async function voicesView(place) {
  const [{ voices }, { sessions }, deleted] = await Promise.all(["/v1/audio/voices", "/api/recordings", "/api/trash"].map((path) => json("GET", path)));
  const again = () => {
    place.replaceChildren();
    return voicesView(place);
  };
  const own = voices.filter((one) => one.kind === "voice");
  place.append(heading("Your voices"));
  if (own.length) place.append(...own.map((one) => entry(one, again)));
  else place.append(el("div", { className: "card center" }, el("p", { textContent: "You have no voice of your own yet." }), link("Clone a voice", "#/new", "primary")));
  place.append(...unfinished(sessions, again));
  const back = async (ref) => {
    await json("POST", "/api/trash/restore", { ref });
    await again();
  };
  const removed = deleted.voices.map((one) => el("div", { className: "card row" }, el("span", { textContent: one.ref }), button("Restore", () => back(one.ref), { ariaLabel: `Restore ${one.ref}` })));
  if (removed.length) place.append(details("Deleted voices", ...removed));
}

function entry(voice, again) {
  const path = `/api/voices/${encodeURIComponent(voice.ref)}`;
  const result = el("div", { hidden: true });
  const compare = async () => {
    result.hidden = !result.hidden;
    if (!result.hidden) await showResult(voice.ref, result);
  };
  const rename = async () => {
    const name = await ask(`New name for ${voice.name}`, voice.name);
    if (name === null || name === voice.name) return;
    await json("POST", `${path}/rename`, { name });
    await again();
  };
  const save = async () => download(await objectUrl(`${path}/export`), `${voice.ref.replace("@", "-")}.voxgrad`);
  const remove = async () => {
    if ((await ask(`Delete ${voice.ref}? It can be restored for two weeks.`)) === null) return;
    await json("DELETE", path);
    await again();
  };
  const named = (verb) => ({ ariaLabel: `${verb} ${voice.name}` });
  return el(
    "section",
    { className: "card" },
    el("h2", { textContent: voice.name }),
    el("small", { textContent: [`Version ${voice.ref.split("@v")[1]}`, voice.created.slice(0, 10), voice.consent].filter(Boolean).join(" · ") }),
    el(
      "div",
      { className: "buttons" },
      playButton("Play", () => preview(voice.ref, voice.languages[0]), named("Play")),
      link("Speak", `#/speak?voice=${encodeURIComponent(voice.id)}`),
      button("Compare", compare, named("Compare")),
      button("Rename", rename, named("Rename")),
      button("Export", save, named("Export")),
      button("Delete", remove, named("Delete")),
    ),
    result,
  );
}
