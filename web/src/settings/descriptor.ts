// What the daemon says of a setting (GET /api/config), and what follows from it: which texts are allowed and how a value is shown.
//
// No key is listed in the client: forms come from these descriptions alone. Rules that hold between settings (a band and the cut-off) are
// the daemon's: it answers with the keys that they are about.

export type Kind = "number" | "integer" | "bool" | "choice" | "choices" | "text" | "url" | "secret";

/** A key as the daemon describes it. */
export interface WireKey {
  key: string;
  value?: unknown;
  set?: boolean;
  source?: string | null;
  type?: string;
  kind?: string;
  unit?: string;
  description?: string;
  default?: unknown;
  required?: boolean;
  choices?: string[] | null;
  min?: number | null;
  max?: number | null;
  max_bytes?: number | null;
  at_start?: boolean;
  restart_needed?: boolean;
  reserved?: boolean;
  family?: boolean;
  allowed?: string;
  variable?: string;
}

export interface WireConfig {
  sections: { title: string; doc: string; keys: WireKey[] }[];
}

/** A key; every value as the text that would be saved. */
export interface Descriptor {
  key: string;
  kind: Kind;
  /** What holds now; empty for a secret. */
  value: string;
  /** Whether the value is not empty: all that is known of a secret. */
  isSet: boolean;
  source: string;
  unit: string;
  description: string;
  default: string;
  isRequired: boolean;
  choices: string[];
  min: number | null;
  max: number | null;
  maxBytes: number | null;
  /** What is allowed, in the daemon's words. */
  allowed: string;
  /** A change waits for the next start of the daemon. */
  isAtStart: boolean;
  /** A change waits already. */
  needsRestart: boolean;
  /** Checked, but nothing reads it yet. */
  isReserved: boolean;
  /** The environment variable that sets it. */
  variable: string;
  /** `PREFIX.NAME`: stands for any name; its members are keys of their own. */
  isFamily: boolean;
}

export interface Section {
  title: string;
  doc: string;
  /** Without the members of families. */
  keys: Descriptor[];
}

/** Everything that the daemon has said about its settings. */
export interface Known {
  sections: Section[];
  /** Keys and members of families by name. */
  byKey: ReadonlyMap<string, Descriptor>;
}

/** The daemon's limit on a secret, and on the name of a family's member, in bytes. */
const SECRET_MAX_BYTES = 4096;
const NAME_MAX_BYTES = 64;
const URL_MAX_BYTES = 2048;
const KINDS = ["number", "integer", "bool", "choice", "choices", "text", "url", "secret"] as const;
const MASK = "********";

/** What the daemon said, in the form that the forms work with. */
export function known(wire: WireConfig): Known {
  const byKey = new Map<string, Descriptor>();
  const sections = wire.sections.map(({ title, doc, keys }) => {
    const all = keys.map(descriptor);
    for (const one of all) byKey.set(one.key, one);
    const own = all.filter((one) => one.isFamily || !isMember(one.key, all));
    return { title, doc, keys: own.sort((a, b) => rank(a) - rank(b)) };
  });
  return { sections: sections.filter((section) => section.keys.length > 0), byKey };
}

/** What a person wants first; the others follow by name, as they come. */
const FIRST = [
  ...["enabled", "type", "url", "host", "port", "org", "database", "bucket", "username", "password", "token"],
  ...["min_temp_c", "max_temp_c", "min_humidity", "max_humidity", "gpio_pin", "active_low", "requires_fan", "i2c_bus", "i2c_address"],
  ...["max_sample_age", "slew_c_per_s", "max_on_time", "read_interval", "NAME", "measurement", "retention_days", "max_mb"],
];

/** A section's own keys before those of its parts (backends), each in the order above. */
function rank(one: Descriptor): number {
  const name = one.key.split(".").at(-1) ?? "";
  const at = FIRST.indexOf(name);
  const isPart = one.key.split(".").length > 2 && !one.isFamily;
  return (isPart ? FIRST.length + 1 : 0) + (at < 0 ? FIRST.length : at);
}

function isMember(key: string, all: Descriptor[]): boolean {
  return all.some((one) => one.isFamily && key !== one.key && key.startsWith(familyPrefix(one)));
}

function descriptor(wire: WireKey): Descriptor {
  const kind = kindOf(wire);
  const isSecret = kind === "secret";
  return {
    key: wire.key,
    kind,
    value: isSecret ? "" : text(wire.value),
    isSet: wire.set ?? text(wire.value) !== "",
    source: wire.source ?? "default",
    unit: wire.unit ?? "",
    description: wire.description ?? "",
    default: isSecret ? "" : text(wire.default),
    isRequired: wire.required ?? false,
    choices: wire.choices ?? [],
    min: wire.min ?? null,
    max: wire.max ?? null,
    maxBytes: wire.max_bytes ?? null,
    allowed: wire.allowed ?? "another text",
    isAtStart: wire.at_start ?? false,
    needsRestart: wire.restart_needed ?? false,
    isReserved: wire.reserved ?? false,
    variable: wire.variable ?? `FILAMENTBOX_${wire.key.toUpperCase().replaceAll(".", "__")}`,
    isFamily: wire.key.endsWith(".NAME"),
  };
}

