// The photo as it is shown: gray and colored with a handle between them, or colored with a canvas on top.

const element = (id) => document.getElementById(id);

export class Viewer {
  #addresses = {};

  constructor() {
    this.frame = element("frame");
    this.wipe = element("wipe");
    this.wipe.addEventListener("input", () => this.#slide());
    this.#slide();
  }

  /** 'compare' or 'correct'. */
  setView(view) {
    const compares = view === "compare";
    this.frame.classList.toggle("compare", compares);
    this.wipe.hidden = !compares;
    element("canvas").hidden = compares;
  }

  open(photo, grayAddress) {
    element("name").textContent = photo.name;
    this.frame.style.setProperty("--ratio", photo.width / photo.height);
    element("gray").src = grayAddress;
    element("gray").alt = `${photo.name}, without colour`;
    element("color").alt = `${photo.name}, colored`;
    element("canvas").ariaLabel = `Hints on ${photo.name}`;
    this.close();
  }

  /** Show no colours, and wait for none. */
  close() {
    this.setBusy(false);
    this.#show("color", null);
    this.setDoubt(null);
  }

  setColor(blob) {
    this.#show("color", blob);
  }

  /** A layer over the colored picture, or null. */
  setDoubt(blob) {
    this.#show("doubt", blob);
  }

  setBusy(isBusy) {
    clearTimeout(this.timer);
    document.body.ariaBusy = isBusy || null;
    // What is quick needs no sign.
    if (isBusy) this.timer = setTimeout(() => (element("busy").hidden = false), 250);
    else element("busy").hidden = true;
  }

  #show(id, blob) {
    const image = element(id);
    URL.revokeObjectURL(this.#addresses[id]);
    image.hidden = !blob;
    if (blob) image.src = this.#addresses[id] = URL.createObjectURL(blob);
    else image.removeAttribute("src");
  }

  #slide() {
    this.frame.style.setProperty("--at", `${this.wipe.value / 10}%`);
    this.wipe.ariaValueText = `${Math.round(this.wipe.value / 10)} % without colour`;
  }
}
