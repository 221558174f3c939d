// Asks the chosen backends with what stands on the form, saved or not: reachable, known to them, allowed to write? Nothing is stored there.

import { useState } from "preact/hooks";
import { problemText } from "../api";
import { Button } from "../components/button";
import { isMissing, textOf } from "./changes";
import { backendName } from "./controls";
import { label, words } from "./descriptor";
import { useForm } from "./form";
import { testDatabase } from "./requests";
import type { Tested } from "./requests";

export function DatabaseTest({ onTested }: { onTested?: (isGood: boolean) => void }) {
  const form = useForm();
  const [results, setResults] = useState<Tested[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const chosen = words(textOf(form.known, form.changes, "database.type")).filter((word) => word !== "none");
  if (chosen.length === 0) return null;
  const missing = [...form.known.byKey.values()].filter((one) => isMissing(form.known, form.changes, one.key));
  const test = async () => {
    setResults(null);
    if (missing.length > 0) {
      setProblem(`Not yet: fill in ${missing.map((one) => label(one)).join(", ")} first.`);
      return;
    }
    setProblem(null);
    setBusy(true);
    try {
      const answers = await testDatabase(form.changes);
      setResults(answers);
      onTested?.(answers.length > 0 && answers.every((answer) => answer.ok));
    } catch (refused) {
      setProblem(problemText(refused));
      onTested?.(false);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="card" aria-label="Test of the connection">
      <div class="row">
        <Button onClick={() => void test()} isBusy={isBusy}>
          {isBusy ? "Asking…" : "Test the connection"}
        </Button>
        <span class="quiet small">Is it reachable, does it let us write? Asked with what stands here, saved or not; takes up to 15 s.</span>
      </div>
      <div role="status">
        {results?.map((result) => (
          <p key={result.type} class={result.ok ? "tested good" : "tested bad"}>
            <strong>
              {backendName(result.type)}: {result.ok ? "ok" : "FAILED"}
            </strong>{" "}
            {result.line}
          </p>
        ))}
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
    </section>
  );
}
