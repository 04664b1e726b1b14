"use strict";
// One image in full: a dialog, with its palette, the colours in each cluster, its files.

const details = (() => {
  const { make, address, number, percent, bar, compare, copy } = parts;
  const dialog = document.getElementById("details");
  document.getElementById("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  const NUMBERS = new Set(["entry", "cluster", "share", "pixels"]);

  const PALETTE = ["entry", "colour", "share", "pixels", "its most frequent colours"];
  const CLUSTERS = ["cluster", "shown as", "share", "pixels", "centre, band by band"];
  const SHOWN = 256; // rows of a palette at once: a table of thousands takes seconds
  const BAR = 64; // colours of a bar

  function swatch(color, title = null) {
    return make("span", { class: "swatch", title, style: { "--color": color } });
  }

  // What an entry is called, and what lies in it: of a raster's clusters the colour is no name.
  function cellsOf([hex, , , swatches, name, center], clusters) {
    if (clusters) return [make("td", {}, swatch(hex)), make("td", { class: "center" }, center)];
    const code = make("button", { type: "button", "aria-label": `Copy ${hex}`, onclick: () => copy(hex) }, hex);
    return [
      make("td", {}, swatch(hex), " ", code, name ? ` ${name}` : ""),
      make("td", { class: "swatches" }, ...swatches.map((color) => swatch(color, color))),
    ];
  }

  function rowOf(entry, label, clusters) {
    const [, count, share] = entry;
    const [named, last] = cellsOf(entry, clusters);
    const told = (text) => make("td", { class: "number" }, text);
    return make("tr", {}, told(String(label)), named, told(percent(share)), told(count.toLocaleString("en")), last);
  }

  // The first rows, and a button for more.
  function table(entries, clusters) {
    const head = clusters ? CLUSTERS : PALETTE;
    const body = make("tbody");
    const more = make("button", { type: "button", class: "more", onclick: () => show(grow()) });
    // Adds rows; gives the first of them.
    function grow() {
      const first = body.rows.length;
      body.append(...entries.slice(first, first + SHOWN).map((entry, place) => rowOf(entry, first + place, clusters)));
      more.hidden = body.rows.length === entries.length;
      more.textContent = `Show more (${number(body.rows.length)} of ${number(entries.length)} are shown)`;
      return body.rows[first];
    }
    function show(row) {
      const target = row.querySelector("button") ?? row;
      if (target === row) row.tabIndex = -1; // a cluster's row has nothing to press
      target.focus();
    }
    grow();
    return make(
      "div",
      {},
      make(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": clusters ? "Clusters" : "Palette" },
        make(
          "table",
          { class: "palette" },
          make("thead", {}, make("tr", {}, ...head.map((word) => make("th", { scope: "col", class: NUMBERS.has(word) ? "number" : null }, word)))),
          body,
        ),
      ),
      more,
    );
  }

  function facts(rows) {
    return make("table", {}, make("tbody", {}, ...rows.map(([what, value]) => make("tr", {}, make("th", { scope: "row" }, what), make("td", {}, value)))));
  }

  function fill(image, told) {
    const body = [];
    if (image.thumb) body.push(compare(image, "beside"));
    if (told.error) {
      const [type, message, way] = told.error;
      body.push(make("h3", {}, type), make("p", { class: "why" }, message), make("p", {}, way));
    }
    if (told.facts.length) body.push(make("h3", {}, "Facts"), make("div", { class: "told" }, facts(told.facts)));
    if (told.notes.length) body.push(make("h3", {}, "Warnings and policies"), make("ul", { class: "notes" }, ...told.notes.map((note) => make("li", {}, note))));
    if (told.palette.length) {
      body.push(
        make("h3", {}, image.clusters ? "Clusters" : "Palette"),
        bar(told.palette.slice(0, BAR).map(([hex, , share]) => [hex, share]), image.clusters),
        table(told.palette, image.clusters),
      );
    }
    if (told.files.length) {
      const links = told.files.map(([kind, path, bytes]) => make("li", {}, make("a", { href: `../${address(path)}` }, kind), ` ${number(bytes / 1000)} kB`));
      body.push(make("h3", {}, "Files"), make("ul", { class: "files" }, ...links));
    }
    document.getElementById("details-body").replaceChildren(...body);
  }

  let shown = null;

  // Opens the dialog. image: its row of the index; told: a promise of the rest.
  async function open(image, told) {
    shown = image;
    document.getElementById("details-title").textContent = image.name;
    document.getElementById("details-body").replaceChildren(make("p", {}, "Loading…"));
    dialog.showModal();
    try {
      const rest = await told;
      if (shown === image) fill(image, rest); // else it has come too late: another one was opened
    } catch (error) {
      if (shown === image) document.getElementById("details-body").replaceChildren(make("p", { class: "why" }, error.message));
    }
  }

  return { open, facts };
})();
