// The controls, one for each kind of value. A control knows the text that holds and gives another; what follows is the form's.

import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../components/button";
import { SecretInput } from "../components/secret";
import { isFilled, set, undo } from "./changes";
import { parseBool, words } from "./descriptor";
import type { Descriptor } from "./descriptor";
import { useForm } from "./form";

interface ControlProps {
  one: Descriptor;
  id: string;
  text: string;
  describedBy: string;
  isInvalid: boolean;
  /** It cannot be changed here. */
  isFixed: boolean;
  label: string;
}

export function Control(props: ControlProps) {
  const form = useForm();
  const give = (text: string) => form.change(set(form.known, form.changes, props.one.key, text));
  switch (props.one.kind) {
    case "bool":
      return <Switch {...props} give={give} />;
    case "choice":
      return <OneOf {...props} give={give} />;
    case "choices":
      return <SomeOf {...props} give={give} />;
    case "secret":
      return <Secret {...props} give={give} />;
    default:
      return <Typed {...props} give={give} />;
  }
}

type GivingProps = ControlProps & { give(text: string): void };

function Switch({ id, text, describedBy, isInvalid, isFixed, give }: GivingProps) {
  const isOn = parseBool(text) === true;
  return (
    <span class="switch">
      <input
        type="checkbox"
        role="switch"
        id={id}
        checked={isOn}
        disabled={isFixed}
        aria-describedby={describedBy}
        aria-invalid={isInvalid}
        onChange={(event) => give(String(event.currentTarget.checked))}
      />
      <span aria-hidden="true">{isOn ? "on" : "off"}</span>
    </span>
  );
}

function OneOf({ one, id, text, describedBy, isInvalid, isFixed, give }: GivingProps) {
  const isKnown = one.choices.includes(text);
  return (
    <select id={id} value={text} disabled={isFixed} aria-describedby={describedBy} aria-invalid={isInvalid} onChange={(event) => give(event.currentTarget.value)}>
      {!isKnown && <option value={text}>{text}</option>}
      {one.choices.map((word) => (
        <option key={word} value={word}>
          {word}
        </option>
      ))}
    </select>
  );
}

/** "none" stands alone. */
export function toggled(chosen: readonly string[], word: string, isChosen: boolean): string[] {
  if (!isChosen) return chosen.filter((other) => other !== word);
  return word === "none" ? ["none"] : [...chosen.filter((other) => other !== "none" && other !== word), word];
}

function SomeOf({ one, id, text, describedBy, isFixed, give }: GivingProps) {
  const chosen = words(text);
  const change = (word: string, isChosen: boolean) => {
    const next = toggled(chosen, word, isChosen);
    give(next.length === 0 && one.choices.includes("none") ? "none" : next.join(","));
  };
  return (
    <div class="some-of" id={id} tabIndex={-1} aria-describedby={describedBy}>
      {one.choices.map((word) => (
        <label key={word}>
          <input type="checkbox" checked={chosen.includes(word)} disabled={isFixed} onChange={(event) => change(word, event.currentTarget.checked)} />
          {backendName(word)}
        </label>
      ))}
    </div>
  );
}

/** Products as their makers spell them; other words stay as they are. */
export function backendName(word: string): string {
  const names: Record<string, string> = {
    influxdb_v1: "InfluxDB 1",
    influxdb_v2: "InfluxDB 2",
    influxdb_v3: "InfluxDB 3",
    prometheus: "Prometheus Pushgateway",
    prometheus_remote_write: "Prometheus remote write",
    timescaledb: "TimescaleDB or PostgreSQL",
    victoriametrics: "VictoriaMetrics",
  };
  return names[word] ?? word;
}

/** What is there is never shown; it is replaced or cleared. */
function Secret({ one, id, describedBy, isInvalid, isFixed, give, label }: GivingProps) {
  const form = useForm();
  const change = form.changes[one.key];
  const [isOpen, setOpen] = useState(typeof change === "string");
  const input = useRef<HTMLInputElement>(null);
  // Once it is saved there is nothing left to type.
  useEffect(() => {
    if (typeof change !== "string") setOpen(false);
  }, [form.known]);
  if (!isOpen) {
    const isThere = isFilled(form.known, form.changes, one.key);
    const open = () => {
      form.change(undo(form.changes, one.key));
      setOpen(true);
      requestAnimationFrame(() => input.current?.focus());
    };
    return (
      <span class="row">
        <span class="secret-state">{isThere ? "set" : "not set"}</span>
        {!isFixed && (
          <Button label={`${isThere ? "Replace" : "Set"} ${label}`} describedBy={describedBy} onClick={open} id={id}>
            {isThere ? "Replace" : "Set"}
          </Button>
        )}
        {!isFixed && isThere && (
          <Button label={`Clear ${label}`} onClick={() => form.change({ ...form.changes, [one.key]: null })}>
            Clear
          </Button>
        )}
      </span>
    );
  }
  // An empty line changes nothing: clearing is said, not typed.
  const typed = (text: string) => (text === "" ? form.change(undo(form.changes, one.key)) : give(text));
  return (
    <span class="row">
      <SecretInput id={id} value={change ?? ""} label={label} autocomplete="off" isInvalid={isInvalid} describedBy={describedBy} inputRef={input} onInput={typed} />
      <Button
        label={`Leave ${label} as it is`}
        onClick={() => {
          form.change(undo(form.changes, one.key));
          setOpen(false);
        }}
      >
        Keep
      </Button>
    </span>
  );
}

/** The keyboards for numbers of some phones have no minus. */
function inputMode(one: Descriptor): "decimal" | "numeric" | "url" | "text" {
  if (one.kind === "url") return "url";
  if (one.kind === "integer") return "numeric";
  return one.kind === "number" && (one.min ?? 0) >= 0 ? "decimal" : "text";
}

function Typed({ one, id, text, describedBy, isInvalid, isFixed, give }: GivingProps) {
  const isNumber = one.kind === "number" || one.kind === "integer";
  // Many people's keyboards have a comma where the daemon expects a point.
  const cleaned = (typed: string) => (isNumber ? typed.replace(",", ".") : typed);
  return (
    <>
      <input
        id={id}
        type="text"
        inputMode={inputMode(one)}
        class={isNumber ? "number-input" : undefined}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        readOnly={isFixed}
        value={text}
        aria-describedby={describedBy}
        aria-invalid={isInvalid}
        onInput={(event) => give(cleaned(event.currentTarget.value))}
      />
      {one.unit !== "" && <span class="unit">{one.unit}</span>}
      {isNumber && one.min !== null && one.max !== null && one.max < Number.MAX_SAFE_INTEGER && (
        <span class="quiet small">
          {one.min} to {one.max}
        </span>
      )}
    </>
  );
}
