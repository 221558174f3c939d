// What a search finds: the settings themselves, ready to be changed.

import { Family } from "./Family";
import { Field } from "./Field";
import { useForm } from "./form";
import { search } from "./search";

/** More is no help: another word finds less. */
const FOUND_MAX = 20;

export function Found({ words }: { words: string }) {
  const form = useForm();
  const found = search(form.known, form.changes, words);
  const count = found.length === 0 ? "Nothing has all of these words." : `${found.length} found${found.length > FOUND_MAX ? `; the first ${FOUND_MAX}` : ""}.`;
  return (
    <>
      <p role="status">{count}</p>
      <div class="fields">
        {found.slice(0, FOUND_MAX).map((one) => (
          <div key={one.key}>
            <code class="quiet small">{one.key}</code>
            {one.isFamily ? <Family family={one} /> : <Field name={one.key} />}
          </div>
        ))}
      </div>
    </>
  );
}
