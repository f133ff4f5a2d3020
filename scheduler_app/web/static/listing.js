// The list of all series. Only the rows in sight are asked for and made, so that ten thousand are no burden.

import { ask } from "./api.js";
import { byId, make, say } from "./elements.js";
import { counted, duration, moment, NOTHING, number, percent, withUnit } from "./format.js";
import { link } from "./place.js";
import { draw, sparkline } from "./sparkline.js";

const MARGIN = 15; // rows that are made beyond each edge of what is in sight
const TYPING = 120; // milliseconds without a key until a search begins
const narrow = matchMedia("(max-width: 640px)");

export class Listing {
  /** `wanted` is called with what changes of the place when somebody searches or sorts. */
  constructor(wanted) {
    this.wanted = wanted;
    this.place = null;
    this.windows = [];
    this.sorts = "";
    this.matching = 0;
    this.rows = new Map(); // what is known of the rows, by index
    this.shown = new Map(); // the elements of the rows in sight, by index
    this.query = null; // what was searched and sorted last
    this.stale = true; // whether the rows are those of another search or order
    this.scrolled = 0; // pixels
    this.clock = null; // the clock of the service minus ours, in seconds
    this.asking = null;
    this.table = byId("table");
    this.body = byId("rows");
    this.table.addEventListener(
      "scroll",
      () => {
        if (this.place !== null) this.scrolled = this.table.scrollTop;
        this.render();
      },
      { passive: true },
    );
    new ResizeObserver(() => this.render()).observe(this.table);
    narrow.addEventListener("change", () => this.render());
    this.body.addEventListener("keydown", (event) => this.moveByKey(event));
    byId("find").addEventListener("submit", (event) => event.preventDefault());
    byId("search").addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" && this.matching > 0) {
        event.preventDefault();
        this.focusRow(0);
      }
    });
    byId("search").addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.wanted({ search: byId("search").value.trim() }), TYPING);
    });
    byId("sort").addEventListener("change", (event) => this.wanted({ sort: event.target.value }));
    setInterval(() => this.place && this.tellAges(), 1000);
  }

  /** Show the list as `place` says. */
  show(place) {
    const query = JSON.stringify([place.search, place.sort]);
    const another = this.query !== query;
    this.query = query;
    this.place = place;
    if (byId("search").value.trim() !== place.search) byId("search").value = place.search;
    if (another) {
      this.scrolled = 0;
      this.stale = true;
    }
    this.makeHead();
    this.render();
    // not every browser keeps it while the list is hidden
    this.table.scrollTop = this.scrolled;
    return this.refresh();
  }

  hide() {
    this.place = null;
    this.asking?.abort();
    clearTimeout(this.typing);
  }

  /** Ask anew for the rows in sight. */
  async refresh() {
    if (this.place === null) return;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    const [first, last] = this.sight();
    const { search, sort } = this.place;
    try {
      const answer = await ask("series", { search, sort, offset: first, limit: last - first + 1 }, asking.signal);
      this.take(answer);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 400 && sort !== "name") this.wanted({ sort: "name" }); // a window that is gone
      else throw error;
    } finally {
      if (this.asking === asking) this.asking = null;
    }
    this.render();
  }

  take(answer) {
    this.stale = false;
    this.clock = answer.at - Date.now() / 1000;
    this.matching = answer.matching;
    this.rows.clear();
    answer.series.forEach((row, index) => this.rows.set(answer.offset + index, row));
    const columns = JSON.stringify(answer.windows);
    if (columns !== this.columns) {
      this.columns = columns;
      this.windows = answer.windows;
      this.shown.forEach((element) => element.remove());
      this.shown.clear();
      this.sorts = "";
      this.makeHead();
    }
    const found = answer.matching === answer.total ? `${answer.total} series` : `${answer.matching} of ${answer.total} series`;
    say(byId("found"), found);
    const nothing = byId("nothing");
    nothing.hidden = answer.matching > 0;
    say(
      nothing,
      answer.total > 0
        ? "No series has all of these words in its name."
        : "There is no series yet. Each topic becomes one with its first reading, and shows here with the next averages.",
    );
  }

  /** The first and the last row that are in sight, or nearly. */
  sight() {
    const height = this.rowHeight();
    const first = Math.max(0, Math.floor(this.table.scrollTop / height) - MARGIN);
    const count = Math.ceil((this.table.clientHeight || 800) / height) + 2 * MARGIN;
    return [first, first + count];
  }

  rowHeight() {
    return narrow.matches ? 66 : 36;
  }

  render() {
    if (this.place === null) return;
    const height = this.rowHeight();
    this.table.setAttribute("aria-rowcount", this.matching + 1);
    this.body.style.height = `${this.matching * height}px`;
    const [first, end] = this.sight();
    const last = Math.min(end, this.matching - 1);
    let before = null;
    for (const [index, element] of this.shown) {
      if (index >= first && index <= last) continue;
      if (index < this.matching && element.contains(document.activeElement)) {
        if (index < first) before = element; // whoever has gone on by the wheel finds the focus where it was
      } else {
        element.remove();
        this.shown.delete(index);
      }
    }
    let missing = false;
    for (let index = first; index <= last; index += 1) {
      let element = this.shown.get(index);
      if (element === undefined) {
        element = this.makeRow(index);
        this.shown.set(index, element);
        if (before === null) this.body.prepend(element);
        else before.after(element);
      }
      before = element;
      element.style.transform = `translateY(${index * height}px)`;
      const row = this.rows.get(index);
      missing ||= row === undefined;
      this.fill(element, row);
    }
    if (missing && this.asking === null && !this.stale) this.refresh().catch(() => {});
  }

  makeRow(index) {
    // it can have the focus before its address is known
    const name = make("a", { tabindex: "0" });
    const cells = [
      make("div", { role: "rowheader", class: "name" }, name),
      make("div", { role: "cell", class: "last" }),
      make("div", { role: "cell", class: "age" }),
      ...this.windows.map((window) => make("div", { role: "cell", class: "window", "data-label": window.name })),
      make("div", { role: "cell", class: "trend" }, sparkline()),
    ];
    return make("div", { role: "row", class: "row", "aria-rowindex": index + 2 }, ...cells);
  }

  fill(element, row) {
    const [name, last, age, ...others] = element.children;
    const trend = others.pop();
    element.row = row;
    element.classList.toggle("waiting", row === undefined);
    if (row === undefined) return;
    const anchor = name.firstChild;
    if (anchor.textContent !== row.name) {
      anchor.textContent = row.name;
      anchor.title = row.name;
    }
    anchor.href = link({ ...this.place, view: "series", series: row.name });
    say(last, withUnit(row.last.value, row.unit));
    last.title = `${row.last.value}${row.unit ? ` ${row.unit}` : ""} at ${moment(row.last.time)}`;
    this.tellAge(age, row);
    others.forEach((cell, index) => {
      const window = this.windows[index];
      const values = row.windows[window.name];
      const statistic = values && (window.statistic ?? mainStatistic(values));
      say(cell, statistic ? number(values[statistic]) : NOTHING);
      const partly = values !== undefined && values.coverage < 1;
      cell.classList.toggle("partly", partly);
      cell.title = !values
        ? "This series has no such window"
        : `${statistic} ${values[statistic] ?? NOTHING} of ${counted(values.count, "reading")} in ${window.name}` +
          (partly ? `; the series is so new that this covers ${percent(values.coverage)} of it` : "");
    });
    draw(trend.firstChild, row.trend);
  }

  tellAges() {
    for (const element of this.shown.values()) {
      if (element.row !== undefined) this.tellAge(element.children[2], element.row);
    }
  }

  tellAge(cell, row) {
    say(cell, duration(Date.now() / 1000 + this.clock - row.last.time));
  }

  makeHead() {
    const sorts = `${this.place.sort} ${this.columns}`;
    if (this.sorts === sorts) return;
    this.sorts = sorts;
    const columns = [
      ["name", "Name"],
      ["last", "Last"],
      ["age", "Age"],
      ...this.windows.map((window) => [window.name, window.name]),
    ];
    byId("head").replaceChildren(
      ...columns.map(([key, title], index) => this.makeColumn(key, title, index)),
      make("div", { role: "columnheader", class: "trend" }, "Trend"),
    );
    this.table.style.setProperty("--windows", this.windows.length);
    const choices = columns.flatMap(([key, title]) =>
      key === "name" ? [["name", title], ["-name", "Name, backwards"]] : [[`-${key}`, `${title}, largest first`], [key, `${title}, smallest first`]],
    );
    byId("sort").replaceChildren(
      ...choices.map(([value, title]) => make("option", { value, selected: value === this.place.sort }, title)),
    );
  }

  makeColumn(key, title, index) {
    const { sort } = this.place;
    const direction = sort === key ? "ascending" : sort === `-${key}` ? "descending" : null;
    const next = direction === null ? (key === "name" ? key : `-${key}`) : direction === "ascending" ? `-${key}` : key;
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", () => {
      this.wanted({ sort: next });
      byId("head").children[index]?.firstChild.focus();
    });
    const kind = index < 3 ? key : "window";
    return make("div", { role: "columnheader", class: kind, "aria-sort": direction ?? "none" }, button);
  }

  /** Go from row to row by the arrow keys; Home and End go to the first and the last one. */
  moveByKey(event) {
    const at = [...this.shown].find(([, element]) => element.contains(event.target))?.[0];
    if (at === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.table.clientHeight / this.rowHeight()) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const to = Math.min(Math.max(at + steps[event.key], 0), this.matching - 1);
    this.focusRow(to);
  }

  /** Scroll to a row, and put the focus there. */
  focusRow(index) {
    const height = this.rowHeight();
    const top = index * height;
    // the head lies over the uppermost row
    const free = this.table.clientHeight - height - byId("head").offsetHeight;
    if (top < this.table.scrollTop) this.table.scrollTop = top;
    else if (top > this.table.scrollTop + free) this.table.scrollTop = top - free;
    this.render();
    this.shown.get(index)?.querySelector("a").focus({ preventScroll: true });
  }
}

/** The statistic that is shown of a window: its average, or else the first there is, or how many readings it has. */
export function mainStatistic(values) {
  if ("avg" in values) return "avg";
  return Object.keys(values).find((name) => !["count", "coverage", "age"].includes(name)) ?? "count";
}
