// One series: its plot, all its statistics, and what was counted when.

import { address, ask } from "./api.js";
import { byId, make, renew, say, table } from "./elements.js";
import { clock, counted, duration, moment, percent, withUnit, zone } from "./format.js";
import { colourOf, isDashed, Plot } from "./plot.js";

const SPANS = [
  ["5min", 300],
  ["30min", 1800],
  ["2h", 7200],
  ["12h", 43200],
  ["2d", 172800],
];
const POINTS_PER_PIXEL = 1.5;
const SVG = "http://www.w3.org/2000/svg";
const LEAST_FOLLOWED = 60; // seconds that a plot shows at least while it follows the clock
const AT_ONCE = "300ms"; // how long reading what is shown first may take
const PATIENCE = "10s"; // the same for a file
const REST = 20; // times as long as it took to read a history there is none read
const MOST_TOLD = 20; // rejected messages that are listed

export class Detail {
  /** `wanted` is called with what changes of the place when somebody chooses another span. */
  constructor(wanted) {
    this.wanted = wanted;
    this.place = null;
    this.plot = new Plot(
      byId("plot"),
      (from, to) => this.wanted({ from, to }),
      (index) => this.tellPoint(index),
    );
    setInterval(() => this.place && this.row && this.tellLast(), 1000);
  }

  show(place) {
    if (this.place?.series !== place.series) this.forget();
    this.place = place;
    this.restUntil = 0;
    this.isNew = true;
    say(byId("name"), place.series);
    document.title = `${place.series} – Rolling averages`;
    return this.refresh();
  }

  hide() {
    if (this.place === null) return;
    this.place = null;
    this.forget();
    document.title = "Rolling averages";
  }

  forget() {
    this.asking?.abort();
    this.plot.clear();
    this.forgetRow();
    this.curves = null;
    this.controls = null;
    this.clock = 0;
    this.restUntil = 0; // by the clock of the page, in milliseconds
    byId("plot").setAttribute("aria-label", "Plot");
    for (const id of ["legend", "marks", "controls", "downloads"]) byId(id).replaceChildren();
    for (const id of ["told", "under"]) say(byId(id), "");
  }

  /** Show no numbers of a series of which nothing is known, or not any more. */
  forgetRow() {
    this.row = null;
    byId("statistics").replaceChildren();
    say(byId("last"), "");
  }

