"use strict";
// The gallery: which images are shown, in which order, a page at a time.

(() => {
  const { make, number, bar, compare } = parts;
  const CARDS = 24;
  const at = (id) => document.getElementById(id);
  const STATES = ["done", "failed", "skipped"];
  const SHOWN = {
    all: () => true,
    done: (image) => image.state === 0,
    failed: (image) => image.state === 1,
    skipped: (image) => image.state === 2,
    changed: (image) => image.changed,
    noted: (image) => image.noted,
    fewer: (image) => image.found != null && image.asked > image.found,
  };
  const KEYS = {
    colors: (image) => image.found,
    mse: (image) => image.mse,
    delta: (image) => image.delta,
    share: (image) => (image.share == null ? null : 100 * image.share),
    megapixels: (image) => (image.width ? (image.width * image.height) / 1e6 : null),
  };
  let images = [];
  let chosen = [];
  let first = 0;
  let rowsInPage = 50;
  let made = []; // digests of the pages of details

  // The columns of the index, turned into an object for each image.
  function rowsOf(columns) {
    return columns.name.map((name, row) => ({
      name,
      row,
      folded: name.toLowerCase(),
      state: columns.state[row],
      asked: columns.asked[row],
      found: columns.found[row],
      mse: columns.mse[row],
      delta: columns.delta[row],
      width: columns.width[row],
      height: columns.height[row],
      thumb: columns.thumb[row] === 1,
      clusters: columns.clusters[row] === 1,
      changed: columns.changed[row] === 1,
      noted: columns.noted[row] === 1,
      bar: columns.bar[row],
      share: columns.bar[row] ? shareOf(columns.bar[row], 0) : null,
      why: columns.why[row],
    }));
  }

  // A bar is a text: of each colour six digits of its hex code and four of its share, in ten thousandths,
  // of which only a whole one has the most.
  function shareOf(text, place) {
    const digits = Number(text.slice(place + 6, place + 10));
    return digits === 9999 ? 1 : digits / 1e4;
  }

  function colorsOf(text) {
    const colors = [];
    for (let place = 0; place < text.length; place += 10) colors.push([`#${text.slice(place, place + 6)}`, shareOf(text, place)]);
    return colors;
  }

  // Whether what images are sorted by is within the bounds that are typed; names have none.
  function withinBounds(key) {
    at("bounds").hidden = !key;
    const [least, most] = [at("least").valueAsNumber, at("most").valueAsNumber];
    if (!key || (Number.isNaN(least) && Number.isNaN(most))) return () => true;
    return (image) => {
      const value = key(image);
      return value != null && !(value < least) && !(value > most);
    };
  }

  function choose() {
    const words = at("name").value.toLowerCase();
    const show = SHOWN[at("show").value];
    const key = KEYS[at("sort").value];
    const sign = at("descending").checked ? -1 : 1;
    const within = withinBounds(key);
    chosen = images.filter((image) => show(image) && image.folded.includes(words) && within(image));
    if (key) {
      // What has no value comes last, whichever way it is sorted.
      chosen.sort((one, other) => {
        const [a, b] = [key(one), key(other)];
        if (a == null || b == null) return (a == null) - (b == null) || one.row - other.row;
        return sign * (a - b) || one.row - other.row;
      });
    } else if (sign < 0) chosen.reverse();
    first = 0;
    render();
  }

  function factsOf(image) {
    const words = [];
    if (image.width) words.push(`${image.width} × ${image.height}`);
    const kind = image.clusters ? "clusters" : "colours";
    if (image.found != null) words.push(image.asked > image.found ? `${image.found} of ${image.asked} ${kind}` : `${image.found} ${kind}`);
    if (image.mse != null) words.push(`MSE ${number(image.mse)}`);
    if (image.delta != null) words.push(`ΔE ${number(image.delta)}`);
    // A number stays with what it is of where the line is broken.
    return words.map((word) => word.replaceAll(" ", "\u00a0")).join(" · ");
  }

  function cardOf(image) {
    const view = document.querySelector("input[name=view]:checked").value;
    const open = () => details.open(image, segpipe.detailsOf(image.row, rowsInPage, made));
    return make(
      "article",
      { class: `card ${STATES[image.state]}` },
      make("h2", {}, make("button", { type: "button", "aria-haspopup": "dialog", onclick: open }, image.name)),
      image.thumb ? compare(image, view) : null,
      image.bar ? bar(colorsOf(image.bar), image.clusters) : null,
      make("p", { class: "facts" }, factsOf(image)),
      image.why ? make("p", { class: image.state === 1 ? "why" : "facts" }, image.why) : null,
    );
  }

  function render() {
    const shown = chosen.slice(first, first + CARDS);
    const gallery = at("gallery");
    gallery.className = document.querySelector("input[name=view]:checked").value;
    gallery.replaceChildren(...(shown.length ? shown.map(cardOf) : [make("p", { class: "empty" }, "No image is like that.")]));
    at("count").textContent = `${chosen.length.toLocaleString("en")} of ${images.length.toLocaleString("en")} images`;
    const pages = Math.max(1, Math.ceil(chosen.length / CARDS));
    at("page").textContent = `page ${first / CARDS + 1} of ${pages}`;
    at("previous").disabled = first === 0;
    at("next").disabled = first + CARDS >= chosen.length;
    at("pages").hidden = pages === 1;
  }

  function turn(by) {
    first += by * CARDS;
    render();
    at("gallery").focus({ preventScroll: true });
    at("gallery").scrollIntoView();
  }

  function totals(rows) {
    at("totals").replaceChildren(
      ...rows.map(([what, value, bad]) => make("div", { class: bad ? "bad" : "" }, make("dt", {}, what), make("dd", {}, value))),
    );
  }

  function restoreTheme() {
    const root = document.documentElement;
    const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    const tell = () => {
      at("theme").textContent = dark() ? "Light" : "Dark";
    };
    try {
      root.dataset.theme = localStorage.getItem("segpipe-theme") ?? "";
      if (!root.dataset.theme) delete root.dataset.theme;
    } catch {
      // A page from a disk may have no storage; then the choice lasts as long as the page.
    }
    at("theme").addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try {
        localStorage.setItem("segpipe-theme", root.dataset.theme);
      } catch {
        // As above.
      }
      tell();
    });
    tell();
  }

  let waiting = 0;
  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(choose, 16); // a frame's time; frames themselves are not for windows that nobody sees
  }

  restoreTheme();
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  for (const typed of ["name", "least", "most"]) at(typed).addEventListener("input", soon);
  at("controls").addEventListener("change", (event) => {
    if (event.target.name === "view") render();
    else if (event.target.matches("select, #descending")) soon(); // what is typed has been heeded by then
  });
  at("previous").addEventListener("click", () => turn(-1));
  at("next").addEventListener("click", () => turn(1));
  segpipe.onIndex((data) => {
    document.title = data.title;
    document.querySelector("h1").textContent = data.title;
    rowsInPage = data.rows_in_page;
    made = data.pages;
    images = rowsOf(data.images);
    totals(data.totals);
    at("run").replaceChildren(details.facts(data.run));
    at("about").hidden = data.run.length === 0;
    choose();
  });
})();
