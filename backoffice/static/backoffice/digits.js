"use strict";
/* The admin's scripts count selected rows and number inline forms in ASCII digits; on a Persian
   page these few texts are shown in Persian ones. */
(() => {
  if (document.documentElement.lang !== "fa") {
    return;
  }
  const COUNTERS = ".action-counter, .actions .all, .inline_label, .sortpriority";

  function translate(node) {
    const shown = node.data.replace(/[0-9]/g, (digit) => "۰۱۲۳۴۵۶۷۸۹"[digit]);
    if (shown !== node.data) node.data = shown;
  }

  function translateWithin(element) {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) translate(texts.currentNode);
  }

  function watch() {
    document.querySelectorAll(COUNTERS).forEach(translateWithin);
    new MutationObserver((changes) => {
      changes.forEach(({ target }) => {
        const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
        const counter = element && element.closest(COUNTERS);
        if (counter) translateWithin(counter);
        else if (element) element.querySelectorAll(COUNTERS).forEach(translateWithin);
      });
    }).observe(document.body, { childList: true, characterData: true, subtree: true });
  }

  document.addEventListener("DOMContentLoaded", watch);
})();
