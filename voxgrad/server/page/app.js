// The page: tabs, and what happens when one is opened.

import { $, attempt } from "./common.js";
import { openMake } from "./make.js";
import { openSpeak } from "./speak.js";
import { openVoices } from "./voices.js";

const OPEN = { speak: openSpeak, make: openMake, voices: openVoices };
const tabs = [...document.querySelectorAll("[role=tab]")];

function choose(tab) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    $(one.getAttribute("aria-controls")).hidden = !chosen;
  }
  attempt(OPEN[tab.getAttribute("aria-controls")]);
}

tabs.forEach((tab, number) => {
  tab.onclick = () => choose(tab);
  tab.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(number + step + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  };
});

choose(tabs[0]);
