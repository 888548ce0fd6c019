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

// Try: a picture in, answers as they come.
const refuse = (text) => {
  const shown = document.querySelector("#refused");
  shown.textContent = text;
  shown.hidden = !text;
};

async function take(file) {
  refuse("");
  const answer = await fetch("/try/picture", {
    method: "POST",
    body: file,
    headers: { "x-evalrun-token": document.body.dataset.token, "content-type": file.type, "hx-request": "true" },
  });
  if (!answer.ok) {
    const html = new DOMParser().parseFromString(await answer.text(), "text/html");
    refuse([...html.querySelectorAll("p")].map((it) => it.textContent).join(" "));
    return;
  }
  const { picture } = await answer.json();
  document.querySelector("#picture").value = picture;
  const preview = document.querySelector("#preview");
  preview.src = `/try/picture/${picture}`;
  preview.hidden = false;
}

if (document.querySelector("#try")) {
  const drop = document.querySelector("#drop");
  document.querySelector("#file").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0]));
  document.addEventListener("paste", (event) => event.clipboardData.files[0] && take(event.clipboardData.files[0]));
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => event.dataTransfer.files[0] && take(event.dataTransfer.files[0]));
  document.addEventListener("click", (event) => {
    const model = event.target.dataset?.model;
    if (!model) return;
    const fields = [...document.querySelectorAll("#try input[data-name]")];
    const free = fields.find((field) => !field.value || field.value === model) ?? fields.at(-1);
    free.value = model;
  });
}

document.addEventListener("htmx:afterSwap", (event) => {
  const trial = event.target.querySelector?.("[data-trial]");
  if (!trial || trial.dataset.followed) return;
  trial.dataset.followed = "yes";
  const events = new EventSource(`/try/${trial.dataset.trial}/events`);
  const part = (data, selector) => trial.querySelector(`[data-at="${data.at}"] ${selector}`);
  events.addEventListener("text", (message) => {
    const data = JSON.parse(message.data);
    part(data, "[data-text]").textContent = data.text;
  });
  events.addEventListener("answer", (message) => {
    const data = JSON.parse(message.data);
    part(data, "[data-answer]").innerHTML = data.html;
  });
  events.addEventListener("done", (message) => {
    events.close();
    const { agreement } = JSON.parse(message.data);
    const shown = trial.querySelector("[data-agreement]");
    shown.textContent = agreement;
    shown.hidden = !agreement;
    trial.querySelector("[data-stop]").remove();
    for (const waiting of trial.querySelectorAll("[data-waiting]")) waiting.textContent = "no answer: it was stopped";
    for (const button of trial.querySelectorAll("[data-vote]")) button.disabled = false;
  });
});
