// Draws the map of an owner's memories once the server has computed it.
const ASK_AGAIN_MS = 500;
const COLOURS = ["#9810fa", "#f97316", "#16a34a", "#2563eb", "#dc2626", "#0891b2", "#a16207", "#db2777"];
const DAY = 86400;
const AGES = [DAY, 7 * DAY, 30 * DAY, 365 * DAY, Infinity];
const canvas = document.getElementById("map");
const state = document.getElementById("map-state");
let chart = null;
let map = null;

async function fetchMap() {
    const answer = await fetch(canvas.dataset.url).catch(() => null);
    if (answer?.status === 202) {
        setTimeout(fetchMap, ASK_AGAIN_MS);
    } else if (!answer?.ok || answer.redirected) {
        state.textContent = state.dataset.failed;
    } else {
        map = await answer.json();
        const count = map.points.length;
        state.textContent = count ? `${count.toLocaleString()} ${state.dataset.count}` : state.dataset.empty;
        draw();
    }
}

function groupOf(point, by) {
    if (by === "type") {
        return point[2];
    }
    const age = Date.now() / 1000 - point[3];
    return AGES.findIndex((limit) => age < limit);
}

function datasets(by) {
    const names = by === "type" ? map.types : canvas.dataset.ages.split("|");
    const groups = names.map((name, place) => ({
        label: name,
        data: [],
        backgroundColor: `${COLOURS[place % COLOURS.length]}b0`,
        pointRadius: map.points.length > 5000 ? 2 : 4,
        borderWidth: 0,
    }));
    for (const point of map.points) {
        groups[groupOf(point, by)].data.push({ x: point[0], y: point[1], at: point[3], id: point[4] });
    }
    return groups.filter((group) => group.data.length);
}

function draw() {
    chart?.destroy();
    const by = document.querySelector('input[name="colour"]:checked').value;
    const axis = { ticks: { display: false }, grid: { color: "#8a8f9840" }, min: -1.3, max: 1.3 };
    chart = new Chart(canvas, {
        type: "scatter",
        data: { datasets: datasets(by) },
        options: {
            animation: false,
            maintainAspectRatio: false,
            scales: { x: axis, y: { ...axis } },
            plugins: {
                legend: { position: "bottom", labels: { boxWidth: 12, color: "#8a8f98" } },
                tooltip: {
                    callbacks: {
                        label: (item) => `${item.dataset.label}, ${new Date(item.raw.at * 1000).toLocaleString()}`,
                    },
                },
            },
            onClick: (event, found) => {
                if (found.length) {
                    const { datasetIndex, index } = found[0];
                    open(chart.data.datasets[datasetIndex].data[index].id);
                }
            },
            onHover: (event, found) => {
                event.native.target.style.cursor = found.length ? "pointer" : "default";
            },
        },
    });
}

function open(quotedId) {
    location.href = canvas.dataset.memoryUrl.replace("ID", () => encodeURIComponent(quotedId));
}

for (const choice of document.querySelectorAll('input[name="colour"]')) {
    choice.addEventListener("change", () => map?.points.length && draw());
}
fetchMap();
