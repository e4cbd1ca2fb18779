// The views and their addresses: #/, #/new, #/record/ID, #/clone/ID, #/speak, #/voices and #/docs.

import { $, attempt, heading } from "./common.js";
import { cloneView } from "./clone.js";
import { docsView } from "./docs.js";
import { homeView, link, newView } from "./home.js";
import { recordView } from "./record.js";
import { speakView } from "./speak.js";
import { voicesView } from "./voices.js";

const VIEWS = { "": homeView, new: newView, record: recordView, clone: cloneView, speak: speakView, voices: voicesView, docs: docsView };
const PART = { record: "new", clone: "new" }; // views that belong to a link of another
const links = [...document.querySelectorAll("nav a")];
let leave = () => {}; // ends what the open view runs
let shown = 0;

async function open() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id] = path.split("/");
  const turn = (shown += 1);
  leave();
  leave = () => {};
  for (const link of links) {
    if (link.getAttribute("href") === `#/${PART[name] ?? name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const place = document.createElement("div");
  place.className = "view";
  const ended = await attempt(() => (VIEWS[name] ?? homeView)(place, id, new URLSearchParams(query)));
  if (turn !== shown) {
    ended?.(); // another view was opened meanwhile
    return;
  }
  leave = ended ?? (() => {});
  if (!place.childElementCount) place.append(heading("There is nothing here"), link("To the first page", "#/", "primary"));
  $("view").replaceChildren(place);
  const title = place.querySelector("h1");
  document.title = title ? `${title.textContent} – voxgrad` : "voxgrad";
  if (turn > 1) title?.focus();
  scrollTo(0, 0);
}

addEventListener("hashchange", open);
document.querySelector(".skip").onclick = (event) => {
  event.preventDefault(); // the hash is the view's address
  $("view").focus();
};
open();
