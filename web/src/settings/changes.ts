// What a person has changed and not saved yet: pure, every function gives new changes. What becomes of them is the page's.

import { type Descriptor, type Known, familyPrefix, find, isSame, nameRefusal, refusal, shown, words } from "./descriptor";

/** Texts to be saved, by key; null takes the key out of the store, so that its default holds. */
export type Changes = Readonly<Record<string, string | null>>;

/** What the daemon said of a key when it refused changes. */
export type Problems = Readonly<Record<string, string>>;

/** Where a value comes from that cannot be changed here; null when it can. */
export function fixedBy(one: Descriptor): string | null {
  switch (one.source) {
    case "environment":
      return `Set in the daemon's environment (${one.variable}), which comes before what is saved here: change it there.`;
    case "Vault":
    case "vault":
      return "Set in Vault, which comes before what is saved here: change it there.";
    case "--simulate":
      // It only lends the other keys a default.
      return one.key === "sensor.type" ? "The daemon was started with --simulate, which sets it." : null;
    default:
      return null;
  }
}

/** The text that holds, or would once the changes are saved. Of a secret only what was typed is known. */
export function textOf(known: Known, changes: Changes, key: string): string {
  const change = changes[key];
  const one = find(known, key);
  if (change === undefined) return one?.value ?? "";
  return change ?? one?.default ?? "";
}

/** Whether a value would hold that is not empty. */
export function isFilled(known: Known, changes: Changes, key: string): boolean {
  const change = changes[key];
  if (change === undefined) return find(known, key)?.isSet ?? false;
  return (change ?? find(known, key)?.default ?? "") !== "";
}

/** Sets `key`. A text that holds already is no change. */
export function set(known: Known, changes: Changes, key: string, text: string): Changes {
  const one = find(known, key);
  const isKnown = known.byKey.has(key);
  if (one && isKnown && one.kind !== "secret" && isSame(one, one.value, text)) return undo(changes, key);
  return { ...changes, [key]: text };
}

/** Back to the default; a member of a family is removed. */
export function unset(known: Known, changes: Changes, key: string): Changes {
  const one = known.byKey.get(key);
  return !one || isDefault(one) ? undo(changes, key) : { ...changes, [key]: null };
}

/** Whether nothing is stored for it. */
export function isDefault(one: Descriptor): boolean {
  return one.source === "default" || one.source === "--simulate";
}

/** Forgets the change of `key`. */
export function undo(changes: Changes, key: string): Changes {
  const { [key]: _, ...rest } = changes;
  return rest;
}

/** The names in a family, with the changes, by name. */
export function members(known: Known, changes: Changes, family: Descriptor): string[] {
  const prefix = familyPrefix(family);
  const keys = [...known.byKey.keys(), ...Object.keys(changes)].filter(
    (key) => key.startsWith(prefix) && key !== family.key && changes[key] !== null,
  );
  return [...new Set(keys.map((key) => key.slice(prefix.length)))].sort();
}

/** Gives a member of a family another name. */
export function rename(known: Known, changes: Changes, family: Descriptor, from: string, to: string): Changes {
  const prefix = familyPrefix(family);
  const text = textOf(known, changes, prefix + from);
  return set(known, unset(known, changes, prefix + from), prefix + to, text);
}

/** Whether the part of the program that `key` belongs to is in use: of a backend's key, whether the backend is chosen. */
export function isInUse(known: Known, changes: Changes, key: string): boolean {
  const parts = key.split(".");
  if (parts[0] !== "database" || parts.length < 3) return true;
  return words(textOf(known, changes, "database.type")).includes(parts[1] ?? "");
}

/** Whether `key` must not be empty and is. */
export function isMissing(known: Known, changes: Changes, key: string): boolean {
  const one = find(known, key);
  return one !== undefined && one.isRequired && isInUse(known, changes, key) && !isFilled(known, changes, key);
}

/** What is wrong with the changes as far as it can be said here, by key. */
export function obstacles(known: Known, changes: Changes): Problems {
  const problems: Record<string, string> = {};
  for (const [key, text] of Object.entries(changes)) {
    const one = find(known, key);
    if (!one) problems[key] = "The daemon no longer knows this setting.";
    const refused = one && text !== null ? refusal(one, text) : null;
    if (refused !== null) problems[key] = refused;
    const name = one && memberName(known, key);
    const wrongName = name === undefined ? null : nameRefusal(name, []);
    if (wrongName !== null) problems[key] = wrongName;
    if (name !== undefined && text === "") problems[key] = "A value is needed; remove it instead.";
  }
  for (const one of known.byKey.values()) {
    if (!one.isFamily && isMissing(known, changes, one.key)) problems[one.key] = "Required, and still empty.";
  }
  return problems;
}

function memberName(known: Known, key: string): string | undefined {
  for (const one of known.byKey.values()) {
    const prefix = one.isFamily ? familyPrefix(one) : undefined;
    if (prefix !== undefined && key !== one.key && key.startsWith(prefix)) return key.slice(prefix.length);
  }
  return undefined;
}

/** A change for people: what held and what would hold. */
export function oldAndNew(known: Known, changes: Changes, key: string): { old: string; new: string } {
  const one = find(known, key);
  const change = changes[key] ?? null;
  if (!one) return { old: "?", new: change ?? "(removed)" };
  const isNew = !known.byKey.has(key);
  if (one.kind === "secret") {
    const old = one.isSet ? "set" : "not set";
    return { old, new: change === null || change === "" ? "not set" : one.isSet ? "replaced" : "set" };
  }
  const old = isNew ? "(not there)" : shown(one, one.value);
  if (change !== null) return { old, new: shown(one, change) };
  const isMember = memberName(known, key) !== undefined;
  return { old, new: isMember ? "(removed)" : `${shown(one, one.default)} (the default)` };
}

/** The daemon's refusal by key: one that is about several keys stands at each of them. */
export function byKey(problems: readonly { key: string; error: string }[]): Problems {
  const found: Record<string, string> = {};
  for (const { key, error } of problems) {
    for (const one of key.split(",").map((part) => part.trim())) {
      found[one] = found[one] === undefined ? error : `${found[one]}; ${error}`;
    }
  }
  return found;
}

/** After the daemon was asked again: changes that hold by now are none any more, and keys that are gone cannot be changed. */
export function rebase(known: Known, changes: Changes): Changes {
  let kept: Changes = {};
  for (const [key, text] of Object.entries(changes)) {
    const one = find(known, key);
    if (!one || fixedBy(one) !== null) continue;
    kept = text === null ? unset(known, kept, key) : set(known, kept, key, text);
  }
  return kept;
}

/** "1 change", "2 changes". */
export function counted(count: number): string {
  return `${count} change${count === 1 ? "" : "s"}`;
}
