// What both browsers need: elements, and texts as they are searched, whatever their case and width.
// Every text reaches the page through textContent, so nothing of it is ever markup.
"use strict";
const make = (tag, css, text) => {
  const element = document.createElement(tag);
  if (css) element.className = css;
  if (text !== undefined) element.textContent = text;
  return element;
};

const wide = (text) => text.normalize("NFKC").toLowerCase();

// Puts text into an element with every occurrence of the words marked.
const put = (element, text, words) => {
  const lower = wide(text);
  let start = 0;
  if (words && lower.length === text.length) {
    for (let hit = lower.indexOf(words); hit >= 0; hit = lower.indexOf(words, start)) {
      element.append(text.slice(start, hit), make("mark", "", text.slice(hit, hit + words.length)));
      start = hit + words.length;
    }
  }
  element.append(text.slice(start));
};
