// Memory over the last hours, and the moments at which something else came onto the card: SVG, made of JSON.

import { ask } from "./ask.js";
import { el, svg } from "./dom.js";
import { clock, counted, gigabytes } from "./words.js";

const EVERY_MS = 20000;
const HEIGHT = 144;
const TOP = 16;
const BOTTOM = 20;
const GAP_SECONDS = 90; // nothing was noted for longer: the line has a hole there
const SHORTEST = 1800; // seconds that are shown at least; after some hours all of them are
const LAST = 6;
const PADDING = 34; // of the box around it
const ROOM = 64; // pixels for the time below a line

export function plot() {
  const element = el("div");
  let timer = 0;
  let ended = false;
  let last = null;

  async function look() {
    clearTimeout(timer);
    if (ended || document.hidden) return;
    try {
      last = await ask("/page/memory");
      if (ended) return;
      draw();
    } catch (problem) {
      element.replaceChildren(el("p", { class: "bad" }, problem.message));
    }
    clearTimeout(timer);
    if (!ended) timer = setTimeout(look, EVERY_MS);
  }

  function draw() {
    if (last && element.isConnected) {
      const width = Math.max(240, element.clientWidth - PADDING);
      const first = Math.min(last.until - SHORTEST, ...last.cards.map((card) => card.points[0]?.[0] ?? Infinity));
      const since = Math.max(last.since, first);
      element.replaceChildren(...last.cards.map((card) => block({ ...last, since, ...card }, width, last.cards.length > 1)));
    }
  }

  let width = 0;
  const observer = new ResizeObserver(() => {
    if (element.clientWidth !== width) draw(); // its height changes with what is drawn
    width = element.clientWidth;
  });
  observer.observe(element);
  document.addEventListener("visibilitychange", look);
  look();
  return { element, end: () => {
    ended = true;
    clearTimeout(timer);
    observer.disconnect();
    document.removeEventListener("visibilitychange", look);
  } };
}

/** One card: its plot, the same in words, and its last swaps. */
function block(card, width, several) {
  const words = described(card);
  const which = card.what === "card" ? "Memory of the card" : "Memory of the computer";
  const swaps = card.swaps.slice(-LAST).reverse().map((swap) =>
    el("li", {}, `${clock(swap.at)}: ${swap.before || "nothing"} → ${swap.now || "nothing"}`));
  return el("div", { class: "card plot" },
    el("h2", {}, several ? `${which} ${card.name}` : which), drawing(card, width, words),
    el("p", { class: "quiet" },
      el("span", { class: "key used" }), "used", el("span", { class: "key model" }), "of it the image model",
      el("span", { class: "key swap" }), "swap"),
    el("p", { class: "quiet" }, words),
    el("h2", {}, several ? `Last swaps on ${card.name}` : "Last swaps"),
    el("ol", { class: "quiet" }, swaps.length ? swaps : el("li", {}, "None in the last hours.")));
}

function described({ points, swaps, since }) {
  if (!points.length) return "Nothing has been measured yet.";
  const [, used, total] = points.at(-1);
  const most = Math.max(...points.map((point) => point[1]));
  return `${gigabytes(used)} of ${gigabytes(total)} are used now, ${gigabytes(most)} at most since ${clock(since)}, ` +
    `with ${counted(swaps.length, "swap")}.`;
}

function drawing({ points, swaps, since, until }, width, words) {
  const most = Math.max(1, ...points.map((point) => point[2]));
  const x = (at) => ((at - since) / (until - since)) * width;
  const y = (bytes) => TOP + (1 - bytes / most) * (HEIGHT - TOP - BOTTOM);
  const ground = y(0);
  const parts = pieces(points);
  const area = (column, name) => parts.map((part) => svg("path", { class: name, d:
    `M${x(part[0][0]).toFixed(1)} ${ground}` + part.map((point) => `L${x(point[0]).toFixed(1)} ${y(point[column]).toFixed(1)}`).join("") +
    `L${Math.max(x(part.at(-1)[0]), x(part[0][0]) + 1).toFixed(1)} ${ground}Z` }));
  const step = until - since > 7200 ? 3600 : 600;
  const hours = [];
  for (let at = Math.ceil(since / step) * step; at < until; at += step) hours.push(at);
  const every = Math.ceil((hours.length * ROOM) / width);
  return svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": words },
    hours.map((at) => svg("line", { class: "axis", x1: x(at), x2: x(at), y1: TOP, y2: ground })),
    area(1, "used"), area(3, "model"),
    svg("line", { class: "axis", x1: 0, x2: width, y1: TOP, y2: TOP }),
    svg("line", { class: "axis", x1: 0, x2: width, y1: ground, y2: ground }),
    swaps.map((swap) => svg("line", { class: "swap", x1: x(swap.at), x2: x(swap.at), y1: TOP, y2: ground },
      svg("title", {}, `${clock(swap.at)}: ${swap.now || "nothing"}`))),
    points.length ? svg("text", { x: 2, y: TOP - 4 }, gigabytes(most)) : null,
    hours.filter((_, index) => index % every === 0).map((at) =>
      svg("text", { x: Math.min(Math.max(x(at), ROOM / 2), width - ROOM / 2), y: HEIGHT - 5, "text-anchor": "middle" }, clock(at))));
}

/** The points in runs without holes. */
function pieces(points) {
  const found = [];
  let last = -Infinity;
  for (const point of points) {
    if (point[0] - last > GAP_SECONDS) found.push([]);
    found.at(-1).push(point);
    last = point[0];
  }
  return found;
}
