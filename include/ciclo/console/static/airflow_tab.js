/* The console's tab on the pages of a Dag, a run and a task instance: a component that Airflow's UI renders.
   It frames the console's own page of what was touched, on the same origin, so that its links work. */
globalThis.AirflowPlugin = ({ dagId, runId, taskId, mapIndex }) => {
  const given = { dag_id: dagId, run_id: runId, task_id: taskId, map_index: mapIndex, bare: "1" };
  const query = new URLSearchParams(Object.entries(given).filter(([, value]) => value !== undefined));
  return globalThis.React.createElement("iframe", {
    src: new URL(`billing/runs?${query}`, document.baseURI).href,
    style: { border: "none", display: "block", height: "70vh", width: "100%" },
    title: "Billing",
  });
};
