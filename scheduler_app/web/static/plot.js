// Draws one series: its readings as dots, the average of each window as a curve. uPlot does the drawing.

import { listenToFingers } from "./fingers.js";
import { clock } from "./format.js";

const CURVES = 6; // colours
const FOLLOW = 250; // milliseconds after a zoom until the readings of the new span are asked for
const ZOOM = 0.8;
const LEAST = 5; // seconds that are shown at least
const [TINY, HUGE] = [1e-9, 1e15]; // values between these are drawn as they are
const dark = matchMedia("(prefers-color-scheme: dark)");

export function colourOf(index) {
  return `--curve-${(index % CURVES) + 1}`;
}

/** Whether a curve has the colour of another one before it. */
export function isDashed(index) {
  return index >= CURVES;
}

export class Plot {
  /**
   * `moved` is called with the span that somebody has chosen in it, or with null and null to follow the clock
   * again; `pointed` with the index under the pointer.
   */
  constructor(root, moved, pointed) {
    this.root = root;
    this.moved = moved;
    this.pointed = pointed;
    this.plot = null;
    this.data = null; // what it shows, as uPlot takes it
    this.hidden = new Set();
    this.waiting = null; // for the end of a movement
    new ResizeObserver(() => this.resize()).observe(root);
    dark.addEventListener("change", () => this.redraw());
  }

  /** Show an answer of `history` in the span from `from` to `to`, UTC epoch seconds. */
  show(history, from, to) {
    const names = history.averages.curves.map((curve) => curve.window).join();
    this.history = history;
    // whoever is moving it right now is not moved back
    if (this.waiting === null) this.span = [from, to];
    this.data = aligned(history);
    this.exponent = exponentOf(this.data);
    if (this.plot === null || names !== this.names) {
      this.names = names;
      this.make();
    } else {
      this.plot.setData(drawn(this.data, this.exponent), false);
      this.showSpan();
    }
  }

  clear() {
    this.stopWaiting();
    this.plot?.destroy();
    this.plot = null;
    this.history = null;
    this.data = null;
  }

  redraw() {
    if (this.plot !== null) this.make();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.root;
    if (this.plot !== null && width > 0) this.plot.setSize({ width, height });
  }

  /** Show or hide the readings (0) or a curve (1 and on). */
  toggle(index, shown) {
    if (shown) this.hidden.delete(index);
    else this.hidden.add(index);
    this.plot?.setSeries(index + 1, { show: shown });
  }

  showSpan() {
    const [min, max] = this.span;
    this.plot.setScale("x", { min, max });
  }

