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

  function page(number, rows, made) {
    awaited.get(number)?.arrived(rows, made);
  }

  // Calls `open` with the index, once it is there.
  function onIndex(open) {
    opened = open;
  }

  // A page as a promise. made: its digest, which is in its address, too: no cache mixes two reports.
  function load(number, made) {
    return new Promise((resolve, reject) => {
      const name = `data/${String(number).padStart(5, "0")}.js`;
      const refuse = (words) => {
        awaited.delete(number); // so that it can be tried again
        reject(new Error(words));
      };
      const script = document.createElement("script");
      script.src = `${name}?${made}`;
      script.onerror = () => refuse(`${name} could not be loaded; make the report anew: segpipe report`);
      script.onload = () => arrived || refuse(`${name} could not be read; make the report anew: segpipe report`);
      let arrived = false;
      awaited.get(number).arrived = (rows, found) => {
        arrived = true;
        if (found === made && Array.isArray(rows)) resolve(rows);
        else refuse("This report has been made anew; reload the page.");
      };
      document.head.append(script);
    });
  }

  // All that is told of the image in a row: loaded with its neighbours, once. made: digests of the pages.
  async function detailsOf(row, rowsInPage, made) {
    const number = Math.floor(row / rowsInPage);
    if (!awaited.has(number)) {
      const waiting = {};
      awaited.set(number, waiting);
      waiting.rows = load(number, made[number]);
    }
    return (await awaited.get(number).rows)[row % rowsInPage];
  }

  return { index, page, onIndex, detailsOf };
})();
