// Keys, live runs, and pictures in full size. Everything else is plain HTML and htmx.
"use strict";

const cards = () => [...document.querySelectorAll(".list .prompt")];

function step(by) {
  const all = cards();
  if (!all.length) return;
  const current = all.indexOf(document.activeElement?.closest(".prompt"));
  const next = current < 0 ? 0 : Math.min(all.length - 1, Math.max(0, current + by));
  all[next].focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "start" });
}

const isTyping = (target) => target.matches("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (event.key === "ArrowRight") step(1);
  else if (event.key === "ArrowLeft") step(-1);
  else {
    const button = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!button) return;
    button.click();
  }
  event.preventDefault();
});

document.addEventListener("toggle", (event) => {
  const picture = event.target.open && event.target.querySelector("img[data-whole]");
  if (picture) { picture.src = picture.dataset.whole; picture.removeAttribute("data-whole"); }
}, true);

document.addEventListener("error", (event) => {
  const picture = event.target;
  if (!(picture instanceof HTMLImageElement) || !picture.closest(".shot")) return;
  fetch(picture.src, { headers: { "hx-request": "true" } }).then((answer) => answer.text()).then((html) => {
    const shown = new DOMParser().parseFromString(html, "text/html").body.textContent.trim();
    const missing = document.createElement("p");
    missing.className = "missing";
    missing.textContent = `No picture here: ${shown}`;
    picture.closest(".shot").replaceWith(missing);
  });
}, true);

if (document.querySelector("#runs")) {
  new EventSource("/events").addEventListener("grown", () => htmx.trigger(document.body, "grown"));
}
