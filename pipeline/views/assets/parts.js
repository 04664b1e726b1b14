"use strict";
// What cards and details are made of. Texts from files are only ever text: nothing here takes HTML.

const parts = (() => {
  const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

  // An element; attributes that begin with "on" are listeners, `style` sets custom properties.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "style") for (const [key, word] of Object.entries(value)) element.style.setProperty(key, word);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child != null));
    return element;
  }

  // The address of a file of the output tree, from its path.
  function address(path) {
    return path.split("/").map(encodeURIComponent).join("/");
  }

  function number(value) {
    return value == null ? "–" : numbers.format(value);
  }

  function percent(share) {
    return `${share >= 0.1 ? (100 * share).toFixed(0) : (100 * share).toFixed(1)} %`;
  }

  // Tells something for a moment, to eyes and screen readers.
  function say(words) {
    // While the dialog is open, nothing outside it reaches either.
    const said = document.querySelector("dialog[open] .said") ?? document.getElementById("said");
    said.textContent = words;
    said.classList.add("shown");
    clearTimeout(said.timer);
    said.timer = setTimeout(() => said.classList.remove("shown"), 1800);
  }

  async function copy(hex) {
    try {
      await navigator.clipboard.writeText(hex);
    } catch {
      // Pages from a disk may not be let near the clipboard that way.
      const field = make("textarea", { readonly: true, "aria-hidden": "true" });
      field.value = hex;
      (document.querySelector("dialog[open]") ?? document.body).append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    say(`${hex} copied`);
  }

  // The palette as a bar; colours: [hex, share] each, of which those left out are shown as a rest.
  // Of clusters the colours are only those of the picture: none is to be copied.
  function bar(colors, clusters = false) {
    const rest = 1 - colors.reduce((sum, [, share]) => sum + share, 0);
    return make(
      "div",
      { class: "bar", role: "group", "aria-label": clusters ? "Shares of the clusters" : "Palette; each colour can be copied" },
      ...colors.map(([hex, share]) => {
        const style = { "--color": hex, "--share": share };
        if (clusters) return make("span", { class: "cluster", title: percent(share), style });
        return make("button", {
          type: "button",
          title: `${hex}, ${percent(share)}: click to copy`,
          "aria-label": `Copy ${hex}, ${percent(share)}`,
          style,
          onclick: () => copy(hex),
        });
      }),
      rest > 0.002 ? make("span", { class: "rest", title: `more ${clusters ? "clusters" : "colours"}, ${percent(rest)}`, style: { "--share": rest } }) : null,
    );
  }

  const VIEWS = ["original", "quantized", "segments"];
  const VIEWS_OF_CLUSTERS = ["original", "segments"];

  function pane(source, name, views, place) {
    const view = views[place];
    const image = make("img", { src: source, alt: `${view[0].toUpperCase()}${view.slice(1)} of ${name}`, loading: "lazy", decoding: "async" });
    image.style.setProperty("--place", place);
    return make("figure", { class: "pane" }, image, make("figcaption", {}, view));
  }

  // What the pane to the right shows; nothing if there is no choice.
  function choiceOf(name, views, show) {
    if (views.length === 2) return null;
    return make(
      "div",
      { class: "against", role: "radiogroup", "aria-label": `Compare the original of ${name} with` },
      ...views.slice(1).map((view, before) =>
        make("label", {}, make("input", {
          type: "radio", name: `against ${name}`, checked: before === 0, onchange: () => show(before + 1),
        }), view),
      ),
    );
  }

  // The pictures of an image's strip: under a slider, or beside each other. image: its row of the index.
  function compare({ name, width, height, clusters }, view) {
    const source = `thumbs/${address(name)}.webp`;
    const views = clusters ? VIEWS_OF_CLUSTERS : VIEWS;
    const style = { "--image": width / height, "--pictures": views.length };
    if (view === "beside") {
      return make("div", { class: "compare beside", style }, make("div", { class: "panes" }, ...views.map((_, place) => pane(source, name, views, place))));
    }
    const right = pane(source, name, views, 1);
    const slider = make("input", {
      type: "range", min: 0, max: 100, value: 50, "aria-label": `How much of the original of ${name} is shown, in percent`,
      oninput: (event) => whole.style.setProperty("--at", `${event.target.value}%`),
    });
    const whole = make("div", { class: "compare slider", style }, make("div", { class: "panes" }, pane(source, name, views, 0), right), slider);
    return make("div", {}, whole, choiceOf(name, views, (place) => right.replaceChildren(...pane(source, name, views, place).children)));
  }

  return { make, address, number, percent, bar, compare, copy };
})();