function kindOf(wire: WireKey): Kind {
  const named = KINDS.find((kind) => kind === wire.kind);
  if (named) return named;
  switch (wire.type) {
    case "float":
      return "number";
    case "int":
      return "integer";
    case "bool":
      return "bool";
  }
  if (wire.choices?.length) return "choice";
  return wire.value === MASK ? "secret" : "text";
}

function text(value: unknown): string {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** What stands before a member's name, the dot included. */
export function familyPrefix(family: Descriptor): string {
  return family.key.slice(0, -"NAME".length);
}

/** The description of `key`; a new member of a family is described by its family. */
export function find(known: Known, key: string): Descriptor | undefined {
  const exact = known.byKey.get(key);
  if (exact) return exact;
  for (const family of known.byKey.values()) {
    if (family.isFamily && key.startsWith(familyPrefix(family))) {
      return { ...family, key, isFamily: false, value: "", isSet: false, source: "default", needsRestart: false };
    }
  }
  return undefined;
}

const bytes = (text: string): number => new TextEncoder().encode(text).length;
const hasControl = (text: string): boolean => /[\u0000-\u001f\u007f-\u009f]/.test(text);

/** Why `text` is not allowed, or null. The daemon has the last word; this is for the moment of typing. */
export function refusal(one: Descriptor, text: string): string | null {
  return isAllowed(one, text) ? null : `Not allowed. Allowed: ${one.allowed}.`;
}

function isAllowed(one: Descriptor, text: string): boolean {
  switch (one.kind) {
    case "number":
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) && isWithin(one, Number(text));
    case "integer":
      return /^\+?\d+$/.test(text.trim()) && isWithin(one, Number(text));
    case "bool":
      return parseBool(text) !== null;
    case "choice":
      return one.choices.includes(text.trim().toLowerCase());
    case "choices":
      return words(text).every((word) => one.choices.includes(word));
    case "url":
      return isUrl(text.trim());
    case "secret":
      return bytes(text) <= SECRET_MAX_BYTES && !hasControl(text);
    case "text":
      return (one.maxBytes === null || bytes(text) <= one.maxBytes) && !hasControl(text);
  }
}

function isWithin(one: Descriptor, number: number): boolean {
  return (one.min === null || number >= one.min) && (one.max === null || number <= one.max);
}

function isUrl(text: string): boolean {
  const match = /^https?:\/\/(\[[^\]]*\]|[^/:]+)(?::(\d{1,5}))?(\/.*)?$/.exec(text);
  if (!match || bytes(text) > URL_MAX_BYTES || /[\s?#@"<>\\]/.test(text) || hasControl(text)) return false;
  return match[2] === undefined || Number(match[2]) <= 65_535;
}

/** A switch's text; null when it is none. */
export function parseBool(text: string): boolean | null {
  const word = text.trim().toLowerCase();
  if (["true", "yes", "on", "1"].includes(word)) return true;
  return ["false", "no", "off", "0"].includes(word) ? false : null;
}

/** The words of a list. */
export function words(text: string): string[] {
  return [...new Set(text.split(",").map((word) => word.trim().toLowerCase()).filter((word) => word !== ""))];
}

/** Whether two texts mean the same to the daemon. */
export function isSame(one: Descriptor, a: string, b: string): boolean {
  if (a === b) return true;
  switch (one.kind) {
    case "number":
    case "integer":
      return a.trim() !== "" && b.trim() !== "" && Number(a) === Number(b);
    case "bool":
      return parseBool(a) !== null && parseBool(a) === parseBool(b);
    case "choice":
      return a.trim().toLowerCase() === b.trim().toLowerCase();
    case "choices":
      return words(a).join() === words(b).join();
    case "url":
      return a.trim().replace(/\/+$/, "") === b.trim().replace(/\/+$/, "");
    default:
      return false;
  }
}

/** Why `name` cannot be a member's name, or null. */
export function nameRefusal(name: string, taken: readonly string[]): string | null {
  if (name === "") return "Give it a name.";
  if (bytes(name) > NAME_MAX_BYTES || hasControl(name)) return `Not allowed. Allowed: 1 to ${NAME_MAX_BYTES} bytes in one line.`;
  return taken.includes(name) ? `${name} is there already.` : null;
}

/** A value for people, with its unit. */
export function shown(one: Descriptor, text: string): string {
  if (text === "") return "(empty)";
  if (one.kind === "secret") return "(a secret)";
  if (one.kind === "bool") return parseBool(text) ? "on" : "off";
  if (one.kind === "choices") return words(text).join(", ");
  return one.unit ? `${text} ${one.unit}` : text;
}

/** The name on a form: the key's last part in words. */
export function label(one: Descriptor): string {
  const name = one.key.split(".").at(-1) ?? one.key;
  const words = name
    .replace(/_c(_per_s)?$/, "")
    .replace(/_pct$/, "")
    .split("_")
    .map((word) => SPELLED[word] ?? word)
    .join(" ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Parts of keys that are no words. */
const SPELLED: Record<string, string> = {
  temp: "temperature",
  min: "minimum",
  max: "maximum",
  gpio: "GPIO",
  i2c: "I2C",
  iio: "IIO",
  url: "URL",
  tls: "TLS",
  ssl: "SSL",
  ca: "CA",
  org: "organisation",
  cert: "certificate",
  mb: "MB",
  db: "database",
};
