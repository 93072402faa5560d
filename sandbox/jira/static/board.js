// Keeps the live parts of a page fresh, lets cards be dragged, and submits the "I am" choice at once.
// Every action is a plain form; without this script the pages work, they only do not refresh.
"use strict";

document.documentElement.classList.add("live");

const REFRESH_MILLISECONDS = 1000;
let dragged = null;

async function refresh(region) {
  const response = await fetch(region.dataset.live, { cache: "no-store" });
  if (response.status === 404) {
    location.reload();
    return;
  }
  if (!response.ok) throw new Error(`answered ${response.status}`);
  const version = response.headers.get("X-Content-Version");
  if (version === region.dataset.version || dragged) return;
  const html = await response.text();
  const first = region.dataset.version === undefined;
  region.dataset.version = version;
  // The first answer is what the page already shows, unless something happened in between.
  if (first && region.innerHTML.trim() === html.trim()) return;
  const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
  region.innerHTML = html;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function refreshAll() {
  if (!document.hidden) {
    try {
      await Promise.all([...document.querySelectorAll("[data-live]")].map(refresh));
      document.getElementById("offline").hidden = true;
    } catch {
      document.getElementById("offline").hidden = false;
    }
  }
  setTimeout(refreshAll, REFRESH_MILLISECONDS);
}

function moveButton(card, column) {
  return card.querySelector(`button[data-to="${column.dataset.statusId}"]`);
}

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".card") ?? null;
  dragged?.classList.add("dragging");
});

document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragging");
  dragged = null;
  document.querySelectorAll(".over").forEach((column) => column.classList.remove("over"));
});

document.addEventListener("dragover", (event) => {
  const column = event.target.closest?.(".column");
  document.querySelectorAll(".over").forEach((other) => other.classList.toggle("over", other === column));
  if (!dragged || !column || !moveButton(dragged, column)) return;
  event.preventDefault();
  column.classList.add("over");
});

document.addEventListener("drop", (event) => {
  const column = event.target.closest?.(".column");
  const button = dragged && column && moveButton(dragged, column);
  if (!button) return;
  event.preventDefault();
  button.form.requestSubmit(button);
});

document.getElementById("person")?.addEventListener("change", (event) => event.target.form.submit());

refreshAll();
