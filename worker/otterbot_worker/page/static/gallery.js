// Pictures by day, newest first, a page at a time. Where one came back from a picture, all is as it was left.

import { ask } from "./ask.js";
import { el, say } from "./dom.js";
import { dayOf, moment } from "./words.js";

const FILTERS = { model: "Model", owner: "Person", room: "Room" };
const NEAR = "1500px";

let kept = null; // the list that was shown last: its address, its pictures and its elements

/** `pictures` grows as one scrolls; `more()` resolves when the next page is there, to whether there was one. */
class List {
  constructor(address) {
    this.address = address;
    this.pictures = [];
    this.element = el("div", { class: "days" });
    this.next = "";
    this.asking = null;
    this.lastDay = "";
    this.tiles = null;
    this.scroll = 0;
    this.seen = null;
  }

  more() {
    if (this.next === null) return Promise.resolve(false);
    this.asking ??= this.fetch().finally(() => { this.asking = null; });
    return this.asking;
  }

  async fetch() {
    const query = new URLSearchParams(asked(new URLSearchParams(this.address)));
    if (this.next) query.set("after", this.next);
    const found = await ask(`/page/pictures?${query}`);
    this.next = found.next;
    this.pictures.push(...found.pictures);
    this.draw(found.pictures);
    return found.pictures.length > 0;
  }

  /** One batch for each page and day: what is far away is not laid out. */
  draw(pictures) {
    this.tiles = null;
    for (const picture of pictures) {
      const day = dayOf(picture.at);
      if (day !== this.lastDay) {
        this.element.append(el("h2", { class: "day" }, day));
        this.lastDay = day;
        this.tiles = null;
      }
      if (!this.tiles) {
        this.tiles = el("ul", { class: "tiles batch", "aria-label": day });
        this.element.append(this.tiles);
      }
      this.tiles.append(el("li", {}, tile(picture)));
    }
  }

  remove(id) {
    this.pictures = this.pictures.filter((picture) => picture.id !== id);
    this.tile(id)?.parentElement.remove();
  }

  tile(id) {
    return this.element.querySelector(`a[href="#/picture/${CSS.escape(id)}"]`);
  }
}

export function show(place, _, query, before) {
  const address = query.toString();
  const back = before === "picture" && kept?.address === address;
  if (!back) kept = new List(address);
  const list = kept;
  const end = el("p", { class: "quiet", role: "status" });
  const sentinel = el("div");
  place.append(el("h1", {}, "Gallery"), filters(query), list.element, sentinel, end);

  async function more() {
    if (list !== kept) return;
    try {
      await list.more();
      end.textContent = list.next !== null ? "" : list.pictures.length ? "That is all." : nothing(query);
      if (list.next !== null) {
        // Looked at anew: whoever scrolls on before it has moved away would never bring it near again.
        observer.unobserve(sentinel);
        observer.observe(sentinel);
      }
    } catch (problem) {
      end.textContent = problem.message;
    }
  }

  const observer = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) more(); }, { rootMargin: NEAR });
  observer.observe(sentinel);
  list.element.addEventListener("keydown", keys);
  if (back) {
    scrollTo(0, list.scroll);
    list.tile(list.seen)?.focus();
  }
  return () => {
    observer.disconnect();
    list.element.removeEventListener("keydown", keys);
  };
}

/** The list that a picture was chosen from, for the way to the next one; `null` where there was none. */
export function current() {
  return kept;
}

export function forget() {
  kept = null;
}

function tile(picture) {
  const words = picture.prompt || (picture.private ? "A kept picture of an encrypted room" : "A picture");
  const open = () => { if (kept) { kept.scroll = scrollY; kept.seen = picture.id; } };
  return el("a", { class: "tile", href: `#/picture/${picture.id}`, title: `${moment(picture.at)} · ${picture.owner || "somebody"}`, onclick: open },
    el("img", { src: `/page/pictures/${picture.id}/thumbnail`, alt: words, loading: "lazy", decoding: "async" }),
    picture.kept && el("span", { class: "star", role: "img", "aria-label": "kept" }, "⭐"));
}

/** Arrows go from tile to tile, up and down by what lies there. */
function keys(event) {
  const tiles = [...event.currentTarget.querySelectorAll("a.tile")];
  const at = tiles.indexOf(event.target);
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1, Home: -tiles.length, End: tiles.length }[event.key];
  if (at < 0 || step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  let next = Math.min(Math.max(at + step, 0), tiles.length - 1);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const here = tiles[at].getBoundingClientRect();
    while (tiles[next + step] && Math.abs(tiles[next].getBoundingClientRect().left - here.left) > 4) next += step;
  }
  tiles[next].focus();
}

function filters(query) {
  const words = el("input", { id: "words", name: "words", type: "search", value: query.get("words") || "", maxlength: 500 });
  const since = el("input", { id: "since", name: "since", type: "date", value: query.get("since") || "" });
  const until = el("input", { id: "until", name: "until", type: "date", value: query.get("until") || "" });
  const selects = Object.keys(FILTERS).map((name) => el("select", { id: name, name }, chosen(query.get(name))));
  const field = (input, label, name = "") => el("div", { class: name }, el("label", { for: input.id }, label), input);
  const form = el("form", { class: "row filters card", role: "search", "aria-label": "Pictures" },
    field(words, "Words", "words"), selects.map((select) => field(select, FILTERS[select.id])),
    field(since, "From"), field(until, "To"), el("button", { class: "act" }, "Search"));
  const go = () => {
    const wanted = new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()));
    const hash = wanted.size ? `#/gallery?${wanted}` : "#/gallery";
    if (location.hash === hash) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = hash;
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); go(); });
  for (const input of [...selects, since, until]) input.addEventListener("change", go);
  ask("/page/filters").then((found) => {
    for (const select of selects) {
      const value = select.value;
      const options = found[select.id].map((one) => el("option", { value: one.value }, `${one.value} (${one.count})`));
      select.replaceChildren(el("option", { value: "" }, "all"), ...options);
      if (value && ![...select.options].some((option) => option.value === value)) select.append(el("option", { value }, value));
      select.value = value;
    }
  }, (problem) => say(problem.message));
  return form;
}

function chosen(value) {
  return [el("option", { value: "" }, "all"), value && el("option", { value, selected: true }, value)];
}

/** The address has days, which are the browser's; the worker takes moments. */
function asked(query) {
  const found = [...query].filter(([name]) => name in FILTERS || name === "words");
  const start = midnight(query.get("since"), 0);
  const end = midnight(query.get("until"), 1);
  if (start !== null) found.push(["since", start]);
  if (end !== null) found.push(["until", end]);
  return found;
}

function midnight(date, later) {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(date || "");
  return found && String(new Date(+found[1], found[2] - 1, +found[3] + later).getTime() / 1000);
}

function nothing(query) {
  return query.size ? "No picture is like that." : "There are no pictures yet. Those of encrypted rooms are here only where somebody keeps them (⭐).";
}
