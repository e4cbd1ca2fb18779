// The first view, with the next thing to do; and the beginning of a new voice: who speaks, and that they agree.

import { ask, attempt, button, choice, chosen, details, duration, el, field, heading, json, playButton, preview } from "./common.js";

const STATEMENT = "I agree that my voice may be cloned on this computer, for my own use.";

export async function homeView(place) {
  const [{ sessions }, { voices }] = await Promise.all([json("GET", "/api/recordings"), json("GET", "/v1/audio/voices")]);
  const own = voices.filter((one) => one.kind === "voice");
  const open = begun(sessions);
  const running = open.find((one) => one.clone?.state === "running");
  const hero = el("section", { className: "hero" });
  if (running) {
    hero.append(heading(`The voice of ${running.speaker} is being made`), el("p", { textContent: "You can close this page. The work continues." }));
    hero.append(link("See the progress", `#/clone/${running.id}`, "primary"));
  } else if (open.length) {
    hero.append(heading(`Continue with ${open[0].speaker}`), el("p", { textContent: progress(open[0]) }));
    hero.append(link("Continue", address(open[0]), "primary"));
  } else if (own.length) {
    hero.append(heading("What should it say?"), el("p", { textContent: `${own[0].name} is ready to speak.` }));
    hero.append(link(`Speak with ${own[0].name}`, `#/speak?voice=${encodeURIComponent(own[0].id)}`, "primary"));
  } else {
    hero.append(heading("Clone a voice"));
    hero.append(el("p", { textContent: "Read aloud for a minute or two, wait a few minutes, then type what your voice should say. Nothing leaves this computer." }));
    hero.append(link("Clone a voice", "#/new", "primary"), link("Try the included voices", "#/speak"));
  }
  if (running || open.length || own.length) hero.append(link("Clone a new voice", "#/new"));
  place.append(hero);
  const again = () => {
    place.replaceChildren();
    return homeView(place);
  };
  place.append(...unfinished(sessions, again));
  if (own.length) {
    const cards = own.map((one) =>
      el(
        "div",
        { className: "card" },
        el("strong", { textContent: one.name }),
        el("div", { className: "buttons" }, playButton("Play", () => preview(one.id, one.languages[0]), { ariaLabel: `Play ${one.name}` }), link("Speak", `#/speak?voice=${encodeURIComponent(one.id)}`)),
      ),
    );
    place.append(el("h2", { textContent: "Your voices" }), el("div", { className: "cards" }, ...cards));
  } else if (open.length === 0) {
    place.append(steps());
  }
}

const begun = (sessions) => sessions.filter((one) => one.clone?.state !== "done").toReversed();

/** Recordings that no voice was made of yet; `again` draws the view anew. */
export function unfinished(sessions, again) {
  const cards = begun(sessions).map((one) => sessionCard(one, again));
  return cards.length ? [el("h2", { textContent: "Not finished" }), el("div", { className: "cards" }, ...cards)] : [];
}

function steps() {
  const about = [
    ["Record", "Read short sentences. They are checked as you speak."],
    ["Clone", "The computer learns the voice, in a few minutes."],
    ["Speak", "Type a text, listen, and save it."],
  ];
  return el("ol", { className: "steps" }, ...about.map(([name, text]) => el("li", {}, el("strong", { textContent: name }), el("span", { textContent: text }))));
}

export function link(text, href, className = "") {
  return el("a", { className: `button ${className}`, href, textContent: text });
}

const address = (session) => `#/${session.clone || session.seconds > 180 ? "clone" : "record"}/${session.id}`;

function progress(session) {
  if (session.clone?.state === "failed") return "The voice could not be made.";
  if (session.clone?.state === "running") return "The voice is being made.";
  if (session.clone) return "The work was stopped. You can continue it.";
  if (session.kind === "files") return "Recordings were added.";
  return session.takes ? `${session.takes} sentences are recorded, ${duration(session.seconds)}.` : "Nothing is recorded yet.";
}

function sessionCard(session, again) {
  const remove = async () => {
    if ((await ask(`Delete the recordings of ${session.speaker} for good? Voices made from them stay.`)) === null) return;
    await json("DELETE", `/api/recordings/${session.id}`);
    await again();
  };
  return el(
    "div",
    { className: "card" },
    el("strong", { textContent: session.speaker }),
    el("small", { textContent: progress(session) }),
    el("div", { className: "buttons" }, link("Continue", address(session)), button("Delete", remove, { ariaLabel: `Delete the recordings of ${session.speaker}` })),
  );
}

/** A name that a voice may have: small letters, digits, and few signs. */
const nameOf = (speaker) =>
  speaker
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40) || "voice";

export async function newView(place) {
  const { languages } = await json("GET", "/api/recordings");
  const speaker = el("input", { id: "speaker-name", required: true, maxLength: 200, autocomplete: "name" });
  const name = el("input", { id: "voice-name", maxLength: 64, pattern: "[a-z0-9_][a-z0-9._\\-]*", autocomplete: "off" });
  const statement = el("textarea", { id: "statement", rows: 2, required: true, maxLength: 2000, value: STATEMENT });
  const language = el("select", { id: "language" }, ...Object.entries(languages).map(([code, name]) => new Option(name, code)));
  const own = el("textarea", { id: "own-prompts", rows: 4 });
  const agreed = el("input", { id: "agreed", type: "checkbox", required: true });
  speaker.oninput = () => (name.placeholder = nameOf(speaker.value));
  const form = el(
    "form",
    { id: "begin" },
    field("Whose voice is it?", speaker),
    Object.keys(languages).length > 1 ? field("Language of the recordings", language) : null,
    el("label", { className: "check" }, agreed, el("span", { textContent: "I am this person, or this person has agreed that I clone their voice on this computer." })),
    el(
      "fieldset",
      {},
      el("legend", { textContent: "Recordings" }),
      choice("kind", "prompts", "Record now", "With your microphone. One to three minutes of reading.", true),
      choice("kind", "files", "Use recordings that you have", "A folder or a zip file, best with the texts."),
    ),
    details(
      "Details",
      field("Name of the voice", name, "For other programs. Lowercase letters, digits, . _ and -."),
      field("What the person agrees to", statement),
      field("Sentences of your own", own, "One per line. If you leave this empty, you read fifty sentences with all sounds of the language."),
    ),
    el("div", { className: "buttons" }, el("button", { className: "primary", textContent: "Continue" })),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    attempt(async () => {
      const body = {
        name: name.value || nameOf(speaker.value),
        speaker: speaker.value,
        statement: statement.value,
        agreed: agreed.checked,
        language: language.value,
        kind: chosen(form, "kind"),
      };
      if (own.value.trim() && body.kind === "prompts") body.prompts = own.value.trim().split("\n");
      const session = await json("POST", "/api/recordings", body);
      location.hash = `#/record/${session.id}`;
    });
  };
  place.append(heading("Clone a voice"), el("p", { className: "lead", textContent: "Nothing leaves this computer. Without consent, no voice is made." }), form);
}
