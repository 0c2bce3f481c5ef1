// Numbers and moments as people say them, in the browser's own time and language.

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

export const clock = (at) => time.format(at * 1000);
export const moment = (at) => whole.format(at * 1000);
export const dayOf = (at) => day.format(at * 1000);

/** 75 → "1 min 15 s". */
export function span(seconds) {
  const all = Math.max(0, Math.round(seconds));
  if (all < 60) return `${all} s`;
  if (all < 3600) return `${Math.floor(all / 60)} min${all % 60 && all < 600 ? ` ${all % 60} s` : ""}`;
  return `${Math.floor(all / 3600)} h ${Math.round((all % 3600) / 60)} min`;
}

export const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;

export const counted = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
