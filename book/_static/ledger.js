/* The filter of a ledger page. No library, no network; without this script every claim is shown. */
(function () {
  "use strict";

  function field(label, control) {
    const element = document.createElement("label");
    element.append(label, control);
    return element;
  }

  function option(value, text) {
    const element = document.createElement("option");
    element.value = value;
    element.textContent = text;
    return element;
  }

  function start() {
    const strip = document.querySelector(".nb-filter");
    const claims = Array.from(document.querySelectorAll(".nb-claim"));
    if (!strip || claims.length === 0) return;
    const texts = claims.map((claim) => claim.textContent.toLowerCase());

    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "id, place, kind or words";
    search.autocomplete = "off";

    const verdict = document.createElement("select");
    verdict.append(option("", "all verdicts"), option("tested", "tested, any verdict"));
    for (const item of strip.querySelectorAll("li")) {
      const words = item.querySelector(".nb-badge").lastChild.textContent.trim();
      verdict.append(option(item.dataset.verdict, words + " (" + item.querySelector(".nb-n").textContent + ")"));
    }

    const reset = document.createElement("button");
    reset.type = "button";
    reset.textContent = "Show all";
    const shown = document.createElement("output");
    shown.setAttribute("aria-live", "polite");

    const form = document.createElement("form");
    form.className = "nb-filter-form";
    form.setAttribute("role", "search");
    form.setAttribute("aria-label", "Filter the claims");
    form.append(field("Search in the claims", search), field("Verdict", verdict), reset, shown);
    form.addEventListener("submit", (event) => event.preventDefault());
    strip.append(form);

    function apply() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      claims.forEach((claim, index) => {
        const own = claim.dataset.verdict;
        const fits = verdict.value === "" || verdict.value === own || (verdict.value === "tested" && own !== "not-tested");
        const show = fits && words.every((word) => texts[index].includes(word));
        claim.hidden = !show;
        count += show ? 1 : 0;
      });
      shown.value = count === 0 ? "No claim matches." : "Showing " + count + " of " + claims.length + " claims.";
    }

    function clear() {
      search.value = "";
      verdict.value = "";
      apply();
    }

    /* "#verdict-fails" filters; "#A.thm1.l1" must never lead to a hidden claim. */
    function follow() {
      const name = decodeURIComponent(window.location.hash.slice(1));
      if (name.startsWith("verdict-")) {
        search.value = "";
        verdict.value = name.slice("verdict-".length);
        if (verdict.selectedIndex < 0) verdict.value = "";
        apply();
        return;
      }
      const target = name ? document.getElementById(name) : null;
      if (target && target.hidden) {
        clear();
        target.scrollIntoView();
      }
    }

    search.addEventListener("input", apply);
    verdict.addEventListener("change", apply);
    reset.addEventListener("click", clear);
    window.addEventListener("hashchange", follow);
    apply();
    follow();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