  make() {
    this.plot?.destroy();
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--quiet"),
      grid: { stroke: colour("--grid"), width: 1 },
      ticks: { stroke: colour("--grid"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    const dots = colour("--dots");
    this.plot = new uPlot(
      {
        width: this.root.clientWidth,
        height: this.root.clientHeight,
        legend: { show: false },
        padding: [12, 14, 0, 0],
        cursor: {
          drag: { x: true, y: false, setScale: false },
          bind: { dblclick: () => () => this.follow() },
        },
        scales: { x: { time: true, auto: false, min: this.span[0], max: this.span[1] }, y: { range: room } },
        axes: [
          { ...axis, size: 34, space: 76, values: (_, times, axisIndex, space, step) => times.map((time) => (step < 60 ? clock(time) : hours(time, step))) },
          { ...axis, size: widthOf, values: (_, values, axisIndex, space, step) => values.map((value) => labelOf(value, step, this.exponent)) },
        ],
        series: [
          {},
          {
            show: !this.hidden.has(0),
            stroke: dots,
            paths: () => null,
            points: { show: true, size: 5, width: 0, stroke: dots, fill: dots },
          },
          ...this.history.averages.curves.map((_, index) => ({
            show: !this.hidden.has(index + 1),
            stroke: colour(colourOf(index)),
            width: 2,
            dash: isDashed(index) ? [8, 4] : undefined,
            spanGaps: false,
            points: { show: false },
          })),
        ],
        hooks: {
          draw: [(plot) => this.drawMarks(plot, colour)],
          setSelect: [(plot) => this.choose(plot)],
          setCursor: [(plot) => this.pointed(plot.cursor.idx)],
        },
      },
      drawn(this.data, this.exponent),
      this.root,
    );
    this.listen(this.plot.over);
  }

  /** Mark at the lower edge when readings came late and when messages were rejected. */
  drawMarks(plot, colour) {
    const { ctx, bbox } = plot;
    const size = 5 * devicePixelRatio;
    const mark = (time, name) => {
      const x = plot.valToPos(time, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.fillStyle = colour(name);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + bbox.height - 1.6 * size);
      ctx.lineTo(x - size, bbox.top + bbox.height);
      ctx.lineTo(x + size, bbox.top + bbox.height);
      ctx.fill();
    };
    ctx.save();
    this.history.delayed.forEach((time) => mark(time, "--limited"));
    this.history.rejected.forEach((message) => mark(message.arrived, "--bad"));
    ctx.restore();
  }

  choose(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.go(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  }

  /** Show another span at once, within what is kept; what is missing in it comes a little later. */
  go(from, to) {
    if (this.plot === null) return;
    if (to - from < LEAST) {
      const middle = (from + to) / 2;
      [from, to] = [middle - LEAST / 2, middle + LEAST / 2];
    }
    const { at, retention } = this.history;
    const length = Math.min(to - from, retention);
    from = Math.max(at - retention, Math.min(from, at - length));
    this.span = [from, from + length];
    this.showSpan();
    this.stopWaiting();
    this.waiting = setTimeout(() => {
      this.waiting = null;
      this.moved(...this.span);
    }, FOLLOW);
  }

  follow() {
    this.stopWaiting();
    this.moved(null, null);
  }

  stopWaiting() {
    clearTimeout(this.waiting);
    this.waiting = null;
  }

  zoom(factor, at = (this.span[0] + this.span[1]) / 2) {
    const [from, to] = this.span;
    this.go(at - (at - from) * factor, at + (to - at) * factor);
  }

  pan(share) {
    const [from, to] = this.span;
    const by = (to - from) * share;
    this.go(from + by, to + by);
  }

  listen(over) {
    over.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const sideways = event.shiftKey ? event.deltaY : event.deltaX;
        if (Math.abs(sideways) > (event.shiftKey ? 0 : Math.abs(event.deltaY))) this.pan(Math.sign(sideways) * 0.1);
        else this.zoom(event.deltaY > 0 ? 1 / ZOOM : ZOOM, this.plot.posToVal(event.offsetX, "x"));
      },
      { passive: false },
    );
    listenToFingers(over, this);
  }
}

/** Put readings and curves onto one axis of times, as uPlot takes them. */
function aligned(history) {
  const { readings, averages } = history;
  return uPlot.join([
    [readings.time, readings.value],
    [averages.time, ...averages.curves.map((curve) => curve.value)],
  ]);
}

/** The power of ten that values are drawn without: 0, unless they are so large or small that uPlot fails. */
function exponentOf([, ...columns]) {
  let largest = 0;
  for (const values of columns) for (const value of values) largest = Math.max(largest, Math.abs(value ?? 0));
  return largest === 0 || (largest > TINY && largest < HUGE) ? 0 : 2 * Math.floor(Math.log10(largest) / 2);
}

/** The values without a power of ten. It is an even one: half of it is taken away at a time, so that none is infinite. */
function drawn([times, ...columns], exponent) {
  if (exponent === 0) return [times, ...columns];
  const half = 10 ** (exponent / 2);
  const less = (value) => (value === null || value === undefined ? value : value / half / half);
  return [times, ...columns.map((values) => values.map(less))];
}

/** How much room the labels of the vertical axis need, in pixels. */
function widthOf(_, labels) {
  return 20 + 7.7 * Math.max(3, ...(labels ?? []).map((label) => label.length));
}

/** The label of what is drawn at `value` on an axis whose values are `step` apart, without what binary fractions add to it. */
function labelOf(value, step, exponent) {
  const digits = Math.min(20, Math.max(0, 2 - Math.floor(Math.log10(step))));
  const text = value.toFixed(digits);
  if (exponent === 0) return String(Number(text));
  const whole = Number(`${text}e${exponent}`);
  if (whole === 0) return "0";
  return Number.isFinite(whole) ? whole.toExponential() : `${Number(text)}e+${exponent}`;
}

function room(_, low, high) {
  if (low === null || high === null) return [0, 1];
  const margin = high > low ? (high - low) * 0.08 : Math.abs(low) * 0.05 || 1;
  return [low - margin, high + margin];
}

function hours(time, step) {
  const date = new Date(time * 1000);
  if (step >= 86400 || (date.getHours() === 0 && date.getMinutes() === 0)) {
    return date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  }
  return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
