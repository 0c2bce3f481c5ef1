// The form for the token.

import { ask } from "./ask.js";
import { el } from "./dom.js";

export function signIn(place, enter) {
  const token = el("input", { id: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false" });
  const wrong = el("p", { class: "bad", role: "alert" });
  const button = el("button", { class: "act" }, "Sign in");
  const form = el("form", { class: "card sign-in" },
    el("h1", {}, "Sign in"),
    el("p", {}, el("label", { for: "token" }, "The worker's token"), token),
    el("p", { class: "quiet" }, "It lies in the file “token” of the worker's data directory, and in the settings of the bot."),
    wrong, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    wrong.textContent = "";
    try {
      await ask("/page/session", { method: "POST", json: { token: token.value }, quietly: true });
      token.value = "";
      enter();
    } catch (problem) {
      wrong.textContent = problem.code === "unauthorized" ? "The worker does not know this token." : problem.message;
      button.disabled = false;
      token.select();
    }
  });
  place.replaceChildren(form);
  token.focus();
}