  /** Ask anew. While the plot follows the clock, what it shows goes on with it. */
  async refresh() {
    if (this.place === null) return;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    const { series, span, from, to } = this.place;
    this.most = Math.min(10000, Math.max(200, Math.round(byId("plot").clientWidth * POINTS_PER_PIXEL)));
    const parameters = {
      series,
      max_points: this.most,
      ...(from === null ? { span } : { from, to }),
    };
    let known = false;
    try {
      this.row = await ask("series/", { name: series }, asking.signal);
      known = true;
      this.tellLast();
      this.tellStatistics();
      if (performance.now() < this.restUntil) return;
      let complete = false;
      if (this.isNew) {
        complete = this.take(await ask("history", { ...parameters, patience: AT_ONCE }, asking.signal));
      }
      if (!complete) this.take(await ask("history", parameters, asking.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 0) throw error;
      if (!known) this.forgetRow();
      if (error.status === 400 && (span !== null || from !== null)) this.wanted({ span: null, from: null, to: null });
      else this.tellWhyNot(error.message);
    }
  }

  tellWhyNot(reason) {
    this.plot.clear();
    this.curves = null;
    for (const id of ["legend", "marks", "downloads"]) byId(id).replaceChildren();
    byId("plot").setAttribute("aria-label", `There is no plot of ${this.place.series}`);
    say(byId("under"), "");
    say(byId("told"), `There is no plot: ${reason}`);
  }

  /** Show a history; return whether it is all that was asked for. */
  take(history) {
    this.history = history;
    this.clock = history.at - Date.now() / 1000;
    this.restUntil = performance.now() + history.took * 1000 * REST;
    this.isNew = false;
    const following = this.place.from === null;
    // a reading may be a little ahead of our clock; the span that is shown ends now
    const [from, to] = following ? [beginning(history), history.at] : [history.from, history.to];
    this.plot.show(history, from, to);
    byId("plot").setAttribute("aria-label", this.description());
    this.makeControls(history);
    this.makeLegend(history);
    this.tellHistory(history);
    this.tellMarks(history);
    const { series, begins, to: end } = history;
    const exact = { series, from: begins, to: end, max_points: 10000, patience: PATIENCE };
    const file = this.place.series.replace(/[^A-Za-z0-9._-]+/g, "_");
    renew(
      byId("downloads"),
      make("a", { class: "button", href: address("history", { ...exact, max_points: null, format: "csv" }), download: `${file}.csv` }, "CSV of what is shown"),
      make("a", { class: "button", href: address("history", exact), download: `${file}.json` }, "JSON of what is shown"),
    );
    return history.complete;
  }

  description() {
    const { readings, from, to } = this.history;
    const values = readings.value;
    if (!values.length) return `Plot of ${this.place.series}: no readings from ${moment(from)} to ${moment(to)}`;
    const [low, high] = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    return `Plot of ${this.place.series}: ${counted(readings.total, "reading")} from ${moment(from)} to ${moment(to)}, between ${this.shown(low)} and ${this.shown(high)}, the last ${this.shown(values.at(-1))}`;
  }

  shown(value) {
    return withUnit(value, this.row.unit);
  }

  tellLast() {
    const { last, unit } = this.row;
    if (last === null) return say(byId("last"), "Its first averages come with the next tick.");
    const age = Date.now() / 1000 + this.clock - last.time;
    return renew(byId("last"), make("b", {}, withUnit(last.value, unit)), `, ${duration(age)} ago, at ${clock(last.time)}`);
  }

  tellStatistics() {
    const windows = Object.entries(this.row.windows);
    if (!windows.length) return byId("statistics").replaceChildren();
    const names = [...new Set(windows.flatMap(([, values]) => Object.keys(values)))];
    const shown = (name, value) => {
      if (value === undefined) return "";
      if (name === "coverage") return percent(value);
      if (name === "age" && value !== null) return duration(value);
      return withUnit(value, unitOf(name, this.row));
    };
    const rows = names.map((name) => [name, ...windows.map(([, values]) => shown(name, values[name]))]);
    const title = `Statistics at ${clock(this.row.at)}`;
    return renew(byId("statistics"), table(title, ["", ...windows.map(([name]) => name)], rows));
  }

  makeControls(history) {
    const following = this.place.from === null;
    const spans = SPANS.filter(([, seconds]) => seconds < history.retention).map(([text]) => [text, `The last ${text}`, text]);
    spans.push(["All", `All that is kept: ${duration(history.retention)}`, null]);
    const key = `${this.place.span} ${following} ${spans}`;
    if (this.controls === key) return;
    this.controls = key;
    const button = (text, label, pressed, action) => {
      const made = make("button", { type: "button", "aria-label": label, "aria-pressed": pressed }, text);
      made.addEventListener("click", () => {
        action();
        byId("controls").querySelector(`[aria-label="${label}"]`)?.focus();
      });
      return made;
    };
    const had = document.activeElement?.closest("#controls") && document.activeElement.getAttribute("aria-label");
    byId("controls").replaceChildren(
      ...spans.map(([text, label, span]) =>
        button(text, label, String(following && this.place.span === span), () => this.wanted({ span, from: null, to: null })),
      ),
      button("←", "Earlier", null, () => this.plot.pan(-0.5)),
      button("→", "Later", null, () => this.plot.pan(0.5)),
      button("+", "Zoom in", null, () => this.plot.zoom(0.5)),
      button("−", "Zoom out", null, () => this.plot.zoom(2)),
    );
    if (had) byId("controls").querySelector(`[aria-label="${had}"]`)?.focus();
  }

  makeLegend(history) {
    const curves = history.averages.curves.map((curve) => curve.window);
    if (this.curves === curves.join()) return;
    this.curves = curves.join();
    byId("legend").replaceChildren(
      ...["readings", ...curves].map((name, index) => {
        const box = make("input", { type: "checkbox", checked: !this.plot.hidden.has(index) });
        box.addEventListener("change", () => this.plot.toggle(index, box.checked));
        return make("label", {}, box, sample(index), index ? `average over ${name}` : "readings");
      }),
    );
  }

  tellHistory(history) {
    const { readings, averages } = history;
    const parts = [`${counted(readings.total, "reading")}.`];
    if (readings.thinned) parts.push("There are too many to draw all: of those close together the lowest and the highest are shown.");
    if (!history.complete) parts.push(`Only what is after ${moment(history.begins)} was read; choose a shorter span to see what is before.`);
    const partial = averages.curves.filter((curve) => curve.complete_from > history.from && curve.complete_from < history.to);
    if (partial.length && history.since < history.from) {
      const named = partial.map((curve) => `${curve.window} before ${clock(curve.complete_from)}`).join(", ");
      const missing = history.complete ? "deleted already" : "deleted already, or were not read";
      parts.push(`Where readings of a window are ${missing}, its curve is the average of the others: ${named}.`);
    }
    parts.push(`Kept for ${duration(history.retention)}. First reading: ${moment(history.since)}. Times are those of ${zone(history.at)}.`);
    say(byId("told"), parts.join(" "));
  }

  tellMarks(history) {
    const items = [];
    if (history.delayed.length) {
      const least = history.delayed.length < this.most ? "" : "At least "; // no more are sent
      items.push(make("p", {}, make("span", { "data-trust": "limited" }, "▲ "), `${least}${counted(history.delayed.length, "reading")} came after a later one, and still counted in all averages.`));
    }
    if (history.rejected.length) {
      const newest = [...history.rejected].sort((one, other) => other.arrived - one.arrived).slice(0, MOST_TOLD);
      items.push(
        make("p", {}, make("span", { "data-trust": "bad" }, "▲ "), `Rejected on this topic: ${counted(history.rejected.length, "message")}.`),
        make("ul", {}, ...newest.map((message) => make("li", {}, `${moment(message.arrived)}: ${[message.reason, message.detail].filter(Boolean).join(", ")}`))),
      );
    }
    renew(byId("marks"), ...(items.length ? [make("h3", {}, "What was counted when"), ...items] : []));
  }

  tellPoint(index) {
    const { data } = this.plot;
    if (index === null || index === undefined || data === null) return say(byId("under"), "");
    const names = ["reading", ...this.history.averages.curves.map((curve) => curve.window)];
    const known = names.flatMap((name, place) => {
      const value = data[place + 1][index];
      return value === null || value === undefined ? [] : [`${name} ${this.shown(value)}`];
    });
    return say(byId("under"), `${moment(data[0][index])}: ${known.join(", ") || "nothing"}`);
  }
}

/** Where a plot that follows the clock begins: a young series has the whole width. */
function beginning({ from, since, at }) {
  return Math.max(from, Math.min(since - (at - since) * 0.03, at - LEAST_FOLLOWED));
}

/** The unit of a statistic of a series. */
function unitOf(statistic, row) {
  if (statistic === "count") return null;
  return statistic === "rate" ? row.rate_unit : row.unit;
}

function sample(index) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 20 10");
  picture.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, index ? "line" : "circle");
  const attributes = index ? { x1: 0, y1: 5, x2: 20, y2: 5, "stroke-width": 3 } : { cx: 10, cy: 5, r: 3 };
  if (isDashed(index - 1)) attributes["stroke-dasharray"] = "5 2";
  for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
  shape.setAttribute("class", index ? colourOf(index - 1).slice(2) : "dots");
  picture.append(shape);
  return picture;
}
