// Without this script everything is there; with it the search filters, snippets name this hub and can be copied.
"use strict";

(function () {
  const root = new URL(document.body.dataset.root || "./", location.href);
  const hub = root.href.replace(/\/$/, "");

  if (location.protocol !== "file:") {
    for (const place of document.querySelectorAll(".hub")) {
      place.textContent = hub;
    }
  }

  for (const block of document.querySelectorAll(".snippet")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const text = block.querySelector("code").textContent.replace(/\n$/, "");
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch (error) {
        const range = document.createRange();
        range.selectNodeContents(block.querySelector("code"));
        const selection = getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    });
    block.append(button);
  }

  const input = document.getElementById("q");
  if (!input) {
    return;
  }
  const cards = [...document.querySelectorAll(".card")];
  const found = document.getElementById("found");

  function filter() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const card of cards) {
      const fits = words.every((word) => card.dataset.search.includes(word));
      card.hidden = !fits;
      count += fits;
    }
    for (const group of document.querySelectorAll(".group")) {
      group.hidden = !group.querySelector(".card:not([hidden])");
    }
    if (!words.length) {
      found.textContent = "";
    } else if (count) {
      found.textContent = `${count} of ${cards.length}`;
    } else {
      found.textContent = "Nothing has all of these words. Try one of them, or a part of it.";
    }
    const address = new URL(location.href);
    if (input.value) {
      address.searchParams.set("q", input.value);
    } else {
      address.searchParams.delete("q");
    }
    history.replaceState(null, "", address);
  }

  input.value = new URLSearchParams(location.search).get("q") || "";
  input.addEventListener("input", filter);
  input.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const only = cards.filter((card) => !card.hidden);
    if (only.length === 1) {
      location.href = only[0].querySelector("a").href;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== input && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      input.focus();
    }
  });
  if (input.value) {
    filter();
  }
})();
