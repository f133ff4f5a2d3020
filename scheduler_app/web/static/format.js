// How numbers and times are shown. Times come as UTC epoch seconds and are shown in the zone of the browser.

export const NOTHING = "–";
const SIGNIFICANT = 6;
const clockForm = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const momentForm = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

export function number(value) {
  if (value === null || value === undefined) return NOTHING;
  if (Number.isSafeInteger(value)) return String(value);
  const size = Math.abs(value);
  // of a large number no digit before the point is rounded away
  return String(Number(size >= 10 ** (SIGNIFICANT - 1) && size < 2 ** 53 ? value.toFixed(1) : value.toPrecision(SIGNIFICANT)));
}

export function withUnit(value, unit) {
  const text = number(value);
  return unit && text !== NOTHING ? `${text} ${unit}` : text;
}

/** How long something took or is ago, in its largest unit. */
export function duration(seconds) {
  if (seconds < 0) return "0 s";
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** A number of things, such as "1 reading" and "2 readings". */
export function counted(count, thing) {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

export function clock(time) {
  return clockForm.format(time * 1000);
}

export function moment(time) {
  return momentForm.format(time * 1000);
}

export function percent(share) {
  return `${Math.floor(share * 100)} %`;
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${number(Number(count.toPrecision(3)))} ${units[unit]}`;
}

/** The zone in which times are shown: its name, and how far it is ahead of UTC at a moment. */
export function zone(time) {
  const minutes = -new Date(time * 1000).getTimezoneOffset();
  const two = (part) => String(Math.trunc(Math.abs(part))).padStart(2, "0");
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${name}, UTC${minutes < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}
