// Which view is shown: the address says it (#/now, #/gallery?words=hat, #/picture/ID, #/read).

import { ask, onSignedOut } from "./ask.js";
import { el, say } from "./dom.js";
import * as gallery from "./gallery.js";
import * as now from "./now.js";
import * as picture from "./picture.js";
import * as read from "./read.js";
import { signIn } from "./signin.js";

const VIEWS = { now, gallery, picture, read };
const main = document.getElementById("main");
const nav = document.querySelector("nav");
let leave = () => {};
let signedIn = false;
let before = null;

/** A view is `show(place, argument, query, before)`, which returns what to call when another one comes. */
function route() {
  if (!signedIn || (location.hash && !location.hash.startsWith("#/"))) return;
  const [path, query = ""] = location.hash.slice(2).split("?", 2);
  const [name, argument = ""] = path.split("/", 2);
  const chosen = Object.hasOwn(VIEWS, name) ? name : "now";
  leave();
  const place = el("div");
  main.replaceChildren(place);
  for (const link of nav.querySelectorAll("a")) {
    const here = link.hash === `#/${chosen}` || (chosen === "picture" && link.hash === "#/gallery");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  leave = VIEWS[chosen].show(place, argument, new URLSearchParams(query), before) || (() => {});
  const lost = before !== chosen || document.activeElement === document.body;
  if (before !== null && lost && !place.contains(document.activeElement)) main.focus({ preventScroll: true });
  before = chosen;
  document.title = `${place.querySelector("h1")?.textContent || "Otterbot"} · Otterbot`;
}

function enter() {
  signedIn = true;
  nav.hidden = false;
  route();
}

function begin() {
  signedIn = false;
  before = null;
  nav.hidden = true;
  leave();
  leave = () => {};
  gallery.forget();
  document.title = "Sign in · Otterbot";
  signIn(main, enter);
}

onSignedOut.call = () => { if (signedIn) { begin(); say("You have been signed out."); } };
document.getElementById("sign-out").addEventListener("click", async () => {
  await ask("/page/session", { method: "DELETE", quietly: true }).catch(() => {});
  begin();
});
addEventListener("hashchange", route);
ask("/page/session").then((found) => (found.client === null ? begin() : enter()), begin);
