// What would be saved, what is wrong with it, and saving: all of it or nothing.

import { useEffect, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";
import { problemText } from "../api";
import { askConfirmation } from "../components/dialogs";
import { Banner } from "../components/banner";
import { Button } from "../components/button";
import { navigate } from "../router";
import { counted, obstacles, oldAndNew, undo } from "./changes";
import type { Problems } from "./changes";
import { find, label } from "./descriptor";
import type { Known } from "./descriptor";
import { discard, refused } from "./draft";
import { focusOn, useForm } from "./form";
import { loadSettings, saveChanges } from "./requests";

interface ReviewProps {
  /** Where a key's control is. */
  placeOf(key: string): string;
  /** What holds has been read anew. */
  onKnown(known: Known): void;
  onSaved(message: string): void;
}

export function Review({ placeOf, onKnown, onSaved }: ReviewProps) {
  const form = useForm();
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<{ why: string; problems: Problems } | null>(null);
  const summary = useRef<HTMLDivElement>(null);
  const changes = Object.keys(form.changes).sort();
  // What is shown as old must be what holds, whoever has changed it meanwhile.
  useEffect(() => {
    loadSettings().then(onKnown, () => {});
  }, []);
  useEffect(() => {
    if (problem !== null) summary.current?.focus();
  }, [problem]);
  const save = async () => {
    const wrong = obstacles(form.known, form.changes);
    if (Object.keys(wrong).length > 0) {
      setProblem({ why: "Not saved: this must be mended first.", problems: wrong });
      return;
    }
    setBusy(true);
    try {
      const saved = await saveChanges(form.changes);
      if (!saved.isSaved) {
        refused.set(saved.problems);
        setProblem({ why: "Not saved, nothing of it:", problems: saved.problems });
        return;
      }
      const count = changes.length;
      discard();
      const known = await loadSettings().catch(() => null);
      if (known) onKnown(known);
      const waits = known ? [...known.byKey.values()].filter((one) => one.needsRestart).map((one) => label(one)) : [];
      onSaved(`Saved ${counted(count)}.${waits.length > 0 ? ` Until the daemon starts again the old value holds for: ${waits.join(", ")}.` : ""}`);
    } catch (failed) {
      setProblem({ why: `Not saved. ${problemText(failed)}`, problems: {} });
    } finally {
      setBusy(false);
    }
  };
  const throwAway = async () => {
    const isSure = await askConfirmation({ title: "Discard the changes?", text: `${counted(changes.length)} will be forgotten; nothing is saved.`, action: "Discard", isDangerous: true });
    if (!isSure) return;
    discard();
    navigate("/settings");
  };
  if (changes.length === 0) return <p>Nothing has been changed, so there is nothing to save.</p>;
  return (
    <>
      {problem !== null && <Refused problem={problem} placeOf={placeOf} box={summary} />}
      <ul class="changes card">
        {changes.map((key) => (
          <Change key={key} name={key} place={placeOf(key)} />
        ))}
      </ul>
      <p class="quiet small">All of them are saved together, or none. A running box goes by them at once, except where it says otherwise.</p>
      <div class="row">
        <Button kind="primary" isBusy={isBusy} isDisabled={form.isReadOnly} onClick={() => void save()}>
          Save {counted(changes.length)}
        </Button>
        <Button onClick={() => void throwAway()}>Discard them</Button>
      </div>
    </>
  );
}

function Refused({ problem, placeOf, box }: { problem: { why: string; problems: Problems }; placeOf(key: string): string; box: RefObject<HTMLDivElement | null> }) {
  const form = useForm();
  return (
    <div ref={box} tabIndex={-1} role="alert" class="error-summary">
      <Banner kind="danger" title={problem.why}>
        <ul>
          {byText(problem.problems).map(([why, keys]) => (
            <li key={why}>
              {keys.map((key, at) => {
                const one = find(form.known, key);
                return (
                  <>
                    {at > 0 && ", "}
                    <a href={placeOf(key)} onClick={(event) => goTo(event, placeOf(key), key)}>
                      {one ? label(one) : key}
                    </a>
                  </>
                );
              })}
              {": "}
              {why}
            </li>
          ))}
        </ul>
      </Banner>
    </div>
  );
}

/** What is said of several keys is said once. */
function byText(problems: Problems): [string, string[]][] {
  const found = new Map<string, string[]>();
  for (const [key, why] of Object.entries(problems)) found.set(why, [...(found.get(why) ?? []), key]);
  return [...found];
}

function goTo(event: MouseEvent, place: string, key: string): void {
  event.preventDefault();
  navigate(place);
  // The section is drawn first.
  requestAnimationFrame(() => requestAnimationFrame(() => focusOn(key)));
}

function Change({ name, place }: { name: string; place: string }) {
  const form = useForm();
  const one = find(form.known, name);
  const { old, new: next } = oldAndNew(form.known, form.changes, name);
  const words = one ? label(one) : name;
  return (
    <li>
      <div>
        <strong>{words}</strong> <code class="quiet">{name}</code>
        <p class="old-new">
          <span class="unseen">from </span>
          <del>{old}</del> <span aria-hidden="true">→</span>
          <span class="unseen"> to </span> <ins>{next}</ins>
        </p>
      </div>
      <span class="row">
        <a href={place} onClick={(event) => goTo(event, place, name)}>
          Edit<span class="unseen"> {words}</span>
        </a>
        <Button class="slight" label={`Undo the change of ${words}`} onClick={() => form.change(undo(form.changes, name))}>
          Undo
        </Button>
      </span>
    </li>
  );
}
