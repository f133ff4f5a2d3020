// The page: shows what its address says, and asks anew whenever the service says that there is something new.

import { ask } from "./api.js";
import { Detail } from "./detail.js";
import { byId, say } from "./elements.js";
import { Events } from "./events.js";
import { Health, tellHead } from "./health.js";
import { Listing } from "./listing.js";
import { link, read } from "./place.js";

const views = { list: new Listing(go), series: new Detail(go), health: new Health() };
// What is wrong; the first of them is told.
const trouble = { service: "", broker: "", view: "" };
let place = null;
let asked = null; // what was asked for when somebody came to this place
let refreshing = false;
let again = false;

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
  if (place.view === "health") byId("trust").setAttribute("aria-current", "page");
  else byId("trust").removeAttribute("aria-current");
  asked = attempt(views[place.view].show(place));
  if (before !== null && before.view !== place.view) focusAfter(before);
}

/** Put the focus where somebody who does not see the page expects it after a change of view. */
function focusAfter(before) {
  const row = () => [...document.querySelectorAll("#rows a")].find((anchor) => anchor.textContent === before.series);
  const target =
    place.view !== "list" ? byId(place.view).querySelector("h2") : ((before.view === "series" ? row() : byId("trust")) ?? byId("home"));
  target.focus({ preventScroll: true });
}

async function attempt(work) {
  try {
    await work;
    trouble.service = trouble.view = "";
  } catch (error) {
    if (error.status === 0) {
      trouble.service = "There is no connection to the web service. The numbers here are old; trying again.";
      tellHead(null);
    } else {
      trouble.service = "";
      trouble.view = error.message;
    }
  }
  say(byId("trouble"), trouble.service || trouble.broker || trouble.view);
}

async function refreshHead() {
  const health = await ask("health");
  const { connected, trouble: reason } = health.broker;
  trouble.broker = connected ? "" : `There is no connection to the broker${reason ? `: ${reason}` : ""}. The numbers here are old; trying again.`;
  tellHead(health);
}

/** Ask anew for what is shown. While the answer is on its way, what more is heard leads to one more question. */
async function refresh() {
  again = true;
  if (refreshing) return;
  refreshing = true;
  while (again) {
    again = false;
    await asked;
    await attempt(Promise.all([refreshHead(), views[place.view].refresh()]));
  }
  refreshing = false;
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
new Events(refresh);
