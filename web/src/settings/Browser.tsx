// What only this browser prefers: degrees and colours.

import { Button } from "../components/button";
import { temperatureUnit, theme } from "../preferences";
import type { Store } from "../store";
import { useStore } from "../store";

export function Browser() {
  return (
    <div class="card">
      <Choice name="Degrees" store={temperatureUnit} words={{ C: "°C", F: "°F" }} />
      <Choice name="Colours" store={theme} words={{ auto: "as the device", light: "light", dark: "dark" }} />
      <p class="quiet small">Kept in this browser. Settings of the box are in °C.</p>
    </div>
  );
}

function Choice<T extends string>({ name, store, words }: { name: string; store: Store<T>; words: Record<T, string> }) {
  const chosen = useStore(store);
  return (
    <div role="group" aria-label={name} class="field">
      {name}
      <div class="choice">
        {(Object.entries(words) as [T, string][]).map(([value, text]) => (
          <Button key={value} isPressed={chosen === value} onClick={() => store.set(value)}>
            {text}
          </Button>
        ))}
      </div>
    </div>
  );
}
