/* Follows Airflow's own colour scheme where the console is shown inside it; alone, the browser's preference holds.
   Loaded before anything is painted. */
(() => {
  "use strict";
  const root = document.documentElement;
  const schemes = ["light", "dark"];

  function airflowsRoot() {
    try {
      return window.parent !== window ? window.parent.document.documentElement : null;
    } catch {
      return null; // framed by somebody we may not look at
    }
  }

  function chosen() {
    const outer = airflowsRoot();
    const shown = outer && schemes.find((scheme) => outer.classList.contains(scheme));
    if (shown) return shown;
    try {
      return schemes.find((scheme) => window.localStorage.getItem("theme") === scheme);
    } catch {
      return undefined;
    }
  }

  function follow() {
    const scheme = chosen();
    if (scheme) root.dataset.theme = scheme;
    else delete root.dataset.theme;
  }

  follow();
  const outer = airflowsRoot();
  if (outer) {
    root.dataset.embedded = "";
    new MutationObserver(follow).observe(outer, { attributes: true, attributeFilter: ["class"] });
  }
})();
