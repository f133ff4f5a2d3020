// Whether the numbers can be trusted, and what to do where they cannot.

import { ask } from "./api.js";
import { byId, make, renew, say, table } from "./elements.js";
import { bytes, duration, moment, number, zone } from "./format.js";

const VERDICTS = { good: "All is well", limited: "Look at this", bad: "Do not trust the numbers", unknown: "Health" };
const EXPLAINED = {
  good: "The numbers can be trusted.",
  limited: "The numbers are right, but something needs to be looked at.",
  bad: "The numbers are old, or some are missing.",
};
const PARTS = ["stored", "duplicates", "rejected", "late", "retained"];
const SHOWN = 40; // characters of a payload

/** What the head of the page tells: the averages over all readings, and the trust. */
export function tellHead(health) {
  const trust = byId("trust");
  trust.dataset.trust = health?.trust ?? "bad";
  say(trust, health === null ? "No connection" : VERDICTS[health.trust]);
  trust.title = health === null ? "" : [EXPLAINED[health.trust], ...health.problems.map((problem) => problem.text)].join("\n");
  const values = Object.entries(health?.averages?.values ?? {});
  byId("overall").replaceChildren(
    ...values.flatMap(([name, value], index) => [index ? " · " : "All readings: ", `${name.replace(/^avg_/, "")} `, make("b", {}, number(value))]),
  );
}

export class Health {
  constructor() {
    this.shown = false;
  }

  show() {
    this.shown = true;
    document.title = "Health – Rolling averages";
    return this.refresh();
  }

  hide() {
    if (this.shown) document.title = "Rolling averages";
    this.shown = false;
  }

  async refresh() {
    if (!this.shown) return;
    const health = await ask("health");
    const rejected = await ask("rejected", { limit: 200 }).catch((error) => ({ trouble: error.message }));
    if (!this.shown) return;
    renew(byId("report"), ...report(health), ...rejections(rejected));
  }
}

function report(health) {
  const { broker, subscriber, tick, database, program, settings } = health;
  const metrics = subscriber?.metrics ?? null;
  const facts = [
    ["Broker", broker.connected ? `connected to ${broker.address}` : `no connection to ${broker.address}${broker.trouble ? `: ${broker.trouble}` : ""}`],
    ["Subscriber", subscriber?.state ?? "nothing is known of it"],
    ["Newest averages", tick === null ? "none yet" : `${moment(tick.at)}, ${duration(tick.age)} ago; every ${interval(settings.stats_interval)}`],
    ["Database", database.trouble ?? database.file],
    ["Disk", database.disk === null ? "not known" : `${bytes(database.disk.free)} of ${bytes(database.disk.total)} free`],
    ["Published on", `${settings.stats_topic} and below`],
    ["Version", `${program.version}, on Python ${program.python}`],
    ["Times", zone(health.at)],
  ];
  const state = table("State", [], facts);
  state.classList.add("words");
  const parts = [
    make("p", { class: "verdict", "data-trust": health.trust }, VERDICTS[health.trust]),
    make("p", {}, EXPLAINED[health.trust]),
  ];
  if (health.problems.length) {
    parts.push(make("ul", {}, ...health.problems.map((problem) => make("li", { "data-trust": problem.trust }, problem.text))));
  }
  parts.push(state);
  if (metrics !== null) parts.push(...counters(health, metrics));
  return parts;
}

function interval(seconds) {
  return seconds < 120 ? `${number(seconds)} s` : duration(seconds);
}

function counters(health, metrics) {
  const names = ["received", ...PARTS];
  const rows = names.map((name) => [name, number(metrics[name]), health.rates === null ? "" : number(Number((health.rates[name] ?? 0).toFixed(2)))]);
  const { difference } = health.balance ?? {};
  const sum = names.slice(1).join(" + ");
  const says =
    difference === undefined ? "" : difference === 0 ? `They add up: received = ${sum}.` : `They do not add up: received is ${Math.abs(difference)} ${difference > 0 ? "more" : "less"} than ${sum}.`;
  const all = Object.entries(metrics).map(([name, value]) => [name, value === null || typeof value !== "object" ? String(value) : JSON.stringify(value)]);
  return [
    table("Messages", ["", "in all", "a second, in the last minute"], rows),
    make("p", { class: "quiet" }, says),
    make("details", {}, make("summary", {}, "All that the subscriber tells of itself"), table("STATS/$metrics", [], all)),
  ];
}

function rejections(answer) {
  if (answer.trouble) return [make("h3", {}, "Rejected messages"), make("p", {}, answer.trouble)];
  if (!answer.counted) return [make("h3", {}, "Rejected messages"), make("p", {}, "None.")];
  const parts = [make("h3", {}, `Rejected messages since ${moment(answer.since)}: ${answer.counted}`)];
  for (const kind of answer.reasons) {
    const newest = new Map();
    for (const message of answer.newest) {
      if (message.reason === kind.reason && !newest.has(message.topic)) newest.set(message.topic, message);
    }
    const items = kind.topics.map(({ topic, kept }) => {
      const message = newest.get(topic);
      const text = message === undefined ? "" : payload(message);
      return make("li", {}, make("code", {}, topic), `: ${kept} kept`, ...(text ? [", the newest ", make("code", {}, text)] : []), message?.detail ? ` (${message.detail})` : "");
    });
    if (kind.more_topics) items.push(make("li", {}, `and ${kind.more_topics} more topics`));
    parts.push(make("h4", {}, kind.reason), make("p", {}, kind.cure ?? ""), make("ul", {}, ...items));
  }
  return parts;
}

function payload(message) {
  const text = message.payload ?? `base64 ${message.payload_base64}`;
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${message.size} bytes)` : text;
}
