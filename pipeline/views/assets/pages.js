"use strict";
// The data: files of JavaScript, for a page that was opened from a disk may load nothing else. Each
// calls `segpipe.index` or `segpipe.page` with what it holds.

const segpipe = (() => {
  const awaited = new Map();
  let opened = null;

  // The rows of the index, and what begins with them.
  function index(data) {
    opened?.(data);
  }

  function page(number, rows) {
    awaited.get(number)?.arrived(rows);
  }

  // Calls `open` with the index, once it is there.
  function onIndex(open) {
    opened = open;
  }

  // All that is told of the image in a row, as a promise: loaded with its neighbours, once.
  async function detailsOf(row, rowsInPage) {
    const number = Math.floor(row / rowsInPage);
    if (!awaited.has(number)) {
      const waiting = {};
      waiting.rows = new Promise((resolve, reject) => {
        waiting.arrived = resolve;
        const script = document.createElement("script");
        script.src = `data/${String(number).padStart(5, "0")}.js`;
        script.onerror = () => {
          awaited.delete(number); // so that it can be tried again
          reject(new Error(`${script.getAttribute("src")} could not be loaded`));
        };
        awaited.set(number, waiting);
        document.head.append(script);
      });
    }
    return (await awaited.get(number).rows)[row % rowsInPage];
  }

  return { index, page, onIndex, detailsOf };
})();
