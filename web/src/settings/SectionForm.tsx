// A section's settings: those of a backend that is not chosen are left out, those without effect stand at the end. Thresholds have their
// preview beside them.

import { isInUse } from "./changes";
import { backendName } from "./controls";
import { DatabaseTest } from "./DatabaseTest";
import type { Descriptor, Section } from "./descriptor";
import { Family } from "./Family";
import { Field } from "./Field";
import { useForm } from "./form";
import { BandPreview, LimitsPreview } from "./Previews";

/** Each has a form of its own among the settings: the password is asked for twice, a token is made by the daemon. */
const ELSEWHERE = new Set(["webui.password", "webui.tokens.NAME"]);

export function SectionForm({ section }: { section: Section }) {
  const form = useForm();
  const shown = section.keys.filter((one) => !ELSEWHERE.has(one.key) && isInUse(form.known, form.changes, one.key));
  const active = shown.filter((one) => !one.isReserved);
  const reserved = shown.filter((one) => one.isReserved);
  const groups = grouped(active);
  const has = (key: string) => active.some((one) => one.key === key);
  const hasPreview = has("heating_control.min_temp_c") || has("humidity_control.min_humidity") || has("safety.max_temp_c");
  return (
    <div class={hasPreview ? "with-preview" : ""}>
      <div class="fields">
        {groups.map(([group, keys]) => (
          <div class="fields" key={group} role={group === "" ? undefined : "group"} aria-label={group === "" ? undefined : backendName(group)}>
            {group !== "" && <h2>{backendName(group)}</h2>}
            {keys.map((one) => (one.isFamily ? <Family key={one.key} family={one} /> : <Field key={one.key} name={one.key} />))}
          </div>
        ))}
        {has("database.type") && <DatabaseTest />}
        {reserved.length > 0 && (
          <details>
            <summary>Without effect in this version ({reserved.length})</summary>
            <div class="fields">
              {reserved.map((one) => (
                <Field key={one.key} name={one.key} />
              ))}
            </div>
          </details>
        )}
      </div>
      {hasPreview && (
        <div class="previews">
          {has("heating_control.min_temp_c") && <BandPreview output="heater" />}
          {has("humidity_control.min_humidity") && <BandPreview output="fan" />}
          {has("safety.max_temp_c") && <LimitsPreview />}
        </div>
      )}
    </div>
  );
}

/** A backend's keys stand below its name. */
function grouped(keys: Descriptor[]): [string, Descriptor[]][] {
  const groups = new Map<string, Descriptor[]>();
  for (const one of keys) {
    const parts = one.key.split(".");
    const group = parts[0] === "database" && parts.length > 2 ? (parts[1] ?? "") : "";
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  return [...groups];
}
