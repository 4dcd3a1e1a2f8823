// The page of a watched place: a slider over dates, a list of alerts, and the history of the one that is chosen.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const NS = "http://www.w3.org/2000/svg";
const state = { date: data.dates.length - 1, layer: "score", filter: "sure", key: "evidence", down: true, chosen: null };
const shown = (value) => value === null || value === undefined || value === "" ? "–"
  : typeof value !== "number" ? String(value)
  : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e7) ? value.toExponential(1) : String(Number(value.toPrecision(4)));

function part(parent, name, attributes, text) {
  const node = document.createElementNS(NS, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

// The map: two pictures above each other, moved and scaled together.
function showDate() {
  const date = data.dates[state.date];
  const colour = state.layer === "colour" && date.colour;
  $("base").src = colour ? "data:image/jpeg;base64," + date.colour : "data:image/png;base64," + date.score;
  $("status").src = "data:image/png;base64," + date.status;
  $("status").hidden = !$("show-status").checked;
  $("date").value = state.date;
  const without = state.layer === "colour" && !date.colour ? "; no colour picture of this date, the score is shown" : "";
  $("shown").textContent = date.date + (date.used ? "" : ", left out: do-not-use") + ": " + date.confirmed + " confirmed pixels of the small map" + without;
  $("before").disabled = state.date === 0;
  $("after").disabled = state.date === data.dates.length - 1;
  drawHistory();
}
function zoom(box) {
  if (!box) { $("sheet").style.transform = ""; $("marks").style.setProperty("--thin", 1); return; }
  const [top, west, bottom, east] = box, pad = 12;
  const high = bottom - top + 2 * pad, wide = east - west + 2 * pad;
  const scale = Math.max(1, Math.min(data.rows / high, data.cols / wide, 12));
  const x = (west + east) / 2 / data.cols, y = (top + bottom) / 2 / data.rows;
  const clamp = (at) => Math.min(0, Math.max(1 - scale, .5 - at * scale));
  $("marks").style.setProperty("--thin", 1 / scale);
  $("sheet").style.transform = `translate(${100 * clamp(x)}%, ${100 * clamp(y)}%) scale(${scale})`;
}
function mark(alert) {
  $("marks").replaceChildren();
  if (!alert) return;
  const [top, west, bottom, east] = alert.box;
  part($("marks"), "rect", { x: west - 1, y: top - 1, width: east - west + 2, height: bottom - top + 2 });
}

// The list.
function listed() {
  const sure = ["confirmed", "provisional"];
  const rows = data.alerts.filter((a) => state.filter === "" || (state.filter === "sure" ? sure.includes(a.status) : a.status === state.filter));
  const place = (v) => v === null || v === undefined ? -Infinity : v;
  rows.sort((a, b) => {
    const [x, y] = [place(a[state.key]), place(b[state.key])];
    return (x < y ? -1 : x > y ? 1 : a.id - b.id) * (state.down ? -1 : 1);
  });
  return rows;
}
function showList() {
  const rows = listed(), body = $("alerts").tBodies[0];
  body.replaceChildren(...rows.map((alert) => {
    const row = document.createElement("tr");
    row.dataset.alert = alert.id;
    row.classList.toggle("chosen", state.chosen === alert.id);
    for (const key of data.columns) {
      const cell = row.insertCell();
      if (key === "id") {
        const button = document.createElement("button");
        button.textContent = alert.id;
        cell.append(button);
      } else cell.textContent = shown(alert[key]);
      if (key === "status") cell.className = "text";
    }
    return row;
  }));
  $("count").textContent = rows.length + " of " + data.total + " alerts" + (data.total > data.alerts.length ? ", the strongest " + data.alerts.length + " are on the page" : "");
  for (const button of $("alerts").tHead.querySelectorAll("button")) {
    const sorted = button.dataset.key === state.key ? (state.down ? "descending" : "ascending") : "none";
    button.parentElement.setAttribute("aria-sort", sorted);
  }
}
function choose(id) {
  const alert = data.alerts.find((a) => a.id === id);
  if (!alert) return;
  state.chosen = id;
  if (!listed().includes(alert)) { state.filter = ""; $("filter").value = ""; }
  // The last date on which it was seen shows it; on the newest one it may lie under clouds.
  const seen = data.dates.findLastIndex((d) => d.used && d.date <= alert.last_seen);
  if (seen >= 0 && seen !== state.date) { state.date = seen; showDate(); }
  mark(alert); zoom(alert.box); showList(); showDetail(alert);
}

// The chosen alert.
function showDetail(alert) {
  $("title").textContent = "Alert " + alert.id + ", " + alert.status;
  const words = ["first seen " + alert.first_seen, "last seen " + alert.last_seen];
  if (alert.confirmed_on) words.push("confirmed " + alert.confirmed_on);
  if (alert.closed_on) words.push("closed " + alert.closed_on);
  words.push(alert.anomalous_looks + " odd of " + alert.looks + " looks", shown(alert.evidence) + " nats of evidence");
  if (alert.merged) words.push("with what was alert " + alert.merged);
  $("words").textContent = words.join(", ") + ".";
  drawHistory(); drawSpectrum(alert);
}
const WIDE = 420, TALL = 200, EDGE = 38;
function drawHistory() {
  const svg = $("history"), alert = data.alerts.find((a) => a.id === state.chosen);
  svg.replaceChildren();
  $("history-words").textContent = "";
  if (!alert || !alert.history) return;
  svg.setAttribute("viewBox", `0 0 ${WIDE} ${TALL}`);
  const days = data.dates.map((d) => Date.parse(d.date)), first = days[0], span = Math.max(1, days[days.length - 1] - first);
  const x = (i) => EDGE + (WIDE - EDGE - 8) * (days[i] - first) / span;
  const y = (p) => 12 + (TALL - 44) * (1 - Math.min(12, -Math.log10(p)) / 12);
  for (const power of [0, 4, 8, 12]) {
    part(svg, "line", { x1: EDGE, x2: WIDE - 8, y1: y(10 ** -power), y2: y(10 ** -power), class: "axis" });
    part(svg, "text", { x: EDGE - 4, y: y(10 ** -power) + 4, "text-anchor": "end" }, power ? "1e-" + power : "1");
  }
  for (const [i, anchor] of [[0, "start"], [days.length - 1, "end"]]) part(svg, "text", { x: x(i), y: TALL - 4, "text-anchor": anchor }, data.dates[i].date);
  alert.history.p.forEach((p, i) => {
    if (p === null) { part(svg, "line", { x1: x(i), x2: x(i), y1: TALL - 30, y2: TALL - 22, class: "cloudy" }); return; }
    const dot = part(svg, "circle", { cx: x(i), cy: y(p), r: i === state.date ? 5 : 3, class: p <= .01 ? "odd" : "look" });
    part(dot, "title", {}, data.dates[i].date + ": score " + shown(alert.history.score[i]) + " nats, p-value " + shown(p));
  });
  const now = alert.history.p[state.date];
  const look = now === null ? "no clear look" : "score " + shown(alert.history.score[state.date]) + " nats, p-value " + shown(now);
  $("history-words").textContent = "p-value of the alert's strongest pixel at each date; a stroke below is a date without a clear look. " + data.dates[state.date].date + ": " + look + ".";
}
function drawSpectrum(alert) {
  const svg = $("spectrum"), sets = alert.spectra || [];
  svg.replaceChildren();
  $("spectrum-words").textContent = sets.length ? "" : "No spectrum: the dates' report pages were not written, or none of their spectra is of this alert.";
  if (!sets.length) return;
  svg.setAttribute("viewBox", `0 0 ${WIDE} ${TALL}`);
  const all = sets.flatMap((s) => [...s.observed, ...s.expected]).filter((v) => v !== null);
  const low = Math.min(...all), high = Math.max(...all), n = sets[0].observed.length;
  const at = data.wavelengths && data.wavelengths.length === n ? data.wavelengths : [...Array(n).keys()];
  const x = (i) => EDGE + (WIDE - EDGE - 8) * (at[i] - at[0]) / Math.max(1e-9, at[n - 1] - at[0]);
  const y = (v) => 10 + (TALL - 30) * (1 - (v - low) / Math.max(1e-9, high - low));
  part(svg, "text", { x: EDGE - 4, y: y(high) + 4, "text-anchor": "end" }, shown(high));
  part(svg, "text", { x: EDGE - 4, y: y(low) + 4, "text-anchor": "end" }, shown(low));
  const known = data.wavelengths && data.wavelengths.length === n;
  const named = (i) => known ? shown(data.wavelengths[i]) + " nm" : data.bands[i] || "band " + (i + 1);
  for (const [i, anchor] of [[0, "start"], [n >> 1, "middle"], [n - 1, "end"]]) {
    part(svg, "line", { x1: x(i), x2: x(i), y1: 10, y2: TALL - 18, class: "axis" });
    part(svg, "text", { x: x(i), y: TALL - 4, "text-anchor": anchor }, named(i));
  }
  const line = (values, kind) => part(svg, "polyline", { points: values.map((v, i) => v === null ? "" : x(i) + "," + y(v)).join(" "), class: "line " + kind });
  sets.forEach((s, i) => { line(s.expected, "expected " + (i ? "latest" : "then")); line(s.observed, i ? "latest" : "then"); });
  $("spectrum-words").textContent = sets.map((s, i) => (i ? "pink: " : "blue: ") + "observed " + s.date).join("; ") + "; dashed: what the model expected of each.";
}

// What a person does.
const move = (to) => { state.date = Math.max(0, Math.min(data.dates.length - 1, to)); showDate(); };
$("date").addEventListener("input", () => move(Number($("date").value)));
$("before").addEventListener("click", () => move(state.date - 1));
$("after").addEventListener("click", () => move(state.date + 1));
$("out").addEventListener("click", () => zoom(null));
$("show-status").addEventListener("change", showDate);
for (const input of document.querySelectorAll("[name=layer]")) input.addEventListener("change", () => { state.layer = input.value; showDate(); });
$("filter").addEventListener("change", () => { state.filter = $("filter").value; showList(); });
$("alerts").tHead.addEventListener("click", (event) => {
  const key = event.target.dataset.key;
  if (!key) return;
  state.down = key === state.key ? !state.down : true;
  state.key = key;
  showList();
});
$("alerts").tBodies[0].addEventListener("click", (event) => choose(Number(event.target.closest("tr").dataset.alert)));
$("changes").addEventListener("click", (event) => { if (event.target.dataset.alert) choose(Number(event.target.dataset.alert)); });
$("map").addEventListener("click", (event) => {
  const box = $("sheet").getBoundingClientRect();
  const col = (event.clientX - box.left) / box.width * data.cols, row = (event.clientY - box.top) / box.height * data.rows;
  const near = data.alerts.filter((a) => row >= a.box[0] - 3 && row <= a.box[2] + 3 && col >= a.box[1] - 3 && col <= a.box[3] + 3);
  near.sort((a, b) => b.evidence - a.evidence);
  if (near.length) choose(near[0].id);
});
document.addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT"].includes(event.target.tagName)) return;
  if (event.key === "ArrowLeft") move(state.date - 1);
  if (event.key === "ArrowRight") move(state.date + 1);
  if (event.key === "Escape") zoom(null);
});
$("map").style.setProperty("--shape", data.cols + " / " + data.rows);
$("marks").setAttribute("viewBox", `0 0 ${data.cols} ${data.rows}`);
$("marks").setAttribute("preserveAspectRatio", "none");
showDate(); showList();
document.body.dataset.ready = "yes";
