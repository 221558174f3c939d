// A family of settings with names of the person's own, such as tags: each has a line, and can be renamed and removed.

import { useId, useState } from "preact/hooks";
import { Button } from "../components/button";
import { fixedBy, members, rename, set, textOf, unset } from "./changes";
import { familyPrefix, find, label, nameRefusal } from "./descriptor";
import type { Descriptor } from "./descriptor";
import { problemOf } from "./Field";
import { controlId, focusOn, useForm } from "./form";

export function Family({ family }: { family: Descriptor }) {
  const form = useForm();
  const names = members(form.known, form.changes, family);
  const prefix = familyPrefix(family);
  const title = label({ ...family, key: prefix.slice(0, -1) });
  return (
    <div class="setting family" role="group" aria-label={title}>
      <div class="setting-head">
        <span class="setting-name">{title}</span>
        {names.length === 0 && <span class="mark">none</span>}
      </div>
      <p class="setting-help quiet small">{family.description}</p>
      {names.map((name) => (
        <Member key={name} family={family} name={name} taken={names} />
      ))}
      {!form.isReadOnly && <Addition family={family} taken={names} />}
    </div>
  );
}

function Member({ family, name, taken }: { family: Descriptor; name: string; taken: string[] }) {
  const form = useForm();
  const [newName, setNewName] = useState<string | null>(null);
  const key = familyPrefix(family) + name;
  const one = find(form.known, key);
  if (!one) return null;
  const id = controlId(key);
  const problem = problemOf(form, one);
  const isFixed = fixedBy(one) !== null || form.isReadOnly;
  const nameProblem = newName === null || newName === name ? null : nameRefusal(newName, taken);
  const renamed = () => {
    if (newName !== null && newName !== name && nameProblem === null) form.change(rename(form.known, form.changes, family, name, newName));
    if (nameProblem === null) setNewName(null);
  };
  return (
    <div class="member">
      {newName === null ? (
        <label htmlFor={id} class="member-name">
          {name}
        </label>
      ) : (
        <input
          class="member-name"
          aria-label={`New name of ${name}`}
          aria-invalid={nameProblem !== null}
          aria-describedby={`${id}-problem`}
          autocapitalize="none"
          autofocus
          value={newName}
          onInput={(event) => setNewName(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") renamed();
            if (event.key === "Escape") setNewName(null);
          }}
        />
      )}
      <input
        id={id}
        value={textOf(form.known, form.changes, key)}
        readOnly={isFixed}
        autocapitalize="none"
        aria-invalid={problem !== null}
        aria-describedby={`${id}-problem`}
        onInput={(event) => form.change(set(form.known, form.changes, key, event.currentTarget.value))}
      />
      {!isFixed && (
        <span class="row">
          <Button class="slight" label={newName === null ? `Rename ${name}` : `Take the new name for ${name}`} onClick={() => (newName === null ? setNewName(name) : renamed())}>
            {newName === null ? "Rename" : "Take it"}
          </Button>
          <Button class="slight" label={`Remove ${name}`} onClick={() => form.change(unset(form.known, form.changes, key))}>
            Remove
          </Button>
        </span>
      )}
      <p class="problem small" id={`${id}-problem`}>
        {nameProblem ?? problem}
      </p>
      {fixedBy(one) !== null && <p class="fixed small">{fixedBy(one)}</p>}
    </div>
  );
}

function Addition({ family, taken }: { family: Descriptor; taken: string[] }) {
  const form = useForm();
  const id = useId();
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const add = (event: Event) => {
    event.preventDefault();
    const refused = nameRefusal(name.trim(), taken);
    setProblem(refused);
    if (refused !== null) return;
    const key = familyPrefix(family) + name.trim();
    form.change({ ...form.changes, [key]: "" });
    setName("");
    requestAnimationFrame(() => focusOn(key));
  };
  return (
    <form class="member adding" onSubmit={add}>
      <label htmlFor={id} class="unseen">
        Name of a new one
      </label>
      <input
        id={id}
        placeholder="New name"
        autocapitalize="none"
        autocomplete="off"
        value={name}
        aria-invalid={problem !== null}
        aria-describedby={`${id}-problem`}
        onInput={(event) => {
          setName(event.currentTarget.value);
          setProblem(null);
        }}
      />
      <Button type="submit" class="slight">
        Add
      </Button>
      <p class="problem small" id={`${id}-problem`} role="alert">
        {problem}
      </p>
    </form>
  );
}
