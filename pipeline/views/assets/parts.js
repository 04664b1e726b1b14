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
  function bar(colors) {
    const rest = 1 - colors.reduce((sum, [, share]) => sum + share, 0);
    return make(
      "div",
      { class: "bar", role: "group", "aria-label": "Palette; each colour can be copied" },
      ...colors.map(([hex, share]) =>
        make("button", {
          type: "button",
          title: `${hex}, ${percent(share)}: click to copy`,
          "aria-label": `Copy ${hex}, ${percent(share)}`,
          style: { "--color": hex, "--share": share },
          onclick: () => copy(hex),
        }),
      ),
      rest > 0.002 ? make("span", { class: "rest", title: `more colours, ${percent(rest)}`, style: { "--share": rest } }) : null,
    );
  }

  const VIEWS = ["original", "quantized", "segments"];

  function pane(source, name, third) {
    const image = make("img", { src: source, alt: `${third === 0 ? "Original" : third === 1 ? "Quantized" : "Segments"} of ${name}`, loading: "lazy", decoding: "async" });
    image.style.setProperty("--third", third);
    return make("figure", { class: "pane" }, image, make("figcaption", {}, VIEWS[third]));
  }

  // The thirds of a strip: under a slider, or beside each other. size: [width, height] of the image.
  function compare(name, size, view) {
    const source = `thumbs/${address(name)}.webp`;
    const style = { "--image": size[0] / size[1] };
    if (view === "beside") {
      return make("div", { class: "compare beside", style }, make("div", { class: "panes" }, ...[0, 1, 2].map((third) => pane(source, name, third))));
    }
    const right = pane(source, name, 1);
    const slider = make("input", {
      type: "range", min: 0, max: 100, value: 50, "aria-label": `How much of the original of ${name} is shown, in percent`,
      oninput: (event) => whole.style.setProperty("--at", `${event.target.value}%`),
    });
    const whole = make("div", { class: "compare slider", style }, make("div", { class: "panes" }, pane(source, name, 0), right), slider);
    const choice = make(
      "div",
      { class: "against", role: "radiogroup", "aria-label": `Compare the original of ${name} with` },
      ...[1, 2].map((third) =>
        make("label", {}, make("input", {
          type: "radio", name: `against ${name}`, checked: third === 1,
          onchange: () => right.replaceChildren(...pane(source, name, third).children),
        }), VIEWS[third]),
      ),
    );
    return make("div", {}, whole, choice);
  }

  return { make, address, number, percent, bar, compare, copy };
})();
