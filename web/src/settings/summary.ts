// How a section stands, in a line: for the list of sections.

import { isDefault, isInUse, isMissing, members, textOf } from "./changes";
import type { Changes, Problems } from "./changes";
import { backendName } from "./controls";
import { parseBool, refusal, shown, words } from "./descriptor";
import type { Known, Section } from "./descriptor";

export interface Standing {
  line: string;
  note: "incomplete" | "problem" | "changed" | null;
}

export function standing(known: Known, changes: Changes, problems: Problems, section: Section): Standing {
  return { line: line(known, changes, section), note: note(known, changes, problems, section) };
}

/** Whether a key, also a family's member, belongs to the section. */
export function holds(section: Section, key: string): boolean {
  return section.keys.some((one) => one.key === key || (one.isFamily && key.startsWith(one.key.slice(0, -"NAME".length))));
}

function note(known: Known, changes: Changes, problems: Problems, section: Section): Standing["note"] {
  if (section.keys.some((one) => !one.isFamily && isMissing(known, changes, one.key))) return "incomplete";
  const changed = Object.entries(changes).filter(([key]) => holds(section, key));
  const isWrong = ([key, text]: [string, string | null]) => {
    const one = known.byKey.get(key);
    return one !== undefined && text !== null && refusal(one, text) !== null;
  };
  if (changed.some(isWrong) || Object.keys(problems).some((key) => holds(section, key))) return "problem";
  return changed.length > 0 ? "changed" : null;
}

function line(known: Known, changes: Changes, section: Section): string {
  const text = (key: string) => textOf(known, changes, key);
  const own = (end: string) => section.keys.find((one) => one.key.endsWith(end) && one.key.split(".").length === 2);
  const enabled = own(".enabled");
  const backends = own("database.type");
  if (backends) {
    const chosen = words(text(backends.key)).filter((word) => word !== "none");
    return chosen.length === 0 ? "none: measurements stay on this machine" : chosen.map(backendName).join(", ");
  }
  if (enabled && parseBool(text(enabled.key)) === false) return "off";
  const [low, high] = [own(".min_temp_c") ?? own(".min_humidity"), own(".max_temp_c") ?? own(".max_humidity")];
  if (low && high) return `${text(low.key)} to ${shown(high, text(high.key))}`;
  const main = own("safety.max_temp_c") ?? own("sensor.type");
  const others = section.keys.filter((one) => !one.isFamily && one !== main && !isDefault(one) && isInUse(known, changes, one.key)).length;
  const families = section.keys.filter((one) => one.isFamily).flatMap((one) => members(known, changes, one));
  const parts = [
    ...(main ? [`${main.unit === "°C" ? "cut-off " : ""}${shown(main, text(main.key))}`] : []),
    ...(others > 0 ? [`${others} set`] : []),
    ...(families.length > 0 ? [families.join(", ")] : []),
  ];
  return parts.length > 0 ? parts.join(", ") : "defaults";
}
