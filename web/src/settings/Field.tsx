// One setting on a form: its name, the control that fits it, what it does, where its value comes from, and what is wrong with it.

import { Button } from "../components/button";
import { span } from "../ages";
import { temperatureUnit } from "../preferences";
import type { TemperatureUnit } from "../preferences";
import { useStore } from "../store";
import { temperature } from "../units";
import { fixedBy, isDefault, isMissing, oldAndNew, set, textOf, undo, unset } from "./changes";
import { Control } from "./controls";
import { find, label, parseBool, refusal, shown } from "./descriptor";
import type { Descriptor } from "./descriptor";
import { controlId, useForm } from "./form";
import type { Form } from "./form";

interface FieldProps {
  name: string;
  /** Instead of the key's last part in words. */
  title?: string;
  /** Shown below, beside what the daemon says of it. */
  hint?: string;
  /** Leaves out the daemon's words, and the ways back to what was: for a step that asks. */
  isBrief?: boolean;
}

export function Field({ name, title, hint, isBrief = false }: FieldProps) {
  const form = useForm();
  const unit = useStore(temperatureUnit);
  const one = find(form.known, name);
  if (!one) return null;
  const id = controlId(name);
  const words = title ?? label(one);
  const text = textOf(form.known, form.changes, name);
  const fixed = fixedBy(one);
  const problem = problemOf(form, one);
  const isGroup = one.kind === "choices";
  const also = refusal(one, text) === null ? inOtherWords(one, Number(text), unit) : null;
  const heading = (
    <>
      {words}
      {one.isRequired && <span class="quiet"> (required)</span>}
    </>
  );
  const describedBy = `${problem === null ? "" : `${id}-problem `}${id}-help`;
  return (
    <div class={`setting ${problem === null ? "" : "has-problem"}`} role={isGroup ? "group" : undefined} aria-labelledby={isGroup ? `${id}-name` : undefined}>
      <div class="setting-head">
        {isGroup ? (
          <span class="setting-name" id={`${id}-name`}>
            {heading}
          </span>
        ) : (
          <label class="setting-name" htmlFor={id}>
            {heading}
          </label>
        )}
        <Marks form={form} one={one} />
      </div>
      <div class={`setting-control kind-${one.kind}`}>
        <Control one={one} id={id} text={text} describedBy={describedBy} isInvalid={problem !== null} isFixed={fixed !== null || form.isReadOnly} label={words} />
        {also !== null && <span class="quiet small">= {also}</span>}
      </div>
      <p class="problem small" id={`${id}-problem`}>
        {problem}
      </p>
      <div class="setting-help quiet small" id={`${id}-help`}>
        {hint !== undefined && <p>{hint}</p>}
        {!isBrief && <p>{one.description}</p>}
        <Notes one={one} fixed={fixed} />
      </div>
      {fixed === null && !form.isReadOnly && !isBrief && <Ways form={form} one={one} words={words} />}
    </div>
  );
}

/** Seconds too many to be read as such. */
const LONG_S = 120;

/** The value as people say it: "= 4 h" for 14400 s, and °F for those who think in them. */
function inOtherWords(one: Descriptor, value: number, unit: TemperatureUnit): string | null {
  if (one.unit === "s" && value >= LONG_S) return span(value);
  // A key that is about a difference has no temp in its name.
  return one.unit === "°C" && unit === "F" && one.key.includes("temp_c") ? temperature(value, "F", 0) : null;
}

/** What is wrong with what stands there now: the daemon's refusal, or what can be said here. */
export function problemOf(form: Form, one: Descriptor): string | null {
  const refused = form.problems[one.key];
  if (refused !== undefined) return refused;
  const change = form.changes[one.key];
  if (change !== undefined && change !== null) {
    const wrong = refusal(one, change);
    if (wrong !== null) return wrong;
  }
  return isMissing(form.known, form.changes, one.key) ? "Required, and still empty." : null;
}

function Marks({ form, one }: { form: Form; one: Descriptor }) {
  const isChanged = one.key in form.changes;
  const sources: Record<string, string> = { default: "default", store: "saved", "--simulate": "simulated" };
  const source = sources[one.source] ?? one.source;
  return (
    <span class="marks">
      {isChanged ? <span class="mark changed">changed</span> : <span class="mark">{source}</span>}
      {one.needsRestart && <span class="mark waits">waits for a restart</span>}
    </span>
  );
}

function Notes({ one, fixed }: { one: Descriptor; fixed: string | null }) {
  return (
    <>
      {fixed !== null && <p class="fixed">{fixed}</p>}
      {one.isAtStart && <p>A change takes effect when the daemon starts again.</p>}
      {one.isReserved && <p>This version checks the value and does nothing with it.</p>}
    </>
  );
}

/** Undo and the default, each only where it would do something. */
function Ways({ form, one, words }: { form: Form; one: Descriptor; words: string }) {
  const { known, changes } = form;
  const isChanged = one.key in changes;
  const isMember = !known.byKey.has(one.key) || known.byKey.get(`${one.key.slice(0, one.key.lastIndexOf("."))}.NAME`) !== undefined;
  const hasDefaultWay = !isMember && one.kind !== "secret" && !isDefault(one) && changes[one.key] !== null;
  const { old } = oldAndNew(known, changes, one.key);
  if (!isChanged && !hasDefaultWay) return null;
  return (
    <div class="row small">
      {isChanged && (
        <Button class="slight" label={`Undo the change of ${words}`} onClick={() => form.change(undo(changes, one.key))}>
          Undo{one.kind === "secret" ? "" : `: ${old}`}
        </Button>
      )}
      {hasDefaultWay && (
        <Button class="slight" label={`Use the default for ${words}`} onClick={() => form.change(unset(known, changes, one.key))}>
          Default: {shown(one, one.default)}
        </Button>
      )}
    </div>
  );
}

/** A field that is only a switch, with its words beside it. */
export function isOn(form: Form, key: string): boolean {
  return parseBool(textOf(form.known, form.changes, key)) === true;
}

/** Sets a text in the form. */
export function setText(form: Form, key: string, text: string): void {
  form.change(set(form.known, form.changes, key, text));
}
