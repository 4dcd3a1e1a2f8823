// The map: colour, score and anomalies on one canvas, with zoom and pan.
function viridis(t) {
  const x = Math.min(1, Math.max(0, t)) * (data.viridis.length - 1), i = Math.min(data.viridis.length - 2, Math.floor(x)), f = x - i;
  return data.viridis[i].map((v, k) => Math.round(v + f * (data.viridis[i + 1][k] - v)));
}

class SceneMap {
  constructor(canvas, levels, shares, image) {
    Object.assign(this, data.picture, { canvas, levels, shares, image, layer: "composite", flags: true, mark: null });
    this.brush = canvas.getContext("2d");
    this.flagged = new Uint32Array(0);
    canvas.style.aspectRatio = `${this.width} / ${this.height}`;
    this.range = this.colours();
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen();
    this.resize();
  }
  // Colour of each level, between the 2 % and the 99.8 % score, and at least up to the reported threshold.
  colours() {
    const { score, above } = data.curves, at = (share) => score[Math.max(0, above.findIndex((n) => n <= share * data.valid))] ?? high;
    const from = at(0.98), to = Math.max(at(0.002), Math.min(high, (data.threshold ?? 0) * 1.5), from + 1e-9);
    this.table = new Uint32Array(65536);
    for (let q = 1; q < 65536; q++) {
      const [r, g, b] = viridis(((q - 1) / 65534 - position(from)) / (position(to) - position(from) || 1));
      this.table[q] = (255 << 24 | b << 16 | g << 8 | r) >>> 0;
    }
    return [from, to];
  }
  // Painted when it is first shown: the page opens sooner.
  get score() { return (this.scorePicture ??= this.painted((i) => this.levels[i] ? this.table[this.levels[i]] : 0)); }
  painted(colour) {
    const canvas = document.createElement("canvas");
    canvas.width = this.width; canvas.height = this.height;
    const brush = canvas.getContext("2d"), picture = brush.createImageData(this.width, this.height);
    const out = new Uint32Array(picture.data.buffer);
    for (let i = 0; i < out.length; i++) out[i] = colour(i);
    brush.putImageData(picture, 0, 0);
    return canvas;
  }
  cut(threshold) {
    const level = 1 + Math.round(65534 * position(threshold)), flagged = [];
    if (threshold < low) this.flagged = Uint32Array.from(this.levels.keys()).filter((i) => this.levels[i]);
    else {
      for (let i = 0; i < this.levels.length; i++) if (this.levels[i] > level) flagged.push(i);
      this.flagged = Uint32Array.from(flagged);
    }
    this.draw();
  }
  resize() {
    const ratio = window.devicePixelRatio || 1, { clientWidth: w, clientHeight: h } = this.canvas;
    if (!w || !h) return;
    this.canvas.width = Math.round(w * ratio); this.canvas.height = Math.round(h * ratio); this.ratio = ratio;
    this.fit();
  }
  fit() {
    this.least = Math.min(this.canvas.width / this.width, this.canvas.height / this.height);
    this.zoom = this.least;
    this.x = (this.canvas.width - this.width * this.zoom) / 2; this.y = (this.canvas.height - this.height * this.zoom) / 2;
    this.draw();
  }
  scale(factor, px = this.canvas.width / 2, py = this.canvas.height / 2) {
    const zoom = Math.min(this.least * 400, Math.max(this.least, this.zoom * factor)), f = zoom / this.zoom;
    this.x = px - (px - this.x) * f; this.y = py - (py - this.y) * f; this.zoom = zoom;
    if (zoom === this.least) this.fit(); else this.draw();
  }
  move(dx, dy) { this.x += dx; this.y += dy; this.draw(); }
  goTo([top, left, bottom, right]) {
    const size = Math.max(4, bottom - top, right - left);
    this.zoom = Math.max(this.least, Math.min(this.least * 400, 0.3 * Math.min(this.canvas.width, this.canvas.height) / size));
    this.x = (this.canvas.width - (left + right) * this.zoom) / 2; this.y = (this.canvas.height - (top + bottom) * this.zoom) / 2;
    this.draw();
  }
  draw() {
    const b = this.brush, z = this.zoom;
    this.canvas.classList.toggle("zoomed", z > this.least * 1.001);
    b.setTransform(1, 0, 0, 1, 0, 0);
    b.clearRect(0, 0, this.canvas.width, this.canvas.height);
    b.imageSmoothingEnabled = z < 1;
    b.drawImage(this.layer === "score" ? this.score : this.image, this.x, this.y, this.width * z, this.height * z);
    if (this.flags) this.drawFlags();
    if (this.mark) {
      const [top, left, bottom, right] = this.mark, gap = 5 * this.ratio, least = 14 * this.ratio;
      const w = Math.max(least, (right - left) * z + 2 * gap), h = Math.max(least, (bottom - top) * z + 2 * gap);
      for (const [colour, wide] of [["#000", 4], ["#fff", 2]]) {
        b.strokeStyle = colour; b.lineWidth = wide * this.ratio;
        b.strokeRect(this.x + ((left + right) * z - w) / 2, this.y + ((top + bottom) * z - h) / 2, w, h);
      }
    }
  }
  // Every flagged pixel is at least two and a half screen pixels wide: one alone must be seen.
  drawFlags() {
    const b = this.brush, z = this.zoom, size = Math.max(z, this.flagged.length < 30000 ? 2.5 * this.ratio : 1), off = (z - size) / 2;
    b.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--flag");
    for (const i of this.flagged) {
      const x = this.x + (i % this.width) * z + off, y = this.y + Math.floor(i / this.width) * z + off;
      if (x < -size || y < -size || x > this.canvas.width || y > this.canvas.height) continue;
      // Whole screen pixels, and an edge that is one by all but rounding counts as one, so that neighbours leave no seam.
      const whole = (at) => Math.floor(at + 1e-6), left = whole(x), top = whole(y);
      b.fillRect(left, top, Math.max(1, whole(x + size) - left), Math.max(1, whole(y + size) - top));
    }
  }
  pixel(event) {
    const box = this.canvas.getBoundingClientRect();
    return this.at((event.clientX - box.left) * this.ratio, (event.clientY - box.top) * this.ratio);
  }
  at(px, py) {
    const col = Math.floor((px - this.x) / this.zoom), row = Math.floor((py - this.y) / this.zoom);
    return row >= 0 && col >= 0 && row < this.height && col < this.width ? [row, col] : null;
  }
  place(row, col) {
    if (!this.corners) return "";
    const u = (col + 0.5) / this.width, v = (row + 0.5) / this.height, [a, b, c, d] = this.corners;
    const mix = (k) => (1 - v) * ((1 - u) * a[k] + u * b[k]) + v * ((1 - u) * d[k] + u * c[k]);
    return `, lon ${mix(0).toFixed(5)}, lat ${mix(1).toFixed(5)}`;
  }
  // What the line below the map says of a pixel: its place, its score and the score's two terms.
  description([row, col]) {
    const i = row * this.width + col, where = `row ${row * this.step}, column ${col * this.step}${this.place(row, col)}`;
    if (!this.levels[i]) return `${where}: left out`;
    const score = scoreAt((this.levels[i] - 1) / 65534), kl = (score * this.shares[i]) / 252;
    return `${where}: score ${shown(score)} = reconstruction ${shown(score - kl, 3)} + KL ${shown(kl, 3)} nats`;
  }
  listen() {
    const fingers = new Map();
    let moved = 0, gap = 0;
    const xy = (e) => [e.clientX * this.ratio, e.clientY * this.ratio];
    this.canvas.addEventListener("pointerdown", (e) => { fingers.set(e.pointerId, xy(e)); moved = 0; gap = 0; });
    this.canvas.addEventListener("pointermove", (e) => {
      const here = this.pixel(e);
      if (here) $("readout").textContent = this.description(here);
      const before = fingers.get(e.pointerId);
      if (!before) return;
      const now = xy(e);
      fingers.set(e.pointerId, now);
      moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (moved > 4 * this.ratio) this.canvas.setPointerCapture(e.pointerId);
      if (fingers.size === 1 && moved > 4 * this.ratio && this.zoom > this.least) this.move(now[0] - before[0], now[1] - before[1]);
      if (fingers.size === 2) {
        const [p, q] = [...fingers.values()], wide = Math.hypot(p[0] - q[0], p[1] - q[1]), box = this.canvas.getBoundingClientRect();
        if (gap) this.scale(wide / gap, (p[0] + q[0]) / 2 - box.left * this.ratio, (p[1] + q[1]) / 2 - box.top * this.ratio);
        gap = wide;
      }
    });
    const up = (e) => { fingers.delete(e.pointerId); gap = 0; };
    for (const kind of ["pointerup", "pointercancel", "pointerleave"]) this.canvas.addEventListener(kind, up);
    this.canvas.addEventListener("click", (e) => { const here = this.pixel(e); if (here && moved <= 4 * this.ratio) this.picked(here); });
    this.canvas.addEventListener("wheel", (e) => {
      if (document.activeElement !== this.canvas && !e.ctrlKey) return; // the page scrolls until the map is clicked
      e.preventDefault();
      const box = this.canvas.getBoundingClientRect();
      this.scale(Math.exp(-e.deltaY / 300), (e.clientX - box.left) * this.ratio, (e.clientY - box.top) * this.ratio);
    }, { passive: false });
    this.canvas.addEventListener("keydown", (e) => {
      const step = 40 * this.ratio, middle = () => this.at(this.canvas.width / 2, this.canvas.height / 2);
      const does = {
        ArrowLeft: () => this.move(step, 0), ArrowRight: () => this.move(-step, 0), ArrowUp: () => this.move(0, step), ArrowDown: () => this.move(0, -step),
        "+": () => this.scale(1.5), "=": () => this.scale(1.5), "-": () => this.scale(1 / 1.5), "0": () => this.fit(),
        Enter: () => { const here = middle(); if (here) { $("readout").textContent = this.description(here); this.picked(here); } },
      }[e.key];
      if (does) { e.preventDefault(); does(); }
    });
  }
}
