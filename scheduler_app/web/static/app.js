// The page: shows what its address says, and asks anew whenever the service says that there is something new.

import { ask } from "./api.js";
import { Detail } from "./detail.js";
import { byId, say } from "./elements.js";
import { Events } from "./events.js";
import { Health, tellHead } from "./health.js";
import { Listing } from "./listing.js";
import { link, read } from "./place.js";

const views = { list: new Listing(go), series: new Detail(go), health: new Health() };
let place = null;
let version = null;

/** Go to another place. What is typed or zoomed replaces the entry in the browser's history. */
function go(changes) {
  const next = { ...place, ...changes };
  const another = next.view !== place.view || next.series !== place.series;
  history[another ? "pushState" : "replaceState"](null, "", link(next));
  show();
}

function show() {
  const before = place;
  place = read();
  for (const [name, view] of Object.entries(views)) {
    byId(name).hidden = name !== place.view;
    if (name !== place.view) view.hide();
  }
  const list = link({ ...place, view: "list" });
  document.querySelectorAll(".back, #home").forEach((anchor) => anchor.setAttribute("href", list));
  byId("trust").setAttribute("href", link({ ...place, view: "health" }));
  attempt(views[place.view].show(place));
  if (before !== null && before.view !== place.view) focusOn(place, before);
}

/** Put the focus where somebody who does not see the page expects it after a change of view. */
function focusOn({ view }, before) {
  if (view === "list") {
    const name = before.series;
    const row = [...document.querySelectorAll("#rows a")].find((anchor) => anchor.textContent === name);
    (row ?? byId("search")).focus({ preventScroll: true });
  } else {
    byId(view).querySelector(".back").focus({ preventScroll: true });
  }
}

async function attempt(work) {
  try {
    await work;
    tellTrouble();
  } catch (error) {
    tellTrouble(error.message);
  }
}

function tellTrouble(text = "") {
  say(byId("trouble"), text);
  byId("trouble").hidden = text === "";
}

async function refreshHead() {
  const health = await ask("health");
  tellHead(health);
  return health;
}

async function heard(state) {
  if (state === null) {
    tellHead(null);
    tellTrouble("There is no connection to the web service. The numbers here are old; trying again.");
    return;
  }
  const isNew = version !== state.version;
  version = state.version;
  await attempt(
    (async () => {
      if (isNew) await Promise.all([refreshHead(), views[place.view].refresh()]);
    })(),
  );
  if (!state.connected) tellTrouble(`There is no connection to the broker${state.trouble ? `: ${state.trouble}` : ""}. The numbers here are old; trying again.`);
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[href^='?']");
  if (anchor === null || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (anchor.getAttribute("href") !== (location.search || "?")) history.pushState(null, "", anchor.getAttribute("href"));
  show();
});
addEventListener("popstate", show);

show();
new Events(heard);
