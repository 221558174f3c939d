// Step 5: where measurements are sent, if anywhere, with a test before anything is saved.

import { useState } from "preact/hooks";
import { isInUse, textOf } from "../settings/changes";
import { backendName } from "../settings/controls";
import { DatabaseTest } from "../settings/DatabaseTest";
import { words } from "../settings/descriptor";
import { Field } from "../settings/Field";
import { useForm } from "../settings/form";
import { StepFrame } from "./StepFrame";
import { useDaemonForm } from "./useDaemonForm";

export function DatabaseStep({ onNext, onBack }: { onNext(): void; onBack(): void }) {
  const state = useDaemonForm();
  const [tested, setTested] = useState<boolean | null>(null);
  const { form } = state;
  const isNone = !form || words(textOf(form.known, form.changes, "database.type")).every((word) => word === "none");
  const isUnsure = !isNone && tested !== true && Object.keys(form.changes).length > 0;
  return (
    <StepFrame state={state} onNext={onNext} onBack={onBack} nextWords={isUnsure ? "Save without a good test" : "Save and go on"}>
      <Choice onTested={setTested} />
    </StepFrame>
  );
}

function Choice({ onTested }: { onTested(isGood: boolean): void }) {
  const form = useForm();
  const chosen = words(textOf(form.known, form.changes, "database.type")).filter((word) => word !== "none");
  const section = form.known.sections.find(({ keys }) => keys.some((one) => one.key === "database.type"));
  const wanted = (backend: string) =>
    (section?.keys ?? []).filter((one) => one.key.startsWith(`database.${backend}.`) && !one.isFamily && isInUse(form.known, form.changes, one.key));
  return (
    <div class="fields">
      <p>The history is kept on this machine in any case. A database is for those who have one and want to see the box in its charts.</p>
      <Field name="database.type" title="Databases" isBrief />
      {chosen.map((backend) => {
        const keys = wanted(backend);
        const main = keys.filter((one) => one.isRequired || MAIN.has(one.key.split(".").at(-1) ?? ""));
        const rest = keys.filter((one) => !main.includes(one));
        return (
          <div class="fields" key={backend} role="group" aria-label={backendName(backend)}>
            <h2>{backendName(backend)}</h2>
            {main.map((one) => (
              <Field key={one.key} name={one.key} />
            ))}
            {rest.length > 0 && (
              <details>
                <summary>More ({rest.length})</summary>
                <div class="fields">
                  {rest.map((one) => (
                    <Field key={one.key} name={one.key} />
                  ))}
                </div>
              </details>
            )}
          </div>
        );
      })}
      <DatabaseTest onTested={onTested} />
    </div>
  );
}

/** What most servers ask for, besides what is required. */
const MAIN = new Set(["url", "host", "port", "database", "username", "password", "token"]);
