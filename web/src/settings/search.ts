// Search in keys, what they do, and their values; not in secrets.

import { type Changes, textOf } from "./changes";
import { type Descriptor, type Known, label } from "./descriptor";

/** Every word must be found; keys in whose name they are come before those whose description has them. */
export function search(known: Known, changes: Changes, query: string): Descriptor[] {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return [];
  const found: { one: Descriptor; rank: number }[] = [];
  for (const section of known.sections) {
    for (const one of section.keys) {
      const name = `${one.key} ${one.key.replaceAll("_", " ")} ${label(one)}`.toLowerCase();
      const value = one.kind === "secret" ? "" : textOf(known, changes, one.key);
      const all = `${name} ${section.title} ${one.description} ${value}`.toLowerCase();
      if (words.every((word) => all.includes(word))) {
        found.push({ one, rank: words.every((word) => name.includes(word)) ? 0 : 1 });
      }
    }
  }
  return found.sort((a, b) => a.rank - b.rank).map(({ one }) => one);
}
