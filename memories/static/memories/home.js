// Asks for the live part of the home page again while somebody looks, and makes rates of what the
// orchestrators counted between two looks.
const LOOK_AGAIN_MS = 3000;
let before = null;
let shown = {};

function countsIn(part) {
    const busy = part.querySelector(".memories-busy");
    const counts = { total: Number(busy.dataset.total) };
    for (const cell of part.querySelectorAll("[data-count]")) {
        counts[cell.dataset.rate] = Number(cell.dataset.count);
    }
    return { seen: Number(busy.dataset.seen), counts };
}

function updateRates(part) {
    const now = countsIn(part);
    const seconds = before ? now.seen - before.seen : 0;
    if (seconds > 0) {
        shown = {};
        for (const [name, count] of Object.entries(now.counts)) {
            // An orchestrator that began anew counts from zero.
            const rate = Math.max(0, count - (before.counts[name] ?? 0)) / seconds;
            shown[name] = rate.toLocaleString(undefined, { maximumFractionDigits: 1 });
        }
    }
    if (!before || seconds !== 0) {
        before = now;
    }
    for (const cell of part.querySelectorAll("[data-rate]")) {
        cell.textContent = shown[cell.dataset.rate] ?? "…";
    }
}

async function lookAgain(part) {
    if (document.hidden || part.contains(document.activeElement)) {
        return; // nobody looks, or the keyboard stands on a link that would be replaced
    }
    const answer = await fetch(part.dataset.url).catch(() => null);
    if (!answer?.ok || answer.redirected) {
        part.dataset.stale = "";
        return;
    }
    delete part.dataset.stale;
    part.innerHTML = await answer.text();
    updateRates(part);
}

const part = document.getElementById("home-live");
updateRates(part);
setInterval(() => lookAgain(part), LOOK_AGAIN_MS);
