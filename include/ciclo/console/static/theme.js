/* Follows Airflow's own colour scheme and language where the console is shown inside it; alone, the browser's preference
   holds. Loaded before anything is painted. */
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

  /* Airflow's language is known to its pages alone; a cookie tells the server, which knows better if the reader chose. */
  function followLanguage() {
    try {
      const spoken = window.localStorage.getItem("i18nextLng");
      const told = document.cookie.split("; ").includes(`ciclo_airflow_language=${spoken}`);
      if (!spoken || told || !/^[\w-]{2,16}$/.test(spoken)) return;
      document.cookie = `ciclo_airflow_language=${spoken}; path=${root.dataset.path || "/"}; samesite=lax`;
      if (document.cookie.includes(`ciclo_airflow_language=${spoken}`)) window.location.reload();
    } catch {
      /* no storage, no cookies: the browser's language has to do */
    }
  }

  follow();
  followLanguage();
  window.addEventListener("storage", followLanguage);
  const outer = airflowsRoot();
  if (outer) {
    root.dataset.embedded = "";
    new MutationObserver(follow).observe(outer, { attributes: true, attributeFilter: ["class"] });
  }
})();
