// One picture, with what made it. Arrows, a swipe, or the buttons lead to the next one.

import { ask } from "./ask.js";
import { el, say, sure } from "./dom.js";
import { current } from "./gallery.js";
import { settings } from "./settings.js";
import { moment } from "./words.js";

const SWIPE = 60; // pixels, mostly sideways

export function show(place, id) {
  const list = current();
  const title = el("h1", {}, "Picture");
  const body = el("div");
  place.append(title, body);
  let ways = beside(list, id) || { newer: null, older: null }; // known at once, so that quick fingers need not wait
  let ended = false;
  let from = null;
  scrollTo(0, 0);

  async function load() {
    try {
      const [found, next] = [await ask(`/page/pictures/${encodeURIComponent(id)}`), await neighbours(list, id)];
      if (ended) return;
      ways = next || found;
      draw(found);
    } catch (problem) {
      body.replaceChildren(el("p", { class: "bad" }, problem.message), back());
    }
  }

  function draw(found) {
    const address = `/page/pictures/${found.id}`;
    const words = found.alt || found.prompt || "A picture";
    const image = el("div", { class: "seen", onpointerdown: (event) => { from = event; }, onpointerup: swiped, onpointercancel: () => { from = null; } },
      el("img", { src: `${address}/picture`, alt: words, draggable: "false" }));
    const facts = [["made", moment(found.at)], ["asked by", found.owner || "not known any more"], ["in", found.room || "not known any more"],
      ["program", found.client], ["file", found.file]];
    if (found.kept) facts.push(["kept", "⭐ somebody keeps it"]);
    body.replaceChildren(
      el("div", { class: "row" }, way("newer", "← Newer"), way("older", "Older →"), back()),
      el("div", { class: "two" }, el("div", {}, image, el("div", { class: "row" },
        el("a", { class: "button", href: `${address}/picture?download`, download: found.file }, "Download the picture"),
        el("a", { class: "button", href: `${address}/sidecar?download`, download: found.file.replace(/\.\w+$/, ".yml") }, "Download its settings"),
        el("button", { type: "button", class: "danger", onclick: remove }, "Delete"))),
      el("div", {}, settings(found, facts))));
  }

  function way(name, words) {
    const target = ways[name];
    return target ? el("a", { class: "button", href: `#/picture/${target}`, rel: name === "newer" ? "prev" : "next" }, words)
      : el("span", { class: "quiet" }, `nothing ${name}`);
  }

  function back() {
    return el("a", { class: "button", href: `#/gallery${list?.address ? `?${list.address}` : ""}` }, "Back to the gallery");
  }

  function go(name) {
    if (ways[name]) {
      const target = ways[name];
      if (list) list.seen = target;
      location.hash = `#/picture/${target}`;
      // Until the browser tells of the new address, the next key counts from there.
      ways = beside(list, target) || { newer: null, older: null };
    }
  }

  function swiped(event) {
    if (!from || event.pointerType === "mouse") { from = null; return; }
    const [x, y] = [event.clientX - from.clientX, event.clientY - from.clientY];
    from = null;
    if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) go(x < 0 ? "older" : "newer");
  }

  async function remove() {
    if (!await sure("Delete this picture from the worker? It stays in its room.", "Delete it")) return;
    try {
      await ask(`/page/pictures/${id}`, { method: "DELETE" });
    } catch (problem) {
      say(problem.message);
      return;
    }
    list?.remove(id);
    say("Deleted.");
    const next = ways.older || ways.newer;
    location.replace(next ? `#/picture/${next}` : "#/gallery");
  }

  function keys(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]") || /^(INPUT|SELECT|PRE)$/.test(event.target.tagName)) return;
    if (event.key === "ArrowLeft") go("newer");
    else if (event.key === "ArrowRight") go("older");
    else if (event.key === "Escape") location.hash = back().hash;
    else if (event.key === "Delete") remove();
  }

  document.addEventListener("keydown", keys);
  load();
  return () => {
    ended = true;
    document.removeEventListener("keydown", keys);
  };
}

/** Before and behind it in the list that it was chosen from, as that was filtered; `null` where it is not of one. */
async function neighbours(list, id) {
  if (list && list.pictures.at(-1)?.id === id) await list.more().catch(() => {});
  return beside(list, id);
}

/** The same as far as the list is loaded. */
function beside(list, id) {
  const at = list ? list.pictures.findIndex((picture) => picture.id === id) : -1;
  return at < 0 ? null : { newer: list.pictures[at - 1]?.id ?? null, older: list.pictures[at + 1]?.id ?? null };
}
